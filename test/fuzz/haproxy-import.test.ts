import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/errors.ts';
import { detectSource } from '../../src/config/import/detect.ts';
import { KEYWORDS } from '../../src/config/import/haproxy/keywords.ts';
import { HAPROXY_FIXTURES, haproxyFixtures, importHaproxyText } from '../support/haproxy-import.ts';
import { configOf } from '../support/keepalived-import.ts';

/** Comes to a result or a ConfigError, and what it writes without faults does load. */
function survives(text: string): void {
  try {
    const result = importHaproxyText(text);
    for (const { line, note } of result.report) {
      expect(line).toBeGreaterThan(0);
      expect(note).not.toMatch(/undefined|\[object|NaN/);
    }
    // what it leaves out itself must not come back as a fault of the file
    expect(result.faults.filter((fault) => !/nothing to do/.test(fault))).toEqual([]);
    if (result.faults.length === 0) configOf(result);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
  }
}

const seeds = haproxyFixtures.map((name) => readFileSync(join(HAPROXY_FIXTURES, name), 'utf8'));

const word = fc.oneof(
  fc.constantFrom(...KEYWORDS.rows.flatMap(({ keywords }) => keywords)),
  fc.constantFrom(
    'listen web\n bind :80\n server s 10.0.0.9:1 check\n',
    'frontend f\n bind :81\n default_backend b\n',
    'backend b\n server s 10.0.0.9:2\n',
    'defaults\n',
  ),
  fc.constantFrom(
    'if',
    'unless',
    '{',
    '}',
    '!',
    '||',
    'or',
    'src',
    'req.ssl_sni',
    '-m',
    'end',
    '-i',
    'gt',
    'lt',
    'sc0_conn_rate',
    'conn_rate(10s)',
    'store',
    'from',
  ),
  fc.constantFrom(
    '\n',
    '\n ',
    '"',
    '#',
    '10.0.0.1:80',
    '10.0.0.0/8',
    ':::80',
    '[::]:80-90',
    ':0',
    '*',
    '0',
    '-1',
    '99999999999',
    '5s',
    '1d',
    'web.example:80',
    '127.0.0.1',
    '::',
    '255.255.255.255:80',
  ),
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
    { numRuns: 300 },
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
    { numRuns: 400 },
  );
});

test('whose file it is: one of the two, or an error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...seeds), fc.string({ unit: 'binary', maxLength: 200 })),
      (text) => {
        try {
          expect(['haproxy', 'keepalived']).toContain(detectSource('/x', text));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      },
    ),
    { numRuns: 300 },
  );
});
