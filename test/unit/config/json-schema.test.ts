import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { annotatedSchema, NOTE, publishedSchema } from '../../../src/config/json-schema.ts';
import { type Kind, kinds } from '../../../src/config/kinds.ts';
import { fileSchema } from '../../../src/config/schema.ts';
import { parseToml } from '../../../src/config/toml-text.ts';
import { inBackend, inGroup, inHealth, inService } from '../../support/config-faults.ts';

/** config/tandem.schema.json, as an editor reads it, and docs/configuration.md: both follow from the schema. */
const root = resolve(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const HOW = 'npm run build && node scripts/generate-docs.mjs';

const ajv = new Ajv({ strict: true, allowUnionTypes: true, validateFormats: false, allErrors: true });
const validate: ValidateFunction = ajv.compile({ ...publishedSchema() });

/** Where a file is wrong, or []. */
function placesOf(text: string): string[] {
  const parsed = parseToml(text);
  if ('message' in parsed) throw new Error(parsed.message);
  if (validate(JSON.parse(JSON.stringify(parsed.value)))) return [];
  return [...new Set(validate.errors?.map(({ instancePath }) => instancePath))];
}

describe('what is written from the schema is up to date', () => {
  test('config/tandem.schema.json', () => {
    expect(JSON.parse(read('config/tandem.schema.json')), HOW).toEqual(publishedSchema());
    expect(read('config/tandem.schema.json')).not.toContain(NOTE);
  });

  test('docs/configuration.md', async () => {
    const { configurationDocument } = (await import(join(root, 'scripts/configuration-page.mjs'))) as {
      configurationDocument: (template: string, schema: unknown) => string;
    };
    const written = configurationDocument(read('scripts/configuration.md.in'), annotatedSchema());
    expect(read('docs/configuration.md') === written, HOW).toBe(true);
  });
});

describe('docs/configuration.md', () => {
  const docs = read('docs/configuration.md');

  test('its links within itself lead somewhere', () => {
    const anchors = [...docs.matchAll(/^## (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[[\].,"`]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...docs.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !anchors.includes(link ?? ''))).toEqual([]);
  });

  test.each([
    ['a duration', '| `interval` | between probes | 10ms to 1h | `"2s"` |'],
    [
      'a share',
      '| `jitter` | every interval is stretched or shrunk by up to this share | 0% to 50% | `"10%"` |',
    ],
    ['another key as an end', '10ms to `interval` | `"500ms"`, at most `interval` |'],
    ['a default that is filled in later', '| `priority` | the higher one is active;'],
    ['two of one kind', '| `active`, `backup` | after becoming so | program, arguments | none |'],
    ['keys of some types alone', '| `send_proxy` | tcp, http: the check begins'],
    ['a default that hangs on the type', '-254 to 254 | `0`; with `file` `1` |'],
    ['a table', '[`[service.queue]`](#servicequeue)'],
    ['a list of tables', '[`[[service.backend]]`](#servicebackend)'],
    ['what groups inherit', '| `interface`, `version`, `priority`,'],
  ])('says of %s', (_name, row) => {
    expect(docs.includes(row), row).toBe(true);
  });
});

describe('the JSON Schema takes', () => {
  const examples = readdirSync(join(root, 'config')).filter((name) => name.endsWith('.toml'));
  const imported = readdirSync(join(root, 'test/fixtures/keepalived/expected')).filter((name) =>
    name.endsWith('.toml'),
  );

  test.each([
    ...examples.map((name) => `config/${name}`),
    ...imported.map((name) => `test/fixtures/keepalived/expected/${name}`),
  ])('%s', (path) => {
    expect(placesOf(read(path))).toEqual([]);
  });

  test('config/full.toml with every option uncommented', () => {
    expect(placesOf(read('config/full.toml').replaceAll(/^#(?=[a-z_0-9]+ = )/gm, ''))).toEqual([]);
  });

  test('short forms', () => {
    expect(placesOf(inService('schedule = "maglev"\nsource = ["10.0.0.1"]'))).toEqual([]);
    expect(placesOf(inGroup('virtual_mac = true\nexcluded_addresses = ["10.0.0.7/24"]'))).toEqual([]);
  });
});

test.each([
  ['an unknown key', inService('max_conections = 5'), '/service/0'],
  ['a number without its unit', inService('[service.timeout]\nidle = 30'), '/service/0/timeout/idle'],
  ['text without its unit', inService('slow_start = "30"'), '/service/0/slow_start'],
  ['a port above the range', inHealth('tcp', 'port = 70000'), '/service/0/health/port'],
  ['another word', inService('on_down = "drop"'), '/service/0/on_down'],
  ['a key of another type of check', inHealth('tcp', 'query = "a"'), '/service/0/health'],
  ['a weight as text', inBackend('weight = "3"'), '/service/0/backend/0/weight'],
  ['a service without a name', '[[service]]\nlisten = ["0.0.0.0:80"]', '/service/0'],
  [
    'a name where an address is asked for',
    inGroup('unicast = { peers = ["lb-b"] }'),
    '/failover/group/0/unicast/peers/0',
  ],
  ['an address without a port', '[metrics]\nlisten = "127.0.0.1"', '/metrics/listen'],
  ['one table for a list', '[service]\nname = "a"', '/service'],
])('the JSON Schema refuses %s', (_name, text, place) => {
  expect(placesOf(text)).toContain(place);
});

describe('single values', () => {
  const values: { kind: Kind; schema: z.ZodType }[] = [];
  z.toJSONSchema(fileSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema }) => {
      const schema = zodSchema as unknown as z.ZodType;
      const kind = kinds.get(schema);
      if (kind !== undefined) values.push({ kind, schema });
    },
  });
  const samples: readonly unknown[] = [
    ...[true, false, 0, 1, 2, 3, 32, 80, 128, 254, 255, 65_535, 65_536, 1.5, -1],
    ...[
      '',
      ' 1s ',
      '1.5s',
      '2 min',
      '250us',
      '1d',
      '1',
      '80%',
      ' 12.5 %',
      '100/s',
      '5 / 10s',
      '30/m',
      '1/1.5min',
    ],
    ...[
      '/',
      '/a b',
      '/a',
      'a',
      'a.b-c_d',
      '[::1]:80',
      '10.0.0.1',
      '10.0.0.1:80',
      '10.0.0.0/8',
      '::1',
      '::/0',
    ],
    ...['2001:DB8::1/64', 'default', 'http://10.0.0.1/x', 'HTTPS://[::1]:8', 'eth0', 'vrrp.51', 'é', 'auto'],
    ...[
      'client',
      'hex:00 ff',
      'text',
      'GET',
      'a(b',
      'a|b',
      '*.example.org',
      'EXAMPLE.org.',
      '.',
      'tcp',
      'maglev',
    ],
    ...[['10.0.0.1'], [], ['x'], { a: 1 }, 'NOERROR', 'AAAA', 'v1', 'info', 'x'.repeat(70), 'native'],
  ];

  test('the JSON Schema never refuses what is read', () => {
    expect(values.length).toBeGreaterThan(100);
    const checkers = values.map(({ kind, schema }) => ({ kind, schema, check: ajv.compile(kind.json) }));
    let read = 0;
    for (const { kind, schema, check } of checkers) {
      const words = Array.isArray(kind.json['enum']) ? kind.json['enum'] : [];
      const ends = (kind.range ?? []).map((end) => end.replaceAll(',', ''));
      const own = kind.json['type'] === 'integer' ? ends.map(Number) : ends;
      const right = [...samples, ...words, ...own].filter((sample) => schema.safeParse(sample).success);
      expect(right.length, kind.values).toBeGreaterThan(0);
      expect(
        right.filter((sample) => !check(sample)),
        kind.values,
      ).toEqual([]);
      read += right.length;
    }
    expect(read).toBeGreaterThan(500);
  });

  test('its patterns are regular expressions in Rust, too: no list within a list', () => {
    const patterns = values.flatMap(({ kind }) => kind.json['pattern'] ?? []).map(String);
    expect(patterns.length).toBeGreaterThan(50);
    const within = /(?<!\\)\[(?:\\.|[^\]\\])*?\[/;
    expect('^[a-z[]$').toMatch(within);
    expect(patterns.filter((pattern) => within.test(pattern))).toEqual([]);
  });

  test('its defaults are written as the file writes them', () => {
    const annotated = JSON.stringify(annotatedSchema());
    expect(annotated).toContain('"default":"10m"');
    expect(annotated).not.toMatch(/"default":\d{6}/);
  });
});
