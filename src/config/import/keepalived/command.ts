import type { Journal } from './journal.ts';
import { readEscape } from './lexer.ts';
import type { Statement } from './parser.ts';

/** A program and its arguments for Tandem, or why there is none. */
export type Command =
  /** `difference`: how it is found or run otherwise than in keepalived. */
  { readonly words: readonly string[]; readonly difference: string | undefined } | { readonly fault: string };

/** Far above what keepalived reads of a line (MAXBUF, 1024). */
const MAX_LENGTH = 16_384;

/**
 * What keepalived runs for a command line (lib/notify.c and parser.c of 2.2): words divided by white space,
 * quotes and escapes, no shell; a name without "/" is looked for in PATH; "</path" only opens a file, which is
 * how people ask with bash's /dev/tcp whether a port is open.
 */
export function commandOf(line: string): Command {
  if (line.length > MAX_LENGTH) return { fault: `it is longer than ${MAX_LENGTH} characters` };
  const words = splitCommand(line);
  const [program = ''] = words ?? [];
  if (words === undefined || program === '') return { fault: 'not a command line' };
  if (words.some((word) => word.includes('\0'))) return { fault: 'it contains a NUL character' };
  const opened = /^<[ \t]*(\/.*)$/s.exec(program)?.[1];
  if (opened !== undefined) {
    if (words.length > 1) return { fault: 'a redirection with words behind it' };
    const shell = /^\/dev\/(?:tcp|udp)\//.test(opened) ? '/bin/bash' : '/bin/sh';
    const difference = `${shell} opens it`;
    return { words: [shell, '-c', '< "$0"', opened], difference };
  }
  if (program.startsWith('/')) return { words, difference: undefined };
  if (!/^[\w.+][\w.+-]*$/.test(program)) return { fault: 'a program needs its absolute path' };
  return { words: ['/usr/bin/env', ...words], difference: 'env looks for it in the PATH of the daemon' };
}

/** Undefined for a quote that is never closed, or a backslash at the end. */
export function splitCommand(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; ) {
    const character = line[index] ?? '';
    if (character === '\\') {
      if (index + 1 === line.length) return undefined;
      const [escaped, end] = readEscape(line, index + 1);
      word = (word ?? '') + escaped;
      index = end;
      continue;
    }
    index++;
    if (quote !== '' ? character === quote : character === '"' || character === "'") {
      quote = quote === '' ? character : '';
      word ??= '';
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** keepalived takes the first word, which may be quoted and hold a whole line, and nothing behind it. */
export function remarkCommand(
  statement: Statement,
  difference: string | undefined,
  journal: Journal,
  taken = 1,
): void {
  if (difference !== undefined) journal.remark(statement, 'changed', difference);
  if (statement.args.length <= taken) return;
  const text =
    'without the words behind the first one, which keepalived ignores: it takes arguments in quotes';
  journal.remark(statement, 'changed', text);
}
