import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/errors.ts';
import { detectSource } from '../../src/config/import/detect.ts';
import { KEYWORDS } from '../../src/config/import/haproxy/keywords.ts';
import { HAPROXY_FIXTURES, haproxyFixtures, importHaproxyText } from '../support/haproxy-import.ts';
import { anyLines, anyWords, otherWords, survives } from '../support/import-fuzz.ts';
import { configOf } from '../support/keepalived-import.ts';

function check(text: string): void {
  survives(() => importHaproxyText(text), configOf);
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

test('any words of the language', () => anyWords(word, check, 800));

test('any lines dropped, doubled or moved', () => anyLines(seeds, check, 300));

test('any word changed for any other', () => otherWords(seeds, word, check, 400));

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
