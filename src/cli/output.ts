import { stripVTControlCharacters } from 'node:util';

/** What people see: units, tables, colours. Everything here is a pure function from values to text. */

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

/** Colours when `enabled`, the text itself otherwise. */
export function styleOf(enabled: boolean): Style {
  const paint = (name: keyof typeof CODES) => {
    const [on, off] = CODES[name];
    return enabled ? (text: string) => `\u001b[${on}m${text}\u001b[${off}m` : (text: string) => text;
  };
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

/**
 * `value` with every control character in its texts replaced. What the daemon tells can hold bytes of a
 * backend's or a peer's making, and a terminal must not take orders from those.
 */
export function printable<T>(value: T): T;
export function printable(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
  if (Array.isArray(value)) return value.map((entry) => printable(entry));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [printable(key), printable(entry)]));
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;

/** Columns of a terminal that `text` takes, colours not counted. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The part of `text` that fits `columns`, with its colours closed. */
export function clip(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let left = columns;
  let clipped = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
  for (const part of text.matchAll(/\u001b\[[\d;]*m|[\s\S]/gu)) {
    const piece = part[0];
    if (piece.length > 1 && piece.startsWith('\u001b')) {
      clipped += piece;
      continue;
    }
    left -= columnsOf(piece);
    if (left < 0) break;
    clipped += piece;
  }
  return clipped.includes('\u001b') ? `${clipped}\u001b[0m` : clipped;
}

export interface Column {
  readonly title: string;
  readonly align?: 'right';
}

/** Aligned lines, the titles first; columns are two spaces apart and the last one is not padded. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string[] {
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, i) => pad(cells[i] ?? '', widths[i] ?? 0, column.align === 'right'))
      .join('  ')
      .trimEnd();
  return [style.dim(line(columns.map((column) => column.title))), ...rows.map(line)];
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? space + text : text + space;
}

/** 950, 12.3k, 4.56M: three digits that matter. */
export function formatCount(n: number): string {
  return scaled(n, 1_000, ['', 'k', 'M', 'G', 'T', 'P'], '');
}

/** 950B, 12.3KiB, 4.56MiB. */
export function formatBytes(n: number): string {
  return scaled(n, 1_024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 'B');
}

function scaled(n: number, base: number, units: readonly string[], plain: string): string {
  let value = n;
  let unit = 0;
  // 999.5 would be written as "1000" of the smaller unit
  while (Math.abs(value) >= base - 0.5 && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  if (unit === 0) return `${Number(value.toFixed(1))}${plain}`;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))}${units[unit] ?? ''}`;
}

/** The two largest units of an age: 250ms, 12s, 3m12s, 4h05m, 12d3h. */
export function formatAge(millis: number): string {
  const ms = Math.max(0, millis);
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const s = Math.floor(ms / 1_000);
  if (s < 60) return `${s}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)}h${two(Math.floor((s % 3_600) / 60))}m`;
  return `${Math.floor(s / 86_400)}d${Math.floor((s % 86_400) / 3_600)}h`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** "[####------]" for a share of 0 to 1. */
export function bar(ratio: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, ratio)) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
}
