import { createRequire } from 'node:module';
import toml from 'toml';
import { messageOf } from '../lib/errors.ts';
import { type Mention, offsetOf, type Position, Positions, positionAt, type TomlNode } from './positions.ts';

/** A TOML text that is well-formed: its values, and where each of them stands. */
export interface TomlText {
  readonly value: unknown;
  readonly positions: Positions;
}

/** A TOML text that is not. */
export interface SyntaxFault {
  readonly position: Position | null;
  readonly message: string;
  readonly hint: string | undefined;
  /** What may be there once, and where it is already. */
  readonly first?: Mention;
}

// The package gives values without positions, but the syntax tree that it builds them from has offsets. The
// version is pinned exactly, and test/unit/config/positions.test.ts fails if the tree changes its form.
const grammar = createRequire(import.meta.url)('toml/lib/parser') as {
  parse(text: string): readonly TomlNode[];
};

/** Reads TOML 1.1. Nesting is bounded, so that no file can exhaust the stack. */
export function parseToml(text: string): TomlText | SyntaxFault {
  try {
    const value: unknown = toml.parse(text, { maxDepth: 50 });
    return { value, positions: new Positions(text, grammar.parse(text)) };
  } catch (error) {
    return explain(text, error);
  }
}

/** The parser throws peggy's SyntaxError (with a location) or an Error with line and column. */
function explain(text: string, error: unknown): SyntaxFault {
  const position = positionOf(text, error);
  const message = messageOf(error);
  const found = /^Expected .* but (.*) found\.$/s.exec(message)?.[1];
  const line = position === null ? '' : (text.split('\n')[position.line - 1] ?? '');
  if (found === undefined) return explainMeaning(text, position, message.replace(/\.$/, ''));
  const where = found === '"\\n"' || found === '"\\r"' ? 'the line ends too early' : `unexpected ${found}`;
  const inList = message.includes('","') && message.includes('"]"');
  const hint = inList ? 'a list has "," between its values and "]" at its end' : hintFor(line);
  return { position, message: `not TOML: ${where}`, hint };
}

/** Well-formed, and yet no TOML: above all what stands twice, of which the parser does not say where the other is. */
function explainMeaning(text: string, position: Position | null, message: string): SyntaxFault {
  if (position === null || !/^Cannot (?:redefine|append|extend|use dotted keys)/.test(message)) {
    return { position, message, hint: HINTS.find(([pattern]) => pattern.test(message))?.[1] };
  }
  const first = new Positions(text, grammar.parse(text)).first(offsetOf(text, position));
  if (first === undefined) return { position, message, hint: 'each key and each table stands once' };
  return !message.startsWith('Cannot use dotted keys')
    ? { position, message: 'is there already', hint: hintForTwice(text, first.position, position), first }
    : { position, message: 'is a table of its own', hint: 'write the key below its header', first };
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/escape/, "write \\\\ for a backslash, or put the text in 'single quotes', where it stands for itself"],
  [/outside the 64-bit|losslessly/, 'write a smaller number'],
  [/nesting depth/, 'no value of this file needs 50 brackets around it'],
  [/^Invalid (?:date|time|offset)/, 'no value of this file is a date: put text in quotes'],
];

/** The same header with one bracket and with two is a slip; anything else is there once too often. */
function hintForTwice(text: string, first: Position, again: Position): string {
  const lines = text.split('\n');
  const header = ({ line }: Position): RegExpExecArray | null => HEADER.exec(lines[line - 1] ?? '');
  const [before, now] = [header(first), header(again)];
  if (before === null && now === null) return 'keep one of the two';
  if (before === null || now === null) return 'write the table either with a header or with "=", not both';
  if (before[2] !== now[2]) return `write ${now[0].trim()} first, and what belongs to it below`;
  return before[1] === now[1]
    ? 'write what belongs to the table below its first header'
    : 'write both headers with two brackets: each is one of a list';
}

const HEADER = /^\s*(\[+)\s*([^\]]*?)\s*\]+/;

function positionOf(text: string, error: unknown): Position | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('location' in error) {
    const { start } = error.location as { start: { offset: number } };
    return positionAt(text, start.offset);
  }
  if ('line' in error && 'column' in error) return { line: Number(error.line), column: Number(error.column) };
  return null;
}

const IMPORT = 'turns its file into TOML';

const OTHER_FORMATS: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:global_defs|vrrp_\w+|virtual_server\w*|virtual_ipaddress|real_server)\b[^=]*$/,
    `this is how keepalived is configured: "tandem import keepalived.conf" ${IMPORT}`,
  ],
  [
    /^(?:global|defaults|(?:frontend|backend|listen)\s[^{]*)$/,
    `this is how HAProxy is configured: "tandem import haproxy.cfg" ${IMPORT}`,
  ],
  [
    /^(?:http|stream|upstream\s.*|server)\s*\{$/,
    'this is how nginx is configured; here a [[service]] listens and has its backends',
  ],
];

/** What people who know other formats write most often. */
function hintFor(line: string): string {
  const code = line.trim();
  const other = OTHER_FORMATS.find(([pattern]) => pattern.test(code))?.[1];
  if (other !== undefined) return other;
  if (/^(?:;|\/\/)/.test(code)) return 'a comment begins with "#"';
  if (/;\s*$/.test(code)) return 'remove the ";" at the end: the line ends the value';
  if (/=\s*(?:yes|no|on|off|true|false)\s*(?:#.*)?$/i.test(code)) return 'write true or false';
  if (/[“”„‘’]/.test(code)) return 'write straight quotes: "text"';
  if (/^[A-Za-z0-9_.-]+\s*:/.test(code)) return 'TOML writes key = value, with "=" instead of ":"';
  const bare = /^[A-Za-z0-9_.-]+\s*=\s*([^"'[{#\s][^#]*?)\s*(?:#.*)?$/.exec(code)?.[1];
  if (bare !== undefined && !/^(?:true|false|[\d_.]+)$/.test(bare)) return `text stands in quotes: "${bare}"`;
  if (/=\s*$/.test(code)) return 'write a value after "="';
  if (/^\[/.test(code) && !/\]\s*(?:#.*)?$/.test(code)) return 'close the table header with "]" (or "]]")';
  if (code.startsWith('[')) return 'the value in a line above has no end: is each "[", "{" and quote closed?';
  if ((code.match(/"/g)?.length ?? 0) % 2 === 1) return 'a quote is opened and not closed';
  if (/^[A-Za-z0-9_.-]+(?:\s+[^=].*)?$/.test(code)) return 'write key = value';
  return 'each line is a comment, a [table], a [[list of tables]] or key = value';
}
