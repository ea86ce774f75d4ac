/**
 * What operators set at run time, over reloads and restarts of a live daemon, and `tandem diff`. One host of the pair
 * (topology: test/support/pair.ts), without failover and without backends: states and weights need none.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BackendStatus, type DiffResult, diffResult } from '../../src/admin/contract.ts';
import { missing, type RunResult } from '../support/netns.ts';
import { createPair, type Pair } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing('ip');

const backend = (id: string, weight = 10): string =>
  `[[service.backend]]\nid = "${id}"\naddress = "10.98.0.11:80${id.charCodeAt(0)}"\nweight = ${weight}\n`;
const web = (...backends: readonly string[]): string =>
  `[[service]]\nname = "web"\nlisten = ["10.98.0.1:80"]\n${backends.join('')}`;
const BASE = web(backend('a'), backend('b'));

describe.skipIf(unable !== null)('changes at run time', () => {
  let pair: Pair;
  let folder: string;
  let daemon: Tandem | null = null;
  let serial = 0;

  beforeAll(() => {
    pair = createPair('runtime');
  });
  afterAll(() => pair.lab.destroy());
  beforeEach(() => {
    folder = join(pair.lab.dir, `state-${++serial}`);
    mkdirSync(folder);
  });
  afterEach(async () => {
    await daemon?.stop();
    daemon = null;
  });

  const stateFile = (): string => join(folder, 'state.json');
  const full = (toml: string): string => `${toml}\n[admin]\nstate_file = "${stateFile()}"\n`;

  async function start(toml: string, env: Record<string, string> = {}): Promise<Tandem> {
    await daemon?.stop();
    daemon = await Tandem.start(pair.lab, pair.hostA, toml, { env });
    return daemon;
  }
  const running = (): Tandem => {
    if (daemon === null) throw new Error('no daemon');
    return daemon;
  };
  const tandem = async (...args: string[]): Promise<RunResult> => running().tandem(...args);
  async function well(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await tandem(...args);
    expect([status, stderr]).toEqual([0, '']);
    return stdout;
  }
  async function reload(toml: string): Promise<string> {
    running().writeConfig(toml);
    return well('reload');
  }
  async function stateOf(id: string): Promise<string> {
    const backends = (await running().status()).services[0]?.backends ?? [];
    const found = backends.find((one): one is BackendStatus => one.id === id);
    return `${found?.admin} ${found?.weight} ${found?.persisted.join()}`;
  }
  async function diff(): Promise<{ status: number | null; found: DiffResult }> {
    const { status, stdout } = await tandem('diff', '--json');
    return { status, found: diffResult.parse(JSON.parse(stdout)) };
  }
  const events = async (name: string): Promise<string[]> =>
    (await well('events', '--json'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
      .flatMap((event) => (event.name === name ? [event.message] : []));

  test('without --persist a reload ends them, and says so; nothing is written', async () => {
    await start(full(BASE));
    await well('drain', 'web/a');
    await well('weight', 'web/b', '3');
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['draining 10 ', 'ready 3 ']);
    const said = await reload(full(BASE));
    expect(said).toContain('backend a is ready again (draining was not set with --persist)');
    expect(said).toContain('backend b has weight 10 again (3 was not set with --persist)');
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['ready 10 ', 'ready 10 ']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('with --persist they outlive a reload, a stop and a crash, until they are taken back', async () => {
    await start(full(BASE));
    expect(await well('maintenance', 'web/a', '--persist')).toMatch(/^web\/a: maintenance \(persisted\), /);
    expect(await well('weight', 'web/b', '3', '--persist')).toContain('weight 3 (persisted)');
    expect(statSync(stateFile()).mode & 0o777).toBe(0o600);
    expect(await well('status').catch(() => tandem('status').then(({ stdout }) => stdout))).toContain(
      'maintenance (persisted)',
    );

    const said = await reload(full(web(backend('a'), backend('b', 20))));
    expect(said).toContain('backend b keeps weight 3: it was set with --persist');
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['maintenance 10 state', 'ready 3 weight']);

    await running().crash();
    daemon = null;
    await start(full(BASE));
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['maintenance 10 state', 'ready 3 weight']);
    expect(await events('runtime.restored')).toEqual(['kept from before: web/a maintenance; web/b weight 3']);

    await well('ready', 'web/a');
    await well('weight', 'web/b', 'configured');
    await start(full(BASE));
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['ready 10 ', 'ready 10 ']);
  });

  test("the service manager's state directory is taken where none is configured", async () => {
    await start(BASE, { STATE_DIRECTORY: `${folder}:/elsewhere` });
    await well('drain', 'web/a', '--persist');
    expect(existsSync(stateFile())).toBe(true);
  });

  test('without a state file --persist is refused, with nothing changed', async () => {
    await start(BASE, { STATE_DIRECTORY: '' });
    const { status, stderr } = await tandem('drain', 'web/a', '--persist');
    expect(status).toBe(64);
    expect(stderr).toMatch(/there is no state file[\s\S]*state_file/);
    expect(await stateOf('a')).toBe('ready 10 ');
  });

  test('what is kept of a backend that is gone is dropped, by a reload as by a start', async () => {
    await start(full(BASE));
    await well('drain', 'web/*', '--persist');
    await reload(full(web(backend('b'), backend('c'))));
    expect(await events('runtime.dropped')).toEqual([expect.stringContaining('web/a draining')]);
    await start(full(web(backend('c'))));
    expect(await events('runtime.dropped')).toEqual([expect.stringContaining('web/b draining')]);
    expect(JSON.parse(readFileSync(stateFile(), 'utf8')).backends).toEqual([]);
  });

  test.each([
    ['a broken', '{"format":"tandem-runtime-state","version":1,'],
    ["another version's", '{"format":"tandem-runtime-state","version":2,"backends":[]}'],
  ])('%s state file is set aside, and the daemon starts', async (_, text) => {
    writeFileSync(stateFile(), text);
    await start(full(BASE));
    expect(await events('runtime.set-aside')).toHaveLength(1);
    const [aside = ''] = readdirSync(folder);
    expect(readFileSync(join(folder, aside), 'utf8')).toBe(text);
    await well('drain', 'web/a', '--persist');
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('a state file that is something else as well is refused before the start', async () => {
    const { status, stdout, stderr } = await (async () => {
      const path = join(folder, 'own.toml');
      writeFileSync(path, `${BASE}\n[admin]\nstate_file = "${path}"\n`);
      return pair.hostA.run(['node', join(import.meta.dirname, '../../dist/main.js'), 'check', path]);
    })();
    expect(status).toBe(64);
    expect(stdout + stderr).toMatch(
      /own\.toml:\d+:\d+: admin\.state_file: ".*own\.toml" is the configuration as well/,
    );
  });

  test('diff: nothing, run-time changes, an edited file, a wrong one, and what needs a restart', async () => {
    await start(full(BASE));
    expect(await tandem('diff')).toMatchObject({ status: 0, stdout: '', stderr: '' });

    await well('drain', 'web/a', '--persist');
    await well('weight', 'web/b', '3');
    const set = await diff();
    expect(set.status).toBe(1);
    expect(
      set.found.runtime.map(({ backend: id, setting, running: now, file, persisted }) => [
        id,
        setting,
        now,
        file,
        persisted,
      ]),
    ).toEqual([
      ['a', 'state', 'draining', 'ready', true],
      ['b', 'weight', 3, 10, false],
    ]);
    expect(set.found.changes).toEqual([]);

    const edited = full(
      `drain_timeout = "7s"\n[data_path]\nworkers = 1\n${web(backend('b', 20), backend('c'))}`,
    );
    running().writeConfig(edited);
    const { stdout, status } = await tandem('diff');
    const path = running().configPath;
    expect(status).toBe(1);
    const lineOf = (text: string): number => readFileSync(path, 'utf8').split('\n').indexOf(text) + 1;
    expect(stdout.split('\n').slice(1)).toEqual([
      `+++ ${path}`,
      `@@ ${path} (service web, backend a) @@`,
      '-state draining  (set at run time, persisted: a reload keeps it)',
      '+(not in the file)',
      `@@ ${path}:${lineOf('weight = 20')} service[0].backend[0].weight (service web, backend b) @@`,
      '-weight 3  (set at run time, a reload ends it)',
      '+weight 20',
      `@@ ${path}:1 drain_timeout @@`,
      '+drain_timeout = "7s"',
      `@@ ${path} service[0].backend[0] (service web, backend a) @@`,
      '-id = "a"',
      `@@ ${path}:${lineOf('id = "c"') - 1} service[0].backend[1] (service web, backend c) @@`,
      '+id = "c"',
      `@@ ${path}:${lineOf('weight = 20')} service[0].backend[0].weight (service web, backend b) @@`,
      '-weight = 10',
      '+weight = 20',
      `@@ ${path}:3 data_path.workers @@`,
      '+workers = 1',
      ' needs a restart: a reload does not apply it',
      '',
    ]);

    await well('reload');
    const left = await diff();
    expect(left.found.changes.map(({ key, restart }) => [key, restart])).toEqual([
      ['data_path.workers', true],
    ]);
    expect(left.found.runtime).toEqual([]);

    running().writeConfig(edited.replace('weight = 20', 'weigth = 20'));
    const wrong = await tandem('diff');
    expect(wrong.status).toBe(64);
    expect(wrong.stderr).toMatch(
      new RegExp(`^${path}:\\d+:\\d+: service\\[0\\]\\.backend\\[0\\]\\.weigth: .*\n`),
    );
    expect(wrong.stderr).toContain('weight');
    expect((await diff()).found).toMatchObject({ same: false, changes: [] });
    // what was asked has changed nothing
    expect(await stateOf('b')).toBe('ready 20 ');
  });
});
