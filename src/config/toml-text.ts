import { createRequire } from 'node:module';
import toml from 'toml';
import { messageOf } from '../lib/errors.ts';
import { type Position, Positions, positionAt, type TomlNode } from './positions.ts';

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
  if (found === undefined) return { position, message: message.replace(/\.$/, ''), hint: undefined };
  const where = found === '"\\n"' || found === '"\\r"' ? 'the line ends too early' : `unexpected ${found}`;
  const inList = message.includes('","') && message.includes('"]"');
  const hint = inList ? 'a list has "," between its values and "]" at its end' : hintFor(line);
  return { position, message: `not TOML: ${where}`, hint };
}

function positionOf(text: string, error: unknown): Position | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('location' in error) {
    const { start } = error.location as { start: { offset: number } };
    return positionAt(text, start.offset);
  }
  if ('line' in error && 'column' in error) return { line: Number(error.line), column: Number(error.column) };
  return null;
}

/** What people who know other formats write most often. */
function hintFor(line: string): string {
  const code = line.trim();
  if (/^[A-Za-z0-9_.-]+\s*:/.test(code)) return 'TOML writes key = value, with "=" instead of ":"';
  const bare = /^[A-Za-z0-9_.-]+\s*=\s*([^"'[{#\s][^#]*?)\s*(?:#.*)?$/.exec(code)?.[1];
  if (bare !== undefined && !/^(?:true|false|[\d_.]+)$/.test(bare)) return `text stands in quotes: "${bare}"`;
  if (/=\s*$/.test(code)) return 'write a value after "="';
  if (/^\[/.test(code) && !/\]\s*(?:#.*)?$/.test(code)) return 'close the table header with "]" (or "]]")';
  if ((code.match(/"/g)?.length ?? 0) % 2 === 1) return 'a quote is opened and not closed';
  if (/^[A-Za-z0-9_.-]+(?:\s+[^=].*)?$/.test(code)) return 'write key = value';
  return 'each line is a comment, a [table], a [[list of tables]] or key = value';
}
