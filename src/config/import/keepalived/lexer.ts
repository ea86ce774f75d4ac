import { type Line, placeIn, syntaxError } from './source.ts';

/** A word, quotes taken off and escapes resolved. */
export interface Word {
  readonly type: 'word';
  readonly text: string;
  /** Index in the line's text. */
  readonly index: number;
}

export interface Brace {
  readonly type: '{' | '}';
  readonly index: number;
}

export type Token = Word | Brace;

/**
 * The line without its comment: "#" or "!" outside of quotes, up to the end. A quote that is never closed
 * keeps the rest; the lexer complains about it, unless a condition drops the line.
 */
export function stripComment(text: string): string {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? '';
    if (quote !== '') {
      if (character === '\\') i++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '#' || character === '!') return text.slice(0, i);
  }
  return text;
}

/**
 * Words are divided by white space; quotes may begin anywhere in a word. Braces that stand free, end a word
 * (`vrrp_instance A{`) or follow one at the end of the line are blocks; those of an undefined `${NAME}` and
 * in the middle of a word (`a{2}b`) are text.
 * @throws ConfigError for a quote that is not closed.
 */
export function tokenize(line: Line): Token[] {
  const tokens: Token[] = [];
  let index = 0;
  while (index < line.text.length) {
    const character = line.text[index] ?? '';
    if (/\s/.test(character)) index++;
    else if (character === '{' || character === '}') tokens.push({ type: character, index: index++ });
    else {
      const [word, end] = readWord(line, index);
      tokens.push(word);
      index = end;
    }
  }
  return tokens;
}

function readWord(line: Line, start: number): [word: Word, end: number] {
  const { text } = line;
  let value = '';
  let index = start;
  while (index < text.length) {
    const character = text[index] ?? '';
    if (/\s/.test(character)) break;
    if (character === '"' || character === "'") {
      const [inner, end] = readQuoted(line, index);
      value += inner;
      index = end;
      continue;
    }
    const parameter = /^\$\{\w*[^{}]*\}/.exec(text.slice(index, index + MAX_NAME))?.[0];
    if (parameter !== undefined) {
      value += parameter;
      index += parameter.length;
      continue;
    }
    const end = bracesEnd(text, index);
    if (end > index && (end === text.length || /\s/.test(text[end] ?? ''))) break;
    value += text.slice(index, Math.max(end, index + 1));
    index = Math.max(end, index + 1);
  }
  return [{ type: 'word', text: value, index: start }, index];
}

const MAX_NAME = 80;

/** Behind the run of braces at `index`: a run that ends its word is blocks ("A{", "1111}"), others are text. */
function bracesEnd(text: string, index: number): number {
  let end = index;
  while (text[end] === '{' || text[end] === '}') end++;
  return end;
}

function readQuoted(line: Line, start: number): [value: string, end: number] {
  const { text } = line;
  const quote = text[start];
  let value = '';
  let index = start + 1;
  while (index < text.length) {
    const character = text[index] ?? '';
    if (character === quote) return [value, index + 1];
    if (character === '\\' && index + 1 < text.length) {
      const [escaped, end] = readEscape(text, index + 1);
      value += escaped;
      index = end;
    } else {
      value += character;
      index++;
    }
  }
  const hint = `close it with ${quote} before the end of the line`;
  throw syntaxError(placeIn(line, start), line.source, 'this quote is never closed', hint);
}

const CONTROLS: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  E: '\u001b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What follows a backslash, as keepalived.conf(5) lists it under "Quoted strings". */
export function readEscape(text: string, index: number): [value: string, end: number] {
  const character = text[index] ?? '';
  const control = Object.hasOwn(CONTROLS, character) ? CONTROLS[character] : undefined;
  if (control !== undefined) return [control, index + 1];
  const octal = /^[0-7]{1,3}/.exec(text.slice(index, index + 3))?.[0];
  if (octal !== undefined) return [byte(Number.parseInt(octal, 8)), index + octal.length];
  const hex = /^x[0-9a-fA-F]+/.exec(text.slice(index, index + MAX_NAME))?.[0];
  if (hex !== undefined) return [byte(Number.parseInt(hex.slice(1), 16)), index + hex.length];
  if (character === 'c' && index + 1 < text.length) {
    return [byte((text.charCodeAt(index + 1) & 0x1f) >>> 0), index + 2];
  }
  return [character, index + 1];
}

const byte = (code: number): string => String.fromCharCode(code & 0xff);
