/** The command lines of the documents against a live daemon, and the manual pages (topology: test/support/pair.ts). */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { docsCommands } from '../support/docs-commands.ts';
import { eventually, missing } from '../support/netns.ts';
import { createPair, type Pair, pairToml, VIP4 } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const unable = missing('python3', 'mandoc', 'man');

/** Not run here, and why; test/unit/docs-commands.test.ts has read them all. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/^tandem run\b/, 'is what runs meanwhile'],
  [
    /^tandem failover (?:handover|takeover|drill)\b/,
    'moves the role between two nodes: handover and drill tests',
  ],
  [/^tandem failover probe\b/, 'lasts a minute: drill test'],
  [/^tandem (?:events .*--follow|status .*--watch)/, 'does not end: cli test'],
  [/^tandem doctor\b/, 'judges this machine: doctor test'],
  [/^tandem init$/, 'asks on a terminal: cli test'],
];

const SERVICE = `
[[service]]
name = "web"
listen = ["${VIP4}:80"]
[[service.backend]]
address = "10.98.0.11:8080"
[[service.backend]]
address = "10.98.0.13:8080"
`;

const whyNot = (line: string): string | undefined => NOT_RUN.find(([pattern]) => pattern.test(line))?.[1];

/** Only the name of the command, in a sentence. */
const INCOMPLETE = /^tandem (?:(?:backends )?(?:drain|weight|ready|maintenance)|completion|import)$/;

describe.skipIf(unable !== null)('the documents', () => {
  let pair: Pair;
  let a: Tandem;

  const all = docsCommands().filter(({ words }) => words[0] === 'tandem');
  const runnable = all.filter(
    ({ words }) => whyNot(words.join(' ')) === undefined && !INCOMPLETE.test(words.join(' ')),
  );

  beforeAll(async () => {
    pair = createPair('docs');
    for (const host of [pair.backends[0], pair.backends[2]]) {
      host.spawn('backend', ['python3', '-m', 'http.server', '8080'], { cwd: pair.lab.dir });
    }
    const env = { STATE_DIRECTORY: pair.lab.dir };
    a = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE), { env });
    await a.waitState('Active');
    await a.waitEligible('web', ['10.98.0.11:8080', '10.98.0.13:8080']);
  });
  afterAll(() => pair.lab.destroy());

  /** Names of the documents by what is here. */
  function local(word: string): string {
    if (/^(?:FILE|tandem\.toml|\/etc\/tandem\/tandem\.toml)$/.test(word)) return a.configPath;
    if (word === '/etc/keepalived/keepalived.conf')
      return join(ROOT, 'test/fixtures/keepalived/web-pair.conf');
    if (word === '/etc/haproxy/haproxy.cfg' || word === 'haproxy.cfg')
      return join(ROOT, 'test/fixtures/haproxy/web-pair.cfg');
    if (word === 'DIRECTORY') return join(pair.lab.dir, 'record');
    return word.replaceAll('10.0.1.11', '10.98.0.11');
  }

  /** Files that the words leave out, since they have their usual places. */
  function usualFile(args: readonly string[]): string[] {
    const words = args.filter((arg) => !arg.startsWith('-'));
    if (args[0] === 'check' && words.length === 1) return [a.configPath];
    return args[0] === 'import' && words.length === 1 ? [local('/etc/keepalived/keepalived.conf')] : [];
  }

  test.each(runnable.map(({ title, words }) => [title, words] as const))(
    '%s',
    async (_title, [, ...words]) => {
      const args = words.map(local);
      args.push(...usualFile(args));
      // the daemon's file is not where an import may write
      const to = args.indexOf('--output');
      if (to >= 0) args[to + 1] = join(pair.lab.dir, `imported-${Math.random()}.toml`);
      const { status, stdout, stderr } = await a.tandem(...args);
      // an import answers 1 when something was not carried over, a diff when something differs, an upgrade where no peer is
      expect(status, `${args.join(' ')}\n${stdout}\n${stderr}`).toBeOneOf(
        ['import', 'diff', 'upgrade'].includes(args[0] ?? '') ? [0, 1] : [0],
      );
      // "drain" takes a backend away from those that follow
      if (['backends', 'drain', 'maintenance'].includes(args[0] ?? '')) {
        await a.tandem('backends', 'ready', 'web/10.98.0.11:8080');
        await eventually('it is back', async () => (await a.tandem('status')).status === 0);
      }
    },
  );

  test('what is run and what is not is all there is, and every exception is of use', () => {
    const others = all.filter((one) => !runnable.includes(one)).map(({ words }) => words.join(' '));
    expect(runnable.length).toBeGreaterThan(8);
    for (const [pattern, why] of NOT_RUN)
      expect(
        others.some((line) => pattern.test(line)),
        why,
      ).toBe(true);
  });
});

describe.skipIf(unable !== null)('the manual pages', () => {
  const pages = readdirSync(join(ROOT, 'docs/man')).map((name) => join(ROOT, 'docs/man', name));

  test('are what the commands and docs/configuration.md say', () => {
    const { status, stderr } = spawnSync('node', ['scripts/generate-docs.mjs', '--check'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });

  test.each(pages)('%s: mandoc and man have nothing to say', (page) => {
    expect(spawnSync('mandoc', ['-Tlint', page], { encoding: 'utf8' }).stdout).toBe('');
    const man = spawnSync('man', ['--warnings', '-l', page], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' },
    });
    expect([man.status, man.stderr]).toEqual([0, '']);
  });
});
