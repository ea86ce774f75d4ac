import { z } from 'zod';
import { type Duration, formatDuration, millis, parseDuration } from '../lib/duration.ts';
import { nearest } from '../lib/nearest.ts';
import type { RateSpec } from '../model/service.ts';
import { type Kind, kinds, textKind } from './kinds.ts';
import type { KeyPath } from './positions.ts';

/** The outcome of reading one value: what it means, or what is wrong with it and what would be right. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string; readonly at: KeyPath };

export const right = <T>(value: T): Parsed<T> => ({ ok: true, value });
/** @param at where in the value, when it is a list or a table */
export const wrong = (message: string, hint: string, at: KeyPath = []): Parsed<never> => ({
  ok: false,
  message,
  hint,
  at,
});

/** How a value of the wrong type is called in a message. */
export function describe(raw: unknown): string {
  if (typeof raw === 'string') return `the text ${JSON.stringify(shorten(raw))}`;
  if (typeof raw === 'number' || typeof raw === 'boolean') return String(raw);
  if (Array.isArray(raw)) return 'a list';
  if (raw instanceof Date) return 'a date';
  return 'a table';
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** A quoted, shortened piece of the file for messages. */
export const quote = (text: string): string => JSON.stringify(shorten(text));

/**
 * A schema for a single value. Type, unit and range are judged by one function, so that every message says
 * what was found and carries a hint; zod's own messages have no place for the latter.
 */
export function leaf<T>(expected: string, kind: Kind, read: (raw: unknown) => Parsed<T>) {
  const schema = z.unknown().transform((raw, ctx) => {
    const parsed = raw === undefined ? wrong('is missing', `write ${expected}`) : read(raw);
    if (parsed.ok) return parsed.value;
    const { message, hint, at } = parsed;
    ctx.addIssue({ code: 'custom', path: [...at], message, params: { hint } });
    return z.NEVER;
  });
  return schema.register(kinds, kind);
}

/** A leaf that is written as text. */
export function textLeaf<T>(expected: string, kind: Kind, read: (text: string) => Parsed<T>) {
  return leaf(expected, kind, (raw) =>
    typeof raw === 'string'
      ? read(raw)
      : wrong(`must be text, not ${describe(raw)}`, `write ${expected}, in quotes`),
  );
}

/** Any text of 1 to `max` characters without control characters. */
export function text(expected: string, max = 1_024) {
  const kind = textKind('text', 'texts', { minLength: 1, maxLength: max });
  return textLeaf(expected, kind, (raw) => {
    if (raw === '') return wrong('must not be empty', `write ${expected}`);
    if (raw.length > max) return wrong(`is longer than ${max} characters`, `write ${expected}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(raw)) {
      return wrong('contains a control character', `write ${expected}`);
    }
    return right(raw);
  });
}

/**
 * Text that serves as a name in commands, metrics and logs.
 * @param marks what the pattern takes besides letters and digits, in Markdown
 */
export function name(what: string, pattern = /^[a-zA-Z0-9_.-]{1,64}$/, marks = '`_`, `.`, `-`') {
  const kind = textKind(`1 to 64 letters, digits, ${marks}`, 'names', { pattern: pattern.source });
  return textLeaf(what, kind, (raw) =>
    pattern.test(raw)
      ? right(raw)
      : wrong(
          `${quote(raw)} is not usable as a name`,
          `write ${what}: 1 to 64 letters, digits, ${marks.replaceAll('`', '"')}`,
        ),
  );
}

export function flag() {
  const kind = { values: 'true, false', plural: 'true, false', json: { type: 'boolean' } };
  return leaf('true or false', kind, (raw) =>
    typeof raw === 'boolean'
      ? right(raw)
      : wrong(`must be true or false, not ${describe(raw)}`, 'write true or false, without quotes'),
  );
}

/** A whole number of `min` to `max`, both included. */
export function integer(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  const [from, to] = [min, max].map((end) => end.toLocaleString('en')) as [string, string];
  const kind = {
    values: `${from} to ${to}`,
    plural: `numbers, ${from} to ${to}`,
    range: [from, to] as const,
    json: { type: 'integer', minimum: min, maximum: max },
  };
  return leaf(expected, kind, (raw) => {
    if (typeof raw !== 'number') {
      return wrong(`must be a number, not ${describe(raw)}`, `write ${expected}, without quotes`);
    }
    if (!Number.isInteger(raw)) return wrong(`${raw} is not a whole number`, `write ${expected}`);
    if (raw < min || raw > max) return wrong(`${raw} is out of range`, `write ${expected}`);
    return right(raw);
  });
}

/**
 * One of a few words.
 * @param meant what others call them
 */
export function oneOf<const W extends string>(
  words: readonly W[],
  meant: Readonly<Record<string, NoInfer<W>>> = {},
) {
  const expected = `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
  const values = words.map((word) => `\`"${word}"\``).join(', ');
  return textLeaf(expected, { values, plural: values, json: { enum: words } }, (raw) => {
    const found = words.find((word) => word === raw);
    if (found !== undefined) return right(found);
    const close = Object.hasOwn(meant, raw) ? meant[raw] : nearest(raw.toLowerCase(), words);
    const hint = close === undefined ? `write ${expected}` : `did you mean "${close}"? It is ${expected}`;
    return wrong(`${quote(raw)} is not known here`, hint);
  });
}

const UNITS = 'us, ms, s, m, h or d';
const UNIT = 'us|ms|s|min|m|h|d';

/**
 * A duration with its unit, of `min` to `max`, both included.
 * @param range what to say of the range where the two ends alone do not tell it
 */
export function duration(
  min: Duration,
  max: Duration,
  range = `${formatDuration(min)} to ${formatDuration(max)}`,
) {
  const expected = `a duration with a unit, such as "${formatDuration(example(min, max))}"`;
  const kind: Kind = {
    ...textKind(range, range, { pattern: `^\\s*\\d+(\\.\\d+)?\\s*(${UNIT})\\s*$` }),
    range: [formatDuration(min), formatDuration(max)],
    write: (value) => formatDuration(value as Duration),
  };
  return leaf(expected, kind, (raw): Parsed<Duration> => {
    const bare = typeof raw === 'number' || (typeof raw === 'string' && /^-?[\d._]+$/.test(raw.trim()));
    if (bare) {
      const suggestion =
        Number(raw) > 0 && Number.isFinite(Number(raw)) ? `, such as "${raw}s" or "${raw}ms"` : '';
      return wrong(
        `${typeof raw === 'string' ? quote(raw) : describe(raw)} has no unit`,
        `write text with a unit (${UNITS})${suggestion}`,
      );
    }
    if (typeof raw !== 'string') return wrong(`must be text, not ${describe(raw)}`, `write ${expected}`);
    if (/^\s*-/.test(raw)) return wrong(`${quote(raw)} is negative`, `write ${range}`);
    const value = parseDuration(raw);
    if (value === undefined) {
      const meant = meantDuration(raw);
      const hint = meant === undefined ? `write ${expected}` : `write one number and one unit: "${meant}"`;
      return wrong(`${quote(raw)} is not a duration`, `${hint} (units: ${UNITS})`);
    }
    if (value < min || value > max) return wrong(`${quote(raw)} is out of range`, `write ${range}`);
    return right(value);
  });
}

/** What "1h30m" and "5 minutes" mean, written as one number with one unit. */
function meantDuration(raw: string): string | undefined {
  const parts = [...raw.toLowerCase().matchAll(/(\d+(?:\.\d+)?)\s*([a-zµ]+)[\s,]*/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== raw.toLowerCase().trim())
    return undefined;
  let sum = 0;
  for (const [, number = '', unit = ''] of parts) {
    const short = UNIT_WORDS.find(([pattern]) => pattern.test(unit))?.[1];
    const value = short === undefined ? undefined : parseDuration(`${number}${short}`);
    if (value === undefined) return undefined;
    sum += value;
  }
  return formatDuration(sum as Duration);
}

const UNIT_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(?:us|µs|micros?|microseconds?|usecs?)$/, 'us'],
  [/^(?:ms|millis?|milliseconds?|msecs?)$/, 'ms'],
  [/^(?:s|secs?|seconds?)$/, 's'],
  [/^(?:m|mins?|minutes?)$/, 'm'],
  [/^(?:h|hrs?|hours?)$/, 'h'],
  [/^(?:d|days?)$/, 'd'],
];

function example(min: Duration, max: Duration): Duration {
  const usual = [millis(2_000), millis(100), millis(60_000)];
  return usual.find((candidate) => candidate >= min && candidate <= max) ?? max;
}

/** A share in per cent, written "80%"; the value is the number of per cent. */
export function percent(min: number, max: number) {
  const expected = `a share in per cent from "${min}%" to "${max}%"`;
  const [from, to] = [min, max].map((end) => `${end.toLocaleString('en')}%`) as [string, string];
  const kind: Kind = {
    ...textKind(`${from} to ${to}`, `${from} to ${to}`, { pattern: '^\\s*\\d+(\\.\\d+)?\\s*%\\s*$' }),
    range: [from, to],
    write: (value) => `${value}%`,
  };
  return leaf(expected, kind, (raw) => {
    if (typeof raw === 'number') {
      const meant = Math.abs(raw) <= 1 ? Number((raw * 100).toFixed(3)) : raw;
      return wrong(
        `${raw} has no unit`,
        `write ${expected}, such as "${Math.min(max, Math.max(min, meant))}%"`,
      );
    }
    const match = typeof raw === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(raw.trim()) : null;
    if (match === null) return wrong(`must be per cent, not ${describe(raw)}`, `write ${expected}`);
    const value = Number(match[1]);
    if (value < min || value > max) return wrong(`${describe(raw)} is out of range`, `write ${expected}`);
    return right(value);
  });
}

/** A count each period: "100/s", "30/m", "5/10s". The burst comes from a key of its own. */
export function rate() {
  const expected = 'a rate such as "100/s" or "30/m"';
  const pattern = `^\\s*\\d{1,9}\\s*/\\s*(\\d+(\\.\\d+)?)?\\s*(${UNIT})\\s*$`;
  return leaf(expected, textKind('a rate', 'rates', { pattern }), (raw): Parsed<Omit<RateSpec, 'burst'>> => {
    if (typeof raw === 'number') return wrong(`${raw} has no unit`, `write "${raw}/s" or "${raw}/m"`);
    if (typeof raw !== 'string') return wrong(`must be text, not ${describe(raw)}`, `write ${expected}`);
    const match = /^(\d{1,9})\s*\/\s*(\d*\.?\d*\s*[a-z]+)$/.exec(raw.trim());
    const period = match?.[2] ?? '';
    const per = parseDuration(/^\d/.test(period) ? period : `1${period}`);
    if (match === null || per === undefined)
      return wrong(`${describe(raw)} is not a rate`, `write ${expected}`);
    const count = Number(match[1]);
    if (count < 1 || per <= 0) return wrong(`${describe(raw)} lets nobody in`, `write ${expected}`);
    return right({ count, per });
  });
}

/** The largest payload of a UDP datagram over IPv4. */
const MAX_DATAGRAM = 65_507;

/** Bytes for a probe: the text itself in UTF-8, or "hex:" and pairs of hexadecimal digits. */
export function payload(max = MAX_DATAGRAM) {
  const sized = (bytes: Uint8Array): Parsed<Uint8Array> =>
    bytes.byteLength <= max
      ? right(bytes)
      : wrong(`is ${bytes.byteLength} bytes long`, `write at most ${max} bytes`);
  const expected = 'text, or "hex:" and pairs of hexadecimal digits';
  return textLeaf(expected, textKind('text, or `"hex:..."`', 'texts'), (raw): Parsed<Uint8Array> => {
    if (!raw.startsWith('hex:')) return sized(new TextEncoder().encode(raw));
    const digits = raw.slice(4).replaceAll(/\s/g, '');
    if (!/^(?:[0-9a-fA-F]{2})*$/.test(digits)) {
      return wrong(
        `${quote(raw)} is not made of pairs of hexadecimal digits`,
        'write, for example, "hex:00ff 17"',
      );
    }
    return sized(Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
  });
}

/** A JavaScript regular expression, as source text. */
export function regularExpression() {
  const kind = textKind('a JavaScript regular expression', 'regular expressions', { format: 'regex' });
  return textLeaf('a regular expression', kind, (raw) => {
    try {
      new RegExp(raw);
      return right(raw);
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
      return wrong(
        `does not compile as a regular expression: ${reason}`,
        "write a JavaScript regular expression; in 'single quotes' TOML leaves its backslashes alone",
      );
    }
  });
}

/** A JSON value that a body can be compared with: the right side of `expect_json`. */
export function scalar() {
  const expected = 'text, a number, true or false';
  const kind = { values: expected, plural: expected, json: { type: ['string', 'number', 'boolean'] } };
  return leaf(expected, kind, (raw) =>
    typeof raw === 'string' || typeof raw === 'boolean' || (typeof raw === 'number' && Number.isFinite(raw))
      ? right(raw)
      : wrong(
          `must be text, a number, true or false, not ${describe(raw)}`,
          'point deeper into the document, to a single value',
        ),
  );
}

/** What is wrong with a JSON pointer (RFC 6901, section 3), or undefined. */
export function jsonPointerFault(pointer: string): string | undefined {
  if (pointer !== '' && !pointer.startsWith('/')) return 'does not begin with "/"';
  if (/~(?![01])/.test(pointer)) return 'has a "~" that is neither "~0" (for "~") nor "~1" (for "/")';
  return undefined;
}
