// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how keepalived writes parameters
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/errors.ts';
import { KEYWORDS } from '../../src/config/import/keepalived/keywords.ts';
import { configOf, FIXTURES, fixtures, importText } from '../support/keepalived-import.ts';

/** Comes to a result or a ConfigError, and what it writes without faults does load. */
function survives(text: string, others: Readonly<Record<string, string>> = {}): void {
  try {
    const result = importText(text, others);
    if (result.faults.length === 0) configOf(result);
    for (const { line, note } of result.report) {
      expect(line).toBeGreaterThan(0);
      expect(note).not.toMatch(/undefined|\[object/);
    }
    // what it leaves out itself must not come back as a fault of the file
    expect(result.faults.filter((fault) => !/nothing to do/.test(fault))).toEqual([]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems[0]?.line).toBeGreaterThan(0);
  }
}

const seeds = fixtures.map((name) => readFileSync(join(FIXTURES, name), 'utf8'));

test('any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => survives(text)),
    { numRuns: 500 },
  );
});

const word = fc.oneof(
  fc.constantFrom(...KEYWORDS.rows.flatMap(({ keywords }) => keywords)),
  fc.constantFrom(
    '{',
    '}',
    '{\n',
    '\n}\n',
    '\n',
    '"',
    "'",
    '\\',
    '#',
    '$A',
    '${A}',
    '$A=${A}$A',
    '~SEQ(A,1,3)',
    '@lb-a',
    '@x',
  ),
  fc.constantFrom(
    '10.0.0.1',
    '10.0.0.1/33',
    '2001:db8::1/64',
    'fe80::1',
    '::',
    '0.0.0.0/0',
    '80',
    '0',
    '-1',
    '1e9',
    'TCP',
    'group',
  ),
  fc.constantFrom(
    'vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n',
  ),
  fc.constantFrom('virtual_server 10.0.0.9 80 {\nprotocol TCP\nreal_server 10.0.0.8 80 {\n'),
);

test('any words of the language', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => survives(words.join(' '))),
    { numRuns: 800 },
  );
});

test('any lines dropped, doubled or moved', () => {
  const change = fc.record({
    from: fc.nat(400),
    to: fc.nat(400),
    how: fc.constantFrom('drop', 'double', 'move'),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      (seed, changes) => {
        const lines = seed.split('\n');
        for (const { from, to, how } of changes) {
          const line = lines[from % lines.length] ?? '';
          if (how !== 'double') lines.splice(from % lines.length, 1);
          if (how !== 'drop') lines.splice(to % (lines.length + 1), 0, line);
        }
        survives(lines.join('\n'));
      },
    ),
    { numRuns: 200 },
  );
});

test('any word changed for any other', () => {
  const value = fc.oneof(
    word,
    fc.string({ maxLength: 12 }),
    fc.integer().map(String),
    fc.double().map(String),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(2_000), value), { minLength: 1, maxLength: 8 }),
      (seed, edits) => {
        const parts = seed.split(/(\s+)/);
        for (const [at, put] of edits) parts[(at * 2) % parts.length] = put;
        survives(parts.join(''));
      },
    ),
    { numRuns: 300 },
  );
});

test('includes in any shape end', () => {
  const names = ['keepalived.conf', 'b.conf', 'c.conf', 'd.conf'];
  const body = fc.array(fc.constantFrom('a', ...names.map((name) => `include ${name}`), 'include *.conf'), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(body, body, body, body, (a, b, c, d) => {
      const text = (lines: readonly string[]): string => lines.join('\n');
      survives(text(a), { 'b.conf': text(b), 'c.conf': text(c), 'd.conf': text(d) });
    }),
    { numRuns: 300 },
  );
});
