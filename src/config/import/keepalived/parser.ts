import type { Place } from '../source.ts';
import { type Brace, tokenize } from './lexer.ts';
import { type Line, placeIn, syntaxError } from './source.ts';

/** A keyword (or an item of a list) with its words, and its block when it has one. */
export interface Statement {
  readonly keyword: string;
  readonly args: readonly string[];
  readonly place: Place;
  /** Null without braces. */
  readonly block: readonly Statement[] | null;
}

interface Open {
  readonly keyword: string;
  readonly args: string[];
  readonly place: Place;
  readonly line: Line;
  block: Statement[] | null;
}

const MAX_DEPTH = 32;

/**
 * Lines to a tree. A statement ends with its line; "{" opens the block of the statement before it, on the
 * same line or an earlier one. Iterative, so that no input exhausts the stack.
 * @throws ConfigError for braces that do not match.
 */
export function parse(lines: readonly Line[]): Statement[] {
  const parser = new Parser();
  for (const line of lines) parser.line(line);
  return parser.end();
}

class Parser {
  readonly #top: Statement[] = [];
  readonly #stack: Open[] = [];
  /** The statement that may still get words (on its line) or a block. */
  #current: Open | undefined;

  line(line: Line): void {
    let fresh = true;
    for (const token of tokenize(line)) {
      if (token.type !== 'word') this.#brace(token, line);
      else if (fresh || this.#current === undefined) this.#begin(token.text, line, token.index);
      else this.#current.args.push(token.text);
      fresh = false;
    }
  }

  #brace({ type, index }: Brace, line: Line): void {
    if (type === '{') this.#open(line, index);
    else this.#close(line, index);
  }

  end(): Statement[] {
    this.#finish();
    const open = this.#stack.at(-1);
    if (open === undefined) return this.#top;
    const hint = 'each "{" needs a "}"; one may be missing further down';
    throw syntaxError(open.place, open.line.source, 'this block is never closed', hint);
  }

  #begin(keyword: string, line: Line, index: number): void {
    this.#finish();
    this.#current = { keyword, args: [], place: placeIn(line, index), line, block: null };
  }

  #finish(): void {
    const done = this.#current;
    this.#current = undefined;
    if (done !== undefined) (this.#stack.at(-1)?.block ?? this.#top).push(done);
  }

  #open(line: Line, index: number): void {
    const opened = this.#current;
    if (opened === undefined) {
      throw syntaxError(placeIn(line, index), line.source, 'a block without a keyword', 'remove the "{"');
    }
    if (this.#stack.length >= MAX_DEPTH) {
      const hint = `at most ${MAX_DEPTH} levels`;
      throw syntaxError(placeIn(line, index), line.source, 'blocks are nested too deep', hint);
    }
    this.#current = undefined;
    opened.block = [];
    this.#stack.push(opened);
  }

  #close(line: Line, index: number): void {
    this.#finish();
    const closed = this.#stack.pop();
    if (closed === undefined) {
      const hint = 'remove it; an earlier block may have been closed twice';
      throw syntaxError(placeIn(line, index), line.source, 'a "}" that closes nothing', hint);
    }
    (this.#stack.at(-1)?.block ?? this.#top).push(closed);
  }
}
