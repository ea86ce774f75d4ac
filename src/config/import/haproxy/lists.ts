import { ConfigError } from '../../errors.ts';
import type { SourceReader } from '../source.ts';

/** The lines of a file of values, by its absolute path; undefined where it cannot be read here. */
export type Lists = (path: string) => readonly string[] | undefined;

/** Files of values (`-f`) and maps: a value on each line, "#" at its beginning makes it a comment. */
export function listsOf(reader: SourceReader): Lists {
  const known = new Map<string, readonly string[] | undefined>();
  return (path) => {
    if (!known.has(path)) known.set(path, path.startsWith('/') ? linesOf(reader, path) : undefined);
    return known.get(path);
  };
}

function linesOf(reader: SourceReader, path: string): string[] | undefined {
  try {
    const lines = reader.read(path).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return undefined; // what needs it is told to be left out
  }
}
