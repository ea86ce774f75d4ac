import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError } from '../errors.ts';
import { readConfigFile } from '../read-file.ts';
import type { SourceReader } from './source.ts';

const HINT = 'name a configuration of keepalived or HAProxy, in UTF-8, that this user may read';

/** The files of this host. */
export const systemReader: SourceReader = {
  read(path) {
    try {
      return readConfigFile(path);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // the hints there are about Tandem's own file
      const problems = error.problems.map((problem) => ({ ...problem, hint: HINT }));
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
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
  } catch {
    return true; // there is something: why it cannot be read is told when it is
  }
}

type Piece = '*' | ((character: string) => boolean);

/** fnmatch(3) in a few words: "*", "?", "[a-z]", "[!a-z]". Steps are at most the two lengths multiplied. */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const pieces = (pattern.match(/\[!?[^\]]+\]|[\s\S]/g) ?? []).map(pieceOf);
  return (name) => (pattern.startsWith('.') || !name.startsWith('.')) && matchesPieces(pieces, name);
}

function pieceOf(part: string): Piece {
  if (part === '*') return '*';
  if (part === '?') return () => true;
  if (part.length === 1) return (character) => character === part;
  const not = part.startsWith('[!');
  const ranges = part.slice(not ? 2 : 1, -1).match(/[\s\S]-[\s\S]|[\s\S]/g) ?? [];
  return (character) =>
    ranges.some((range) => (range[0] ?? '') <= character && character <= (range.at(-1) ?? '')) !== not;
}

/** On a mismatch the last "*" takes one character more; earlier ones need not be looked at again. */
function matchesPieces(pieces: readonly Piece[], name: string): boolean {
  let [at, piece] = [0, 0];
  let star: { readonly piece: number; at: number } | undefined;
  while (at < name.length) {
    const expected = pieces[piece];
    if (expected === '*') {
      star = { piece: piece++, at };
    } else if (expected?.(name[at] ?? '')) {
      piece++;
      at++;
    } else if (star !== undefined) {
      piece = star.piece + 1;
      at = ++star.at;
    } else return false;
  }
  return pieces.slice(piece).every((rest) => rest === '*');
}
