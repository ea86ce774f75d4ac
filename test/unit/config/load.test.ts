import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { systemEnvironment } from '../../../src/config/environment.ts';
import { ConfigError, renderProblem } from '../../../src/config/errors.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { MAX_FILE_BYTES } from '../../../src/config/read-file.ts';
import { EXIT } from '../../../src/lib/errors.ts';
import { backend, load, problemsOf, service, testHost } from '../../support/config.ts';

const dir = mkdtempSync(join(tmpdir(), 'tandem-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
};

function failure(path: string): ConfigError {
  try {
    loadConfig(path, { environment: testHost });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`${path} was read`);
}

const right = service() + backend();

describe('the file', () => {
  test('is read, and its absolute path is kept', () => {
    const path = file('right.toml', right);
    expect(loadConfig(path, { environment: testHost }).path).toBe(path);
    expect(loadConfig(path, { environment: testHost }).node.name).toBe('test-host');
  });

  test('may begin with a byte order mark, and positions do not count it', () => {
    const path = file('bom.toml', `\uFEFFdrain_timeout = 5\n${right}`);
    expect(failure(path).problems.map(({ line, column }) => [line, column])).toEqual([[1, 17]]);
  });

  test('may have Windows line ends', () => {
    const path = file('crlf.toml', right.replaceAll('\n', '\r\n'));
    expect(loadConfig(path, { environment: testHost }).services).toHaveLength(1);
  });

  test.each([
    ['is missing', () => join(dir, 'missing.toml'), /no such file/, /tandem init/],
    ['lies under a file', () => join(file('plain', ''), 'x.toml'), /no such file/, /tandem init/],
    ['is a directory', () => dir, /is a directory/, /TOML file/],
    [
      'is too large',
      () => file('large.toml', ' '.repeat(MAX_FILE_BYTES + 1)),
      /is larger than/,
      /right file/,
    ],
    ['never ends', () => '/dev/zero', /is larger than/, /right file/],
    ['is not UTF-8', () => file('latin1.toml', Uint8Array.of(0x23, 0xe4, 0x0a)), /not UTF-8/, /UTF-8/],
    [
      'is a link to itself',
      () => {
        symlinkSync('loop.toml', join(dir, 'loop.toml'));
        return join(dir, 'loop.toml');
      },
      /cannot be read: ELOOP/,
      /check the path/,
    ],
  ])('%s', (_name, path, message, hint) => {
    const error = failure(path());
    expect(error.exitStatus).toBe(EXIT.usage);
    expect(error.code).toBe('config-invalid');
    expect(error.problems).toHaveLength(1);
    expect(error.problems[0]).toMatchObject({ line: null, column: null, key: '' });
    expect(error.problems[0]?.message).toMatch(message);
    expect(error.problems[0]?.hint).toMatch(hint);
    expect(error.message).toContain(`${error.problems[0]?.file}: `);
  });

  test('may not be read by this user', () => {
    const path = file('secret.toml', right);
    chmodSync(path, 0o000);
    const wasRoot = process.geteuid?.() === 0;
    if (wasRoot) {
      // root may read everything: ask as nobody, who may pass through the directory
      chmodSync(dir, 0o755);
      process.seteuid?.(65_534);
    }
    try {
      expect(failure(path).problems[0]).toMatchObject({ message: 'may not be read by this user' });
    } finally {
      if (wasRoot) process.seteuid?.(0);
    }
  });
});

describe('TOML that is none', () => {
  test.each([
    ['text without quotes', 'drain_timeout = 10s', [1, 19], /unexpected "s"/, /quotes: "10s"/],
    ['a colon', 'node: 1', [1, 5], /unexpected ":"/, /"=" instead of ":"/],
    ['no value', 'a = 1\nb =\nc = 2', [2, 4], /line ends too early/, /value after "="/],
    ['an open header', '[node\nname = "a"', [1, 6], /line ends too early/, /close the table header/],
    ['an open quote', 'a = "x\nb = 1', [1, 7], /line ends too early/, /opened and not closed/],
    ['a word', 'daemon', [1, 7], /unexpected end of input/, /key = value/],
    [
      'a key twice',
      'a = 1\na = 2',
      [2, 1],
      /^is there already$/,
      /^it is first at .*test\.toml:1:1: keep one/,
    ],
    [
      'a key twice in the second table of a list',
      '[[s]]\nb = 1\n[[s]]\nb = 1\nc = 2\n b = 3',
      [6, 2],
      /^is there already$/,
      /test\.toml:4:1: keep one/,
    ],
    [
      'a key twice in a table in one line',
      'a = { b = 1, c = { b = 1,  b = 2 } }',
      [1, 28],
      /^is there already$/,
      /:1:20: keep/,
    ],
    ['a table twice', '[a]\nb = 1\n[a]', [3, 1], /^is there already$/, /test\.toml:1:1: write what belongs/],
    [
      'one bracket after two',
      '[[a]]\n[a]',
      [2, 1],
      /^is there already$/,
      /:1:1: .*both headers with two brackets/,
    ],
    [
      'two brackets after one',
      '[a]\n[[a]]',
      [2, 1],
      /^is there already$/,
      /:1:1: .*both headers with two brackets/,
    ],
    [
      'a list in both forms',
      'a = [{ b = 1 }]\n[[a]]',
      [2, 1],
      /^is there already$/,
      /:1:1: .*either with a header or with "="/,
    ],
    [
      'a table in both forms',
      'a = { b = 1 }\n[a]',
      [2, 1],
      /^is there already$/,
      /:1:1: .*either with a header or with "="/,
    ],
    [
      'a dotted key into a table',
      '[a.b]\nc = 1\n[a]\nb.d = 1',
      [4, 1],
      /^is a table of its own$/,
      /:1:1: write the key below its header/,
    ],
    ['a missing comma', 'a = [1,\n2 3]', [2, 3], /unexpected "3"/, /"," between its values/],
    ['a bad escape', 'a = "\\q"', [1, 6], /Invalid escape|unexpected/, /single quotes/],
    ['a huge number', 'a = 99999999999999999999', [1, 5], /64-bit/, /smaller number/],
    ['endless nesting', `a = ${'['.repeat(10_000)}`, [1, 55], /nesting depth/, /50 brackets/],
  ] as const)('%s', (_name, text, [line, column], message, hint) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line, column, source: text.split('\n')[line - 1] });
    expect(problems[0]?.message).toMatch(message);
    if (hint !== undefined) expect(problems[0]?.hint).toMatch(hint);
  });
});

