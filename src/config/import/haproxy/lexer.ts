// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how HAProxy writes variables
/** One line of a haproxy.cfg as HAProxy's own parse_line() (src/tools.c of 2.6) divides it. Pure. */

export interface Word {
  /** Quotes taken off, escapes and variables resolved. */
  readonly text: string;
  /** Where it begins in the line, from 0. */
  readonly index: number;
}

export type Tokens =
  | { readonly ok: true; readonly words: readonly Word[] }
  /** `index`: where in the line the fault is, from 0. */
  | { readonly ok: false; readonly index: number; readonly message: string; readonly hint: string };

/** The value of a variable of the environment; undefined when it is not set. */
export type Variables = (name: string) => string | undefined;

/** MAX_LINE_ARGS of HAProxy 2.6. */
export const MAX_WORDS = 64;

/**
 * The words of a line (HAProxy's configuration manual, 2.2 and 2.3; compared with 2.6.12). White space outside of
 * quotes divides; "#" there begins a comment, also within a word; a carriage return ends the line even in quotes.
 * In '...' nothing is special. In "..." and outside, a backslash takes \\ \" \' \# \t \n \r \xHH and a space, in
 * "..." also \$, and stays before anything else. $NAME, ${NAME} and ${NAME-default} count in "..." alone, and
 * "${NAME[*]}" is one word for each word of its value.
 */
export function tokenize(line: string, variables: Variables): Tokens {
  return new Lexer(line, variables).run();
}

const SPACE = /[ \t\n\v\f\r]/;
const CONTROLS: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r' };
const VARIABLE = /^\$(?:\{([A-Za-z_.][A-Za-z0-9_.]*)(\[\*\])?(?:-([^}]*))?\}|([A-Za-z_.][A-Za-z0-9_.]*))/;

type Fault = Extract<Tokens, { ok: false }>;

class Lexer {
  readonly #line: string;
  readonly #variables: Variables;
  readonly #words: Word[] = [];
  /** The word that is being read; undefined between words. */
  #word: { text: string; readonly index: number } | undefined;
  #at = 0;
  #quote: { readonly mark: string; readonly index: number } | undefined;

  constructor(line: string, variables: Variables) {
    this.#line = line;
    this.#variables = variables;
  }

  run(): Tokens {
    while (this.#at < this.#line.length) {
      const character = this.#line[this.#at] ?? '';
      if (character === '\r' || character === '\n') break;
      if (character === '#' && this.#quote === undefined) break;
      const fault = this.#step(character);
      if (fault !== undefined) return fault;
    }
    if (this.#quote !== undefined) {
      const { mark, index } = this.#quote;
      return wrong(index, 'this quote is never closed', `close it with ${mark} before the end of the line`);
    }
    this.#finish();
    const extra = this.#words[MAX_WORDS];
    if (extra === undefined) return { ok: true, words: this.#words };
    return wrong(extra.index, `more than ${MAX_WORDS} words`, 'divide the line, as HAProxy asks for');
  }

  #step(character: string): Fault | undefined {
    const mark = this.#quote?.mark;
    if ((character === '"' || character === "'") && (mark === undefined || mark === character)) {
      this.#quote = mark === undefined ? { mark: character, index: this.#at } : undefined;
      this.#append('', 1);
    } else if (character === '\\' && mark !== "'") return this.#escape();
    else if (character === '$' && mark === '"') return this.#variable();
    else if (mark === undefined && SPACE.test(character)) {
      this.#finish();
      this.#at++;
    } else this.#append(character, 1);
    return undefined;
  }

  #escape(): Fault | undefined {
    const next = this.#line[this.#at + 1] ?? '';
    const control = Object.hasOwn(CONTROLS, next) ? CONTROLS[next] : undefined;
    // outside of double quotes there are no variables, and nothing to be kept from being one
    const dollar = next === '$' && this.#quote?.mark === '"';
    if (control !== undefined) this.#append(control, 2);
    else if (next !== '' && (' \\#\'"'.includes(next) || dollar)) this.#append(next, 2);
    else if (next === 'x') {
      const digits = /^[0-9a-fA-F]{2}/.exec(this.#line.slice(this.#at + 2, this.#at + 4))?.[0];
      if (digits === undefined) {
        return wrong(
          this.#at,
          '\\x needs two hexadecimal digits',
          'write it as \\x2f, or double the backslash',
        );
      }
      this.#append(String.fromCharCode(Number.parseInt(digits, 16)), 4);
    } else this.#append('\\', 1);
    return undefined;
  }

  #variable(): Fault | undefined {
    const found = VARIABLE.exec(this.#line.slice(this.#at));
    if (found === null) {
      const hint = 'write "$NAME" or "${NAME}", or \\$ for a dollar sign';
      return wrong(this.#at, 'this is not a variable', hint);
    }
    const [whole, braced, each, otherwise = '', plain = ''] = found;
    const value = this.#variables(braced ?? plain) ?? otherwise;
    if (each === undefined) this.#append(value, whole.length);
    else this.#expand(value, whole.length);
    return undefined;
  }

  /** The first word joins what stands before it, the last what stands behind. */
  #expand(value: string, length: number): void {
    const [first = '', ...others] = value.split(SPACE).filter((part) => part !== '');
    const index = this.#at;
    this.#append(first, length);
    for (const part of others) {
      this.#finish();
      this.#word = { text: part, index };
    }
  }

  #append(text: string, length: number): void {
    this.#word ??= { text: '', index: this.#at };
    this.#word.text += text;
    this.#at += length;
  }

  #finish(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
  }
}

const wrong = (index: number, message: string, hint: string): Fault => ({ ok: false, index, message, hint });
