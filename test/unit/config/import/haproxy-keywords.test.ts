import { expect, test } from 'vitest';
import { KEYWORDS } from '../../../../src/config/import/haproxy/keywords.ts';
import { SECTIONS } from '../../../../src/config/import/haproxy/sections.ts';
import { allKeys } from '../../../../src/config/suggest.ts';

test('no row stands twice', () => {
  const all = KEYWORDS.rows.flatMap((row) =>
    row.contexts.flatMap((c) => row.keywords.map((k) => `${c} ${k}`)),
  );
  expect(all.filter((key, index) => all.indexOf(key) !== index)).toEqual([]);
});

test('every section has a row', () => {
  for (const section of SECTIONS) expect(KEYWORDS.rowOf('', section), section).toBeDefined();
});

/** Words of HAProxy and of programs that stand in the column about Tandem. */
const OTHERS = new Set(
  'true src req.ssl_sni ssl_sni mode tcp http timeout client server connect hash-type consistent map-based minconn tcp-request connection none interval exec'.split(
    ' ',
  ),
);

test('the table names only keys that Tandem has', () => {
  const keys = new Set(allKeys().flatMap((path) => path.split(/[.[\]]+/)));
  for (const { becomes, fate } of KEYWORDS.rows) {
    if (fate !== 'carried') continue;
    for (const [, code = ''] of becomes.matchAll(/`([^`$]*)`/g)) {
      for (const [word] of code.replaceAll(/"[^"]*"/g, '').matchAll(/[a-z][a-z_.-]+/g)) {
        if (OTHERS.has(word)) continue;
        for (const part of word.split('.')) expect([...keys], becomes).toContain(part);
      }
    }
  }
});
