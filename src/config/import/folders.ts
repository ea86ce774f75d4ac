import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, wholeFile } from '../errors.ts';

/**
 * A directory stands for its *.cfg files in the order of their names, as with `haproxy -f`.
 * @throws ConfigError for one without any.
 */
export function expandFolders(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith('.cfg') && !name.startsWith('.'));
    if (names.length > 0) return names.toSorted().map((name) => join(path, name));
    const hint = 'name a file, or a directory with *.cfg in it';
    throw new ConfigError([wholeFile(path, 'has no *.cfg', hint)]);
  });
}
