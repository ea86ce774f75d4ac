import { ConfigError } from '../../errors.ts';
import type { Place } from '../source.ts';

/** One line after conditions and parameters, as the parser sees it. */
export interface Line {
  readonly text: string;
  readonly file: string;
  readonly line: number;
  /** Added to an index in `text`; null where a parameter moved everything and only the line is known. */
  readonly offset: number | null;
  /** The line as it stands in the file. */
  readonly source: string;
}

export function placeIn(line: Line, index: number): Place {
  const column = line.offset === null ? indentOf(line.source) : line.offset + index;
  return { file: line.file, line: line.line, column: column + 1 };
}

const indentOf = (source: string): number => source.length - source.trimStart().length;

/** Lines whose text is nobody's business: passwords, and parameters, which may hold one. */
const SECRET = /auth_pass|password|^\s*(?:@\S+\s+)?\$\w+=/i;

/** An error that ends the import, with the line and a caret unless the line may hold a password. */
export function syntaxError(place: Place, source: string, message: string, hint: string): ConfigError {
  const shown = SECRET.test(source) ? null : source;
  return new ConfigError([{ severity: 'error', ...place, key: '', message, hint, source: shown }]);
}
