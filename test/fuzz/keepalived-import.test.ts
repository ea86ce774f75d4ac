// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how keepalived writes parameters
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEYWORDS } from '../../src/config/import/keepalived/keywords.ts';
import { anyLines, anyWords, otherWords, survives } from '../support/import-fuzz.ts';
import { configOf, FIXTURES, fixtures, importText } from '../support/keepalived-import.ts';

function check(text: string, others: Readonly<Record<string, string>> = {}): void {
  const refused = survives(() => importText(text, others), configOf);
  if (refused !== null) expect(refused.problems[0]?.line).toBeGreaterThan(0);
}

const seeds = fixtures.map((name) => readFileSync(join(FIXTURES, name), 'utf8'));

test('any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => check(text)),
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

test('any words of the language', () => anyWords(word, check, 800));

test('any lines dropped, doubled or moved', () => anyLines(seeds, check, 200));

test('any word changed for any other', () => otherWords(seeds, word, check, 300));

test('includes in any shape end', () => {
  const names = ['keepalived.conf', 'b.conf', 'c.conf', 'd.conf'];
  const body = fc.array(fc.constantFrom('a', ...names.map((name) => `include ${name}`), 'include *.conf'), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(body, body, body, body, (a, b, c, d) => {
      const text = (lines: readonly string[]): string => lines.join('\n');
      check(text(a), { 'b.conf': text(b), 'c.conf': text(c), 'd.conf': text(d) });
    }),
    { numRuns: 300 },
  );
});
