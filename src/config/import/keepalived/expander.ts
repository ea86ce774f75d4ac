import { dirname } from 'node:path';
import type { Place } from '../source.ts';
import { type Line, syntaxError } from './source.ts';

/** Far above any configuration that people keep; what expands without end stops here. */
const MAX_WORK = 16 * 1_024 * 1_024;
const MAX_LINES = 200_000;

/** Something still to be expanded; `bind` is set when its turn comes. */
interface Pending {
  readonly text: string;
  readonly offset: number | null;
  readonly bind?: Readonly<Record<string, string>>;
}

/** The physical line that everything of one expansion comes from. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly source: string;
}

/**
 * Conditions (`@id`), parameters (`$NAME=`), `~SEQ` and `~LST`: from a line of the file to those that the
 * parser sees. Parameters live on from line to line. Pure, and bounded in work and output.
 */
export class Expander {
  readonly #configId: string;
  readonly #parameters = new Map<string, string>();
  readonly #onRandom: (place: Place) => void;
  #work = 0;
  #lines = 0;

  constructor(configId: string, onRandom: (place: Place) => void) {
    this.#configId = configId;
    this.#onRandom = onRandom;
  }

  /** @throws ConfigError when it never ends, or a ~SEQ or ~LST cannot be read. */
  expand(text: string, origin: Origin): Line[] {
    const lines: Line[] = [];
    const pending: Pending[] = [{ text, offset: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#spend(next.text.length + 1, origin);
      for (const [name, value] of Object.entries(next.bind ?? {})) this.#parameters.set(name, value);
      const line = this.#step(next, pending, origin);
      if (line === undefined) continue;
      if (++this.#lines > MAX_LINES) throw tooMuch(origin, `more than ${MAX_LINES} lines`);
      lines.push({ ...origin, ...line });
    }
    return lines;
  }

  /** One rewriting of a line: more work is pushed, or the finished line comes back. */
  #step({ text, offset }: Pending, pending: Pending[], origin: Origin): Pending | undefined {
    const condition = /^\s*@(\^?)(\S*)/.exec(text);
    if (condition !== null) {
      const holds = (condition[2] === this.#configId) !== (condition[1] === '^');
      if (holds) pending.push(cut(text, offset, condition[0].length));
      return undefined;
    }
    const definition = DEFINITION.exec(text);
    if (definition !== null) {
      this.#parameters.set(definition[1] ?? '', (definition[2] ?? '').trim());
      return undefined;
    }
    const repetition = readRepetition(text, origin);
    if (repetition !== undefined) {
      const rest = cut(text, offset, repetition.length);
      this.#spend(repetition.bindings.length * (rest.text.length + 1), origin);
      for (const bind of repetition.bindings.toReversed()) pending.push({ ...rest, bind });
      return undefined;
    }
    const replaced = this.#substitute(text, origin);
    if (replaced === undefined) return text.trim() === '' ? undefined : { text, offset };
    for (const part of replaced.split('\n').toReversed()) pending.push({ text: part, offset: null });
    return undefined;
  }

  /** The first parameter of the line replaced, or undefined when none is defined. */
  #substitute(text: string, origin: Origin): string | undefined {
    for (const match of text.matchAll(/\$(?:\{([^{}]*)\}|([A-Za-z_]\w*)(?=\s|$))/g)) {
      const value = this.#valueOf(match[1] ?? match[2] ?? '', origin);
      if (value === undefined) continue;
      return text.slice(0, match.index) + value + text.slice(match.index + match[0].length);
    }
    return undefined;
  }

  #valueOf(name: string, origin: Origin): string | undefined {
    const random = /^_RANDOM(?:\s+(\d+)(?:\s+\d+)?)?$/.exec(name);
    if (random !== null) {
      this.#onRandom(startOf(origin));
      return random[1] ?? '0';
    }
    switch (name) {
      case '_PWD':
        return dirname(origin.file);
      case '_INSTANCE':
        return this.#configId;
      case '_HASH':
        return '#';
      case '_BANG':
        return '!';
      default:
        return this.#parameters.get(name);
    }
  }

