import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { errnoOf } from '../../lib/errors.ts';
import { ConfigError } from '../errors.ts';
import { readConfigFile } from '../read-file.ts';
import type { SourceReader } from './keepalived/index.ts';

/** The files of this host. */
export const systemReader: SourceReader = {
  read(path) {
    try {
      return readConfigFile(path);
    } catch (error) {
      // the hint there is about Tandem's own file
      if (!(error instanceof ConfigError) || errnoOf(error.cause) !== 'ENOENT') throw error;
      const problems = error.problems.map((problem) => ({ ...problem, hint: 'check the path' }));
      throw new ConfigError(problems, { cause: error });
    }
  },
  glob(pattern, folder) {
    const found = expandBraces(pattern).flatMap((plain) => matching(resolve(folder, plain)));
    return [...new Set(found)];
  },
};

/** More than anybody writes; "{a,b}{a,b}..." would double for ever. */
const MAX_PATTERNS = 1_000;

/** "{a,b}.conf" as a shell reads it, nested braces included. */
export function expandBraces(pattern: string): string[] {
  let patterns = [pattern];
  for (let expanded = true; expanded && patterns.length < MAX_PATTERNS; ) {
    expanded = false;
    patterns = patterns.flatMap((text) => {
      const innermost = /\{([^{}]*,[^{}]*)\}/.exec(text);
      if (innermost === null) return [text];
      expanded = true;
      const [whole, inside = ''] = innermost;
      const before = text.slice(0, innermost.index);
      const after = text.slice(innermost.index + whole.length);
      return inside.split(',').map((choice) => before + choice + after);
    });
  }
  return patterns;
}

const WILD = /[*?[]/;

/** Regular files that an absolute pattern means, sorted; wildcards do not match a leading dot or "/". */
function matching(pattern: string): string[] {
  if (!WILD.test(pattern)) return isFile(pattern) ? [pattern] : [];
  return expandFolder(pattern).filter(isFile).toSorted();
}

function expandFolder(pattern: string): string[] {
  if (!WILD.test(pattern)) return [pattern];
  const folders = expandFolder(dirname(pattern));
  const name = basename(pattern);
  if (!WILD.test(name)) return folders.map((folder) => resolve(folder, name));
  const matches = nameMatcher(name);
  return folders.flatMap((folder) =>
    namesIn(folder)
      .filter((entry) => matches(entry))
      .map((entry) => resolve(folder, entry)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // as for a shell: what cannot be listed matches nothing
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** fnmatch(3) in a few words: "*", "?", "[a-z]", "[!a-z]". */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const source = pattern.replace(
    /\[(!?)([^\]]+)\]|[*?]|[^*?[]|\[/g,
    (part: string, not: string, set: string) => {
      if (part === '*') return '.*';
      if (part === '?') return '.';
      if (part.length > 1) return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\^[]/g, '\\$&')}]`;
      return part.replace(/[.+^${}()|\\/[\]-]/, '\\$&');
    },
  );
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => (pattern.startsWith('.') || !name.startsWith('.')) && expression.test(name);
}
