/**
 * What goes wrong at start, one host (`lb-a`, eth0 10.98.0.1) on a switch: the daemon says what is wrong
 * and what would be right, with an exit status that scripts can use, and leaves nothing behind.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/lib/errors.ts';
import { eventually, missing, type RunResult } from '../support/netns.ts';
import { createPair, type Pair, pairToml, VIP4, VIP6, webService } from '../support/pair.ts';
import { MAIN } from '../support/tandem.ts';

const unable = missing('setpriv', 'ss');

describe.skipIf(unable !== null)('a daemon that cannot start', () => {
  let pair: Pair;
  let serial = 0;

  beforeAll(() => {
    pair = createPair('errs');
  });
  beforeEach(() => {
    serial += 1;
  });
  afterAll(() => pair.lab.destroy());

  const socketOf = (): string => join(pair.lab.dir, `${serial}.sock`);

  async function run(toml: string, prefix: readonly string[] = [], main = MAIN): Promise<RunResult> {
    const config = join(pair.lab.dir, `${serial}.toml`);
    writeFileSync(config, `${toml}\n[admin]\nsocket = "${socketOf()}"\n`);
    return pair.hostA.run([...prefix, 'node', main, 'run', '--config', config], { timeoutMs: 20_000 });
  }

  async function expectNothingLeft(): Promise<void> {
    expect((await pair.hostA.run(['ss', '-Hltun'])).stdout).not.toContain(VIP4);
    expect(pair.hostA.holds(VIP4)).toBe(false);
    expect(pair.hostA.holds(VIP6)).toBe(false);
  }

  test('an address already in use', async () => {
    const occupant = pair.hostA.spawn('occupant', [
      'node',
      '-e',
      `require('net').createServer().listen(80, '0.0.0.0', () => console.log('listening'))`,
    ]);
    await eventually('the port is taken', () => occupant.log().includes('listening'));
    const result = await run(pairToml('lb-a', webService()));
    await occupant.stop();
    expect(result.status).toBe(EXIT.osError);
    expect(result.stderr + result.stdout).toMatch(/10\.98\.0\.100:80/);
    expect(result.stderr + result.stdout).toMatch(/in use/i);
    await expectNothingLeft();
  });

  test('an interface that does not exist', async () => {
    const result = await run(
      pairToml('lb-a', webService()).replace('interface = "eth0"', 'interface = "eth7"'),
    );
    expect(result.status).toBe(EXIT.osError);
    expect(result.stderr + result.stdout).toContain('eth7');
    await expectNothingLeft();
  });

  test('no privileges, with a [failover] section: the missing capability is named', async () => {
    const result = await run(pairToml('lb-a', webService()), unprivileged());
    expect(result.status).toBe(EXIT.noPermission);
    expect(result.stderr + result.stdout).toMatch(/CAP_NET_(ADMIN|RAW|BIND_SERVICE)/);
    await expectNothingLeft();
  });

  test('no privileges and no [failover] section: the balancer runs', async () => {
    const toml = `
[[service]]
name = "high"
listen = ["10.98.0.1:8088"]
[[service.backend]]
address = "10.98.0.11:8080"
[admin]
socket = "${socketOf()}"
`;
    const config = join(pair.lab.dir, `${serial}.toml`);
    writeFileSync(config, toml);
    const daemon = pair.hostA.spawn('plain', [...unprivileged(), 'node', MAIN, 'run', '--config', config]);
    await eventually(
      `it answers; its output: ${daemon.logPath}`,
      async () => {
        if (daemon.gone) throw new Error(daemon.log());
        return (await pair.hostA.run(['node', MAIN, 'status', '--socket', socketOf()])).status === 0;
      },
      15_000,
      200,
    );
    expect((await pair.hostA.run(['ss', '-Hltn'])).stdout).toContain('10.98.0.1:8088');
    await daemon.stop();
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
  });

  test('whoever reads its log goes: it runs on, also with the log for people', async () => {
    const config = join(pair.lab.dir, `${serial}.toml`);
    const service = '[[service]]\nname = "web"\nlisten = ["10.98.0.1:80"]\n';
    const backend = '[[service.backend]]\naddress = "10.98.0.11:8080"\n';
    writeFileSync(config, `${service}${backend}[admin]\nsocket = "${socketOf()}"\n`);
    const run = ['node', MAIN, 'run', '--config', config, '--log-format', 'pretty'];
    const script = 'exec "$@" > >(head -n 1 && echo "the reader has gone")';
    const daemon = pair.hostA.spawn('unread', ['bash', '-c', script, 'bash', ...run]);
    await eventually('nobody reads any more', () => daemon.log().includes('the reader has gone'), 15_000);
    const reload = (): Promise<RunResult> => pair.hostA.run(['node', MAIN, 'reload', '--socket', socketOf()]);
    await eventually('it answers', async () => (await reload()).status === 0, 15_000, 200);
    // each reload is a line of the log
    expect(await reload()).toMatchObject({ status: 0, stderr: '' });
    await daemon.stop();
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(socketOf())).toBe(false);
  });

  test('SIGTERM during the start: it still ends in order', async () => {
    const config = join(pair.lab.dir, `${serial}.toml`);
    writeFileSync(config, `${pairToml('lb-a', webService())}\n[admin]\nsocket = "${socketOf()}"\n`);
    const daemon = pair.hostA.spawn('stopped', ['node', MAIN, 'run', '--config', config]);
    // the socket is the first thing that it opens, long before listeners and agent
    await eventually('the admin socket is there', () => existsSync(socketOf()), 15_000, 1);
    await daemon.stop();
    expect(await daemon.exited, daemon.log()).toEqual({ code: 0, signal: null });
    expect(existsSync(socketOf())).toBe(false);
    await expectNothingLeft();
    expect(execFileSync('ip', ['netns', 'pids', pair.hostA.ns], { encoding: 'utf8' }).trim()).toBe('');
  });

  test('the native addon was not built', async () => {
    const copy = join(pair.lab.dir, 'without-addon');
    mkdirSync(copy);
    const root = dirname(dirname(MAIN));
    cpSync(dirname(MAIN), join(copy, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const result = await run(pairToml('lb-a', webService()), [], join(copy, 'dist', 'main.js'));
    expect(result.status).not.toBe(0);
    expect(result.stderr + result.stdout).toMatch(/addon/);
    // what to do about it
    expect(result.stderr + result.stdout).toMatch(/npm (run|rebuild|install|ci)/);
  });

  test('a file that is not there, and one that is wrong', async () => {
    const absent = await pair.hostA.run(['node', MAIN, 'run', '--config', '/nonexistent/tandem.toml']);
    expect(absent.status).toBe(EXIT.usage);
    expect(absent.stderr).toContain('/nonexistent/tandem.toml');
    const wrong = await run('[nodes]\nname = "x"\n');
    expect(wrong.status).toBe(EXIT.usage);
    expect(wrong.stderr + wrong.stdout).toContain('did you mean');
    await expectNothingLeft();
  });
});

/**
 * Root's files stay readable (the clone may lie in a directory of root's), everything else is gone:
 * no CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE.
 */
function unprivileged(): string[] {
  return [
    'setpriv',
    '--bounding-set=-all,+dac_override,+dac_read_search',
    '--inh-caps=-all',
    '--no-new-privs',
  ];
}