  #spend(work: number, origin: Origin): void {
    this.#work += work;
    if (this.#work > MAX_WORK) throw tooMuch(origin, `more than ${MAX_WORK} characters`);
  }
}

/** `$NAME=VALUE`, VALUE over several lines where each but the last ended with a backslash. */
export const DEFINITION = /^\s*\$([A-Za-z_]\w*)=([\s\S]*)$/;

function cut(text: string, offset: number | null, length: number): Pending {
  return { text: text.slice(length), offset: offset === null ? null : offset + length };
}

interface Repetition {
  /** Of "~SEQ(...)" itself. */
  readonly length: number;
  readonly bindings: readonly Readonly<Record<string, string>>[];
}

const MAX_REPEATS = 100_000;

function readRepetition(text: string, origin: Origin): Repetition | undefined {
  const head = /^\s*~(SEQx?|LST)\(([^()]*)\)/.exec(text);
  if (head === null) {
    if (!/^\s*~(?:SEQ|LST)/.test(text)) return undefined;
    throw malformed(origin, 'a ~SEQ or ~LST without its parentheses');
  }
  const [whole, kind, inside = ''] = head;
  const bindings = kind === 'LST' ? listBindings(inside, origin) : sequence(inside, kind === 'SEQx', origin);
  return { length: whole.length, bindings };
}

/** ~SEQ(var, [start, [step,]] end): keepalived.conf(5), "Sequence blocks". */
function sequence(inside: string, hex: boolean, origin: Origin): Record<string, string>[] {
  const [name = '', ...numbers] = inside.split(',').map((part) => part.trim());
  const values = numbers.map(Number);
  const end = values.at(-1);
  const whole = values.every((value) => Number.isSafeInteger(value)) && !numbers.includes('');
  if (!/^[A-Za-z_]\w*$/.test(name) || end === undefined || values.length > 3 || !whole) {
    throw malformed(origin, '~SEQ needs (variable, start, step, end)');
  }
  const start = values.length > 1 ? (values[0] ?? 0) : end > 0 ? 1 : -1;
  const step = values.length > 2 ? (values[1] ?? 0) : end >= start ? 1 : -1;
  const count = Math.floor((end - start) / step) + 1;
  if (step === 0 || count > MAX_REPEATS) throw tooMuch(origin, `more than ${MAX_REPEATS} repetitions`);
  const spelled = (value: number): string => value.toString(hex ? 16 : 10);
  return Array.from({ length: Math.max(0, count) }, (_, i) => ({ [name]: spelled(start + i * step) }));
}

/** ~LST(var, a, b) or ~LST({v, w}, {a, b}, {c, d}): keepalived.conf(5), "List blocks". */
function listBindings(inside: string, origin: Origin): Record<string, string>[] {
  const groups = inside.match(/\{[^{}]*\}|[^,{}]+/g) ?? [];
  const [names = [], ...rows] = groups
    .map((group) => group.trim())
    .filter((group) => group !== '')
    .map((group) =>
      group
        .replace(/^\{|\}$/g, '')
        .split(',')
        .map((part) => part.trim()),
    );
  const named = names.length > 0 && names.every((name) => /^[A-Za-z_]\w*$/.test(name));
  if (!named || rows.length === 0 || rows.some((row) => row.length !== names.length)) {
    throw malformed(origin, '~LST needs (variable, value, ...) or ({variables}, {values}, ...)');
  }
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])));
}

const startOf = ({ file, line, source }: Origin): Place => ({
  file,
  line,
  column: source.length - source.trimStart().length + 1,
});

function malformed(origin: Origin, message: string): Error {
  return syntaxError(startOf(origin), origin.source, message, 'see "Sequence blocks" in keepalived.conf(5)');
}

function tooMuch(origin: Origin, what: string): Error {
  const message = `parameters and sequences come to ${what} here`;
  return syntaxError(startOf(origin), origin.source, message, 'does a parameter contain itself?');
}