test('what stands twice is named with its place in lists', () => {
  const keyOf = (text: string): string | undefined => problemsOf(text)[0]?.key;
  expect(keyOf('[[s]]\nb = 1\n[[s]]\nb = 1\nb = 3')).toBe('s[1].b');
  expect(keyOf('a = { b = 1, c = { b = 1,  b = 2 } }')).toBe('a.c.b');
  expect(keyOf('[[s]]\n[s."x.y"]\n[s."x.y"]')).toBe('s[0]."x.y"');
  expect(keyOf('[s')).toBe('');
});

describe('how problems are shown', () => {
  test('place, key, line, caret and what would be right', () => {
    const text = `${right}[service.timeout]\nidle = 30\n`;
    const [problem] = problemsOf(text);
    expect(problem === undefined ? '' : renderProblem(problem)).toBe(
      [
        '/etc/tandem/test.toml:9:8: service[0].timeout.idle: 30 has no unit',
        '  9 | idle = 30',
        '    |        ^',
        '  = write text with a unit (us, ms, s, m, h or d), such as "30s" or "30ms"',
      ].join('\n'),
    );
  });

  test('the error carries every problem in its message', () => {
    try {
      parseConfig(`zz = 1\n${right}yy = 2\n`, 'f.toml', { environment: testHost });
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toContain('f.toml:1:1: zz: unknown key');
      expect(String(error)).toContain('f.toml:9:1: service[0].backend[0].yy: unknown key');
    }
  });

  test('a long line is cut around the caret, tabs and controls do not move it', () => {
    const text = `\tdrain_timeout = "${'x'.repeat(300)}", 5\n`;
    const [problem] = problemsOf(text);
    const [, shown = '', caret = ''] = (problem === undefined ? '' : renderProblem(problem)).split('\n');
    expect(shown.length).toBeLessThan(120);
    expect(shown[caret.indexOf('^')]).toBe(',');
  });
});

describe('what the file means', () => {
  test('an explicit default is the default', () => {
    const bare = load(right);
    const said = load(
      `${service('schedule = { algorithm = "least-connections" }\nrate = "10/s"')}${backend()}`,
    );
    expect(said.services[0]?.schedule).toEqual(bare.services[0]?.schedule);
    expect(said.services[0]?.rate).toEqual({ count: 10, per: 1_000_000, burst: 10 });
  });

  test('UDP takes source-hash, TCP least-connections', () => {
    expect(load(right).services[0]?.schedule.algorithm).toBe('least-connections');
    const udp = load(service('protocol = "udp"') + backend());
    expect(udp.services[0]?.schedule.algorithm).toBe('source-hash');
  });

  test('without [service.health] backends are unchecked; passive ejection can be switched off', () => {
    expect(load(right).services[0]?.health).toBeNull();
    expect(load(right).services[0]?.passive?.failures).toBe(5);
    expect(load(`${right}[service.passive]\nfailures = 0\n`).services[0]?.passive).toBeNull();
  });

  test('a short interval shortens the defaults that hang on it', () => {
    const { health } = load(`${right}[service.health]\ntype = "tcp"\ninterval = "200ms"\n`).services[0] ?? {};
    expect([health?.interval, health?.fastInterval, health?.timeout]).toEqual([200_000, 200_000, 200_000]);
  });

  test('a group goes before [failover], which goes before the default', () => {
    const text = `${right}[failover]\ninterface = "eth0"\npriority = 150\nadvertise_interval = "100ms"\n
[[failover.group]]\nvrid = 1\naddresses = ["10.0.0.100/24"]\n
[[failover.group]]\nvrid = 2\npriority = 90\naddresses = ["10.0.0.101/24"]\nchecksum = "rfc9568"\n`;
    const groups = load(text).failover?.groups ?? [];
    expect(groups.map(({ priority, advertiseInterval }) => [priority, advertiseInterval])).toEqual([
      [150, 100_000],
      [90, 100_000],
    ]);
    expect(groups.map(({ checksum }) => checksum)).toEqual(['rfc5798', 'rfc9568']);
    expect(groups[0]).toMatchObject({ name: 'vrid-1', version: 3, preempt: true, lease: 2_000_000 });
  });

  test('payloads are text or hexadecimal digits', () => {
    const probe = (send: string): unknown =>
      load(`${right}[service.health]\ntype = "udp"\nsend = "${send}"\n`).services[0]?.health?.probe;
    expect(probe('hex:00 ff')).toMatchObject({ send: Uint8Array.of(0, 255), expect: null });
    expect(probe('é')).toMatchObject({ send: Uint8Array.of(0xc3, 0xa9) });
  });

  test('the result crosses threads', () => {
    expect(structuredClone(load(right).services)).toEqual(load(right).services);
  });
});

test('this host has a loopback interface, whatever os.networkInterfaces says', () => {
  expect(systemEnvironment.interfaces().map(({ name }) => name)).toContain('lo');
  expect(systemEnvironment.hostname()).not.toBe('');
});
