import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flatten } from '../../../../src/config/import/keepalived/files.ts';
import { ITEMS, KEYWORDS } from '../../../../src/config/import/keepalived/keywords.ts';
import { parse, type Statement } from '../../../../src/config/import/keepalived/parser.ts';
import { systemReader } from '../../../../src/config/import/system-reader.ts';
import { allKeys } from '../../../../src/config/suggest.ts';
import { FIXTURES, fixtures, importFixture } from '../../../support/keepalived-import.ts';

/** "context keyword" of everything in a tree, options of addresses and peers included. */
function used(statements: readonly Statement[], context: string): string[] {
  return statements.flatMap(({ keyword, block }) => {
    const row = KEYWORDS.rowOf(context, keyword);
    const items = block ?? [];
    const options = {
      virtual_ipaddress: 'address',
      virtual_ipaddress_excluded: 'address',
      unicast_peer: 'peer',
    };
    const kind = Object.entries(options).find(([name]) => name === keyword)?.[1];
    const words =
      kind === undefined ? [] : items.flatMap((item) => item.args.map((word) => `${kind} ${word}`));
    const inner = row?.opens === undefined || row.opens === ITEMS ? [] : used(items, row.opens);
    return [`${context} ${keyword}`, ...words, ...inner];
  });
}

const everything = new Set(
  fixtures.flatMap((name) => used(parse(flatten(join(FIXTURES, name), systemReader, 'lb-a').lines), '')),
);

test('the fixtures use every keyword', () => {
  const unused = KEYWORDS.rows.flatMap(({ keywords, contexts }) =>
    keywords.filter((keyword) => !contexts.some((context) => everything.has(`${context} ${keyword}`))),
  );
  expect(unused).toEqual([]);
});

test('no row stands twice, and every block that opens is known', () => {
  const all = KEYWORDS.rows.flatMap((row) =>
    row.contexts.flatMap((c) => row.keywords.map((k) => `${c} ${k}`)),
  );
  expect(all.filter((key, index) => all.indexOf(key) !== index)).toEqual([]);
  const contexts = new Set(KEYWORDS.rows.flatMap((row) => row.contexts));
  for (const { opens } of KEYWORDS.rows)
    if (opens !== undefined && opens !== ITEMS) expect(contexts).toContain(opens);
});

test('the table names only keys that Tandem has', () => {
  const keys = new Set(allKeys().flatMap((path) => path.split(/[.[\]]+/)));
  for (const { becomes, fate } of KEYWORDS.rows) {
    if (fate !== 'carried') continue;
    for (const [, code = ''] of becomes.matchAll(/`([^`$]*)`/g)) {
      for (const [word] of code.replaceAll(/"[^"]*"/g, '').matchAll(/[a-z][a-z_]+/g)) {
        if (!['true', 'false', 'ms', 'reverse'].includes(word) && KEYWORDS.contextsOf(word).length === 0)
          expect([...keys], becomes).toContain(word);
      }
    }
  }
});

test.each(fixtures)('%s has nothing that the table does not know', (name) => {
  expect(importFixture(name).report.filter(({ did }) => did === 'unknown')).toEqual([]);
});
