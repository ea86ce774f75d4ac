import { dirname } from 'node:path';
import { ConfigError } from '../../errors.ts';
import type { Place, SourceReader } from '../source.ts';
import { DEFINITION, Expander, type Origin } from './expander.ts';
import { stripComment } from './lexer.ts';
import { type Line, placeIn, syntaxError } from './source.ts';

const MAX_DEPTH = 16;
const MAX_FILES = 500;
const MAX_CHARACTERS = 8 * 1_024 * 1_024;

/** Something about the files themselves that the report should say. */
export interface FileNote {
  readonly place: Place;
  readonly keyword: string;
  readonly message: string;
}

export interface Flattened {
  readonly lines: readonly Line[];
  readonly notes: readonly FileNote[];
  readonly files: readonly string[];
}

/**
 * All lines of a configuration in the order in which keepalived sees them: includes read in, comments gone,
 * conditions decided for `configId`, parameters and sequences expanded.
 * @throws ConfigError for includes in a circle or without end, and for what cannot be expanded.
 */
export function flatten(path: string, reader: SourceReader, configId: string): Flattened {
  const flattener = new Flattener(reader, configId);
  flattener.file(path, []);
  return flattener;
}

class Flattener implements Flattened {
  readonly lines: Line[] = [];
  readonly notes: FileNote[] = [];
  readonly files: string[] = [];
  readonly #reader: SourceReader;
  readonly #expander: Expander;
  #characters = 0;

  constructor(reader: SourceReader, configId: string) {
    this.#reader = reader;
    this.#expander = new Expander(configId, (place) => {
      const message = 'a random number: the least one is taken';
      this.notes.push({ place, keyword: '$_RANDOM', message });
    });
  }

  file(path: string, within: readonly string[]): void {
    const text = this.#reader.read(path);
    this.files.push(path);
    this.#characters += text.length;
    const physical = text.split('\n').map((line) => line.replace(/\r$/, ''));
    for (let index = 0; index < physical.length; index++) {
      const source = physical[index] ?? '';
      const origin: Origin = { file: path, line: index + 1, source };
      let content = stripComment(source);
      const include = /^\s*(include[rmwba]?)\s+(\S.*)$/.exec(content);
      if (include !== null) {
        this.#include(include[1] ?? '', include[2] ?? '', origin, [...within, path]);
        continue;
      }
      if (isDefinition(content)) {
        // the backslash counts even behind a comment
        for (let last = source; last.trimEnd().endsWith('\\') && index + 1 < physical.length; ) {
          last = physical[++index] ?? '';
          content = `${withoutBackslash(content)}\n${stripComment(last)}`;
        }
      }
      for (const line of this.#expander.expand(content, origin)) this.lines.push(line);
    }
  }

  #include(keyword: string, rest: string, origin: Origin, within: readonly string[]): void {
    const at = { ...origin, text: origin.source, offset: 0 };
    const place = placeIn(at, origin.source.indexOf(keyword));
    const refuse = (message: string, hint: string): ConfigError =>
      syntaxError(place, origin.source, message, hint);
    if (within.length >= MAX_DEPTH)
      throw refuse('includes are nested too deep', `at most ${MAX_DEPTH} levels`);
    const pattern = rest.trim().replace(/^(["'])(.*)\1$/, '$2');
    const found = this.#reader.glob(pattern, dirname(origin.file));
    if (found.length === 0) this.notes.push({ place, keyword, message: 'no file is there to include' });
    for (const path of found) {
      if (within.includes(path)) throw refuse('this file includes itself', 'take the circle out');
      if (this.files.length >= MAX_FILES || this.#characters > MAX_CHARACTERS) {
        throw refuse('too much is included', `at most ${MAX_FILES} files of ${MAX_CHARACTERS} characters`);
      }
      this.#included(path, place, keyword, within);
    }
  }

  /** keepalived goes on without a file that it cannot read; so does the import, and says so. */
  #included(path: string, place: Place, keyword: string, within: readonly string[]): void {
    const before = this.files.length;
    try {
      this.file(path, within);
    } catch (error) {
      const unread = this.files.length === before && error instanceof ConfigError;
      if (!unread) throw error;
      this.notes.push({ place, keyword, message: error.problems[0]?.message ?? 'cannot be read' });
    }
  }
}

/** Only definitions go on after a backslash, and a condition may stand before one. */
const isDefinition = (content: string): boolean => DEFINITION.test(content.replace(/^\s*@\S*/, ''));

const withoutBackslash = (text: string): string => text.replace(/\\\s*$/, '');
