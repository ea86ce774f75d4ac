import { clip, type Style, widthOf } from '../output.ts';
import type { Tone } from './model.ts';

/** A piece of a line in one manner. The drawing turns a tone into a colour, or leaves it out. */
export interface Span {
  readonly text: string;
  readonly tone?: Tone;
  readonly bold?: boolean;
  readonly inverse?: boolean;
}

export type Line = readonly Span[];

export const lineWidth = (line: Line): number => line.reduce((sum, { text }) => sum + widthOf(text), 0);

/** Characters beside ASCII, where the terminal's locale has them. */
export interface Glyphs {
  readonly more: string;
  readonly fill: string;
  readonly rest: string;
  readonly branch: string;
  readonly last: string;
  readonly descending: string;
  readonly ascending: string;
}

export const UNICODE: Glyphs = {
  more: '…',
  fill: '|',
  rest: ' ',
  branch: '├─',
  last: '└─',
  descending: '▼',
  ascending: '▲',
};
export const ASCII: Glyphs = {
  more: '~',
  fill: '|',
  rest: ' ',
  branch: '|-',
  last: '`-',
  descending: 'v',
  ascending: '^',
};

/** POSIX: LC_ALL before LC_CTYPE before LANG. */
export function hasUnicode(env: NodeJS.ProcessEnv): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

/** Exactly `width` columns: padded, or cut with a mark at the end. */
export function fitted(text: string, width: number, glyphs: Glyphs, right = false): string {
  const own = widthOf(text);
  if (own <= width) {
    const space = ' '.repeat(width - own);
    return right ? space + text : text + space;
  }
  if (width <= 0) return '';
  const cut = clip(text, width - 1);
  return `${cut}${glyphs.more}${' '.repeat(width - 1 - widthOf(cut))}`;
}

/** The part of a line that fits. */
export function clipLine(line: Line, width: number): Line {
  const kept: Span[] = [];
  let left = width;
  for (const span of line) {
    if (left <= 0) break;
    const text = clip(span.text, left);
    left -= widthOf(text);
    kept.push({ ...span, text });
  }
  return kept;
}

/** `left` at the left margin, `right` at the right one where there is room for both. */
export function spread(left: Line, right: Line, width: number): Line {
  const space = width - lineWidth(left) - lineWidth(right);
  return space < 1 ? clipLine(left, width) : [...left, { text: ' '.repeat(space) }, ...right];
}

const PAINT = { good: 'green', bad: 'red', warn: 'yellow', accent: 'cyan', dim: 'dim' } as const;

/** A line as text for a pipe, or for a terminal that is not taken over. */
export function lineText(line: Line, style: Style): string {
  return line
    .map(({ text, tone, bold }) => {
      const painted = tone === undefined ? text : style[PAINT[tone]](text);
      return bold === true ? style.bold(painted) : painted;
    })
    .join('')
    .replace(/[ ]+$/, '');
}
