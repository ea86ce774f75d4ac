import type { Place } from '../source.ts';
import { KEYWORDS } from './keywords.ts';
import type { Word } from './lexer.ts';
import { readOptions } from './options.ts';
import type { Directive, Section } from './sections.ts';

/** What gets a line of the report: a statement, or an option of one. */
export interface Item extends Place {
  /** Where the table of keywords has it. */
  readonly context: string;
  /** As far as the table of keywords knows it: "timeout client", "option redispatch". */
  readonly keyword: string;
}

/** "inter 2s" of a server line. */
export interface Option extends Item {
  readonly values: readonly string[];
}

/** One line. */
export interface Statement extends Item {
  /** All words, without a "no" in front. */
  readonly words: readonly string[];
  /** "no option redispatch"; `default` puts HAProxy's own default back. */
  readonly negated: boolean;
  /** Of bind, server, server-template and default-server lines. */
  readonly options: readonly Option[];
  readonly directive: Directive;
}

export interface Block {
  readonly section: Section;
  /** "backend web". */
  readonly title: string;
  readonly head: Item;
  readonly statements: readonly Statement[];
}

const PROXIES = new Set(['defaults', 'frontend', 'backend', 'listen']);

/** The context of a section's lines in the table of keywords. */
export const contextOf = (kind: string): string => (PROXIES.has(kind) ? 'proxy' : kind);

export function readBlock(section: Section): Block {
  const { kind, name, head, directives } = section;
  const { file, line, column } = head;
  return {
    section,
    title: name === '' ? kind : `${kind} ${name}`,
    head: { context: '', keyword: kind, file, line, column },
    statements: directives.map((directive) => readStatement(directive, contextOf(kind))),
  };
}

function readStatement(directive: Directive, context: string): Statement {
  const { keyword, args, file, line, column } = directive;
  const all = [keyword, ...args.map(({ text }: Word) => text)];
  const prefix = all[0] === 'no' || all[0] === 'default' ? all[0] : undefined;
  const words = prefix === undefined || all.length === 1 ? all : all.slice(1);
  return {
    context,
    keyword: phraseOf(context, words),
    words,
    negated: prefix !== undefined && words !== all,
    options: readOptions(directive),
    directive,
    file,
    line,
    column,
  };
}

/** The longest beginning that the table knows, without what stands in parentheses; else the first word. */
function phraseOf(context: string, words: readonly string[]): string {
  const bare = words.slice(0, 3).map((word) => word.replace(/\(.*$/s, ''));
  for (let count = bare.length; count > 1; count--) {
    const phrase = bare.slice(0, count).join(' ');
    if (KEYWORDS.rowOf(context, phrase) !== undefined) return phrase;
  }
  const [first = ''] = bare;
  if (KEYWORDS.rowOf(context, first) !== undefined) return first;
  // "timeout nonsense" says more than "timeout"; what follows may be a secret
  return bare.slice(0, FAMILIES.has(first) ? 2 : 1).join(' ');
}

/** Keywords that only mean something together with the next word. */
const FAMILIES = new Set([
  'option',
  'timeout',
  'stats',
  'balance',
  'tcp-check',
  'http-check',
  'stick',
  'tcp-request',
  'tcp-response',
  'email-alert',
  'external-check',
  'hold',
]);
