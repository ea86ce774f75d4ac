/**
 * The daemon under a service manager, as config/tandem.service has it: it says when it is ready, reloads, stops and lives
 * (a real unix datagram socket hears it), and a user without rights with the unit's capabilities is enough for a pair to
 * fail over (topology: test/support/pair.ts).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type HostProcess, missing } from '../support/netns.ts';
import { createPair, type Pair, pairToml, VIP4, VIP6 } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const UNIT = readFileSync(join(ROOT, 'config/tandem.service'), 'utf8');
const support = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
/** Nobody has it. */
const UID = 64_917;

const unable = missing('python3', 'setpriv', 'systemd-analyze', 'nft', 'curl');

/** "+net_raw,+net_admin": what the unit grants, as setpriv writes it. */
function unitCapabilities(): string {
  const granted = /^AmbientCapabilities=(.*)$/m.exec(UNIT)?.[1] ?? '';
  expect(/^CapabilityBoundingSet=(.*)$/m.exec(UNIT)?.[1]).toBe(granted);
  const names = granted.split(' ').map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`);
  return names.join(',');
}

const SERVICE = `
[[service]]
name = "web"
listen = ["${VIP4}:80", "[${VIP6}]:80"]
[service.health]
type = "exec"
command = ["/bin/sh", "-c", "exit 0"]
interval = "500ms"
[[service.backend]]
address = "10.98.0.11:8080"
`;

/** The most that the privileges must do: macvlan interfaces, nftables, sysctls, and a program that is told. */
const GROUP = `virtual_mac = true
[failover.group.notify]
active = ["/bin/sh", "-c", "id -u"]
`;

describe.skipIf(unable !== null)('config/tandem.service', () => {
  let folder: string;
  let unit: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-unit-'));
    unit = join(folder, 'tandem.service');
    // verify wants the program to be there
    writeFileSync(unit, UNIT.replaceAll('/usr/bin/tandem', '/usr/bin/env'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('systemd-analyze verify has nothing to say', () => {
    const said = execFileSync('systemd-analyze', ['verify', '--man=no', unit], { stdio: 'pipe' });
    expect(said.toString()).toBe('');
  });

  test('systemd-analyze security: at most 2.5', () => {
    const args = ['security', '--offline=yes', '--no-pager', unit];
    const said = execFileSync('systemd-analyze', args, { encoding: 'utf8' });
    const exposure = /Overall exposure level for tandem\.service: ([\d.]+)/.exec(said)?.[1];
    expect(Number(exposure)).toBeGreaterThan(0);
    expect(Number(exposure)).toBeLessThanOrEqual(2.5);
  });
});

describe.skipIf(unable !== null)('under a service manager', () => {
  let pair: Pair;
  let manager: HostProcess;
  let a: Tandem;
  let b: Tandem;

  /** What the manager has heard, one datagram an element. */
  const heard = (): { at: number; pid: number; text: string }[] =>
    manager
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{"'))
      .map((line) => JSON.parse(line));
  const states = (): string[] =>
    heard()
      .map(({ text }) => text.split('\n')[0] ?? '')
      .filter((line) => /^(?:READY|RELOADING|STOPPING)=/.test(line));
  const lastStatus = (): string =>
    heard()
      .filter(({ text }) => text.startsWith('STATUS='))
      .at(-1)?.text ?? '';
  const signs = (): number => heard().filter(({ text }) => text === 'WATCHDOG=1').length;

  beforeAll(async () => {
    pair = createPair('sysd');
    // as /run/tandem is the user's, under systemd
    chownSync(pair.lab.dir, UID, UID);
    chmodSync(pair.lab.dir, 0o755);
    const backend = join(pair.lab.dir, 'backend.py');
    writeFileSync(backend, 'import http.server as h\nh.test(h.SimpleHTTPRequestHandler, port=8080)\n');
    pair.backends[0].spawn('backend', ['python3', backend], { cwd: pair.lab.dir });
  });
  afterAll(() => pair.lab.destroy());

  const asService = (): string[] => {
    return [support('as-service.sh'), `${UID}`, ROOT, unitCapabilities(), 'node', '/mnt/dist/main.js'];
  };

  test('a pair of users without rights, with the capabilities of the unit, serves and fails over', async () => {
    const socket = join(pair.lab.dir, 'notify');
    manager = pair.hostA.spawn('manager', ['python3', support('notify-socket.py'), socket]);
    await eventually('the manager listens', () => manager.log() !== '');
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '800000' };
    a = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE, GROUP), {
      env,
      program: asService(),
    });
    await a.waitState('Active');
    expect(
      execFileSync('ps', ['-o', 'uid=', '-p', `${a.process.pid}`])
        .toString()
        .trim(),
    ).toBe(`${UID}`);
    b = await Tandem.start(pair.lab, pair.hostB, pairToml('lb-b', SERVICE, GROUP), { program: asService() });
    await b.waitState('Backup');
    const { failover } = await a.status();
    expect(failover?.agent).toBe('running');

    const fetched = async (): Promise<number | null> =>
      (await pair.client.run(['curl', '-sf', '-m', '5', '-o', '/dev/null', `http://${VIP4}/`])).status;
    await a.waitEligible('web', ['10.98.0.11:8080']);
    expect(await fetched()).toBe(0);
    await a.signalAll('SIGKILL');
    await b.waitState('Active');
    await b.waitEligible('web', ['10.98.0.11:8080']);
    expect(await fetched()).toBe(0);
    const problems = `${a.process.log()}${b.process.log()}`.split('\n').filter((l) => /EPERM|EACCES/.test(l));
    expect(problems).toEqual([]);
  });

  test('ready once listeners and agent are up; from the supervisor, and with a status', async () => {
    await eventually('its state is told', () => /vrid-51 \w+; web 1\/1 backends/.test(lastStatus()));
    expect(states()).toEqual(['READY=1']);
    const pids = new Set(heard().map(({ pid }) => pid));
    expect([...pids]).toEqual([a.process.pid]);
    const ready = heard().find(({ text }) => text.startsWith('READY=1'));
    expect(ready?.text).toBe(`READY=1\nMAINPID=${a.process.pid}`);
    expect(signs()).toBeGreaterThan(0);
  });

  test('an abstract socket; reload and a refused one; no sign of life without an agent; stop', async () => {
    const socket = `@tandem-test-${process.pid}`;
    manager = pair.hostA.spawn('manager', ['python3', support('notify-socket.py'), socket]);
    await eventually('the manager listens', () => manager.log() !== '');
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' };
    a = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE), { env });
    await eventually('it is ready', () => states().length === 1);
    // neither the agent nor the programs of checks may speak in its name
    const environ = readFileSync(`/proc/${await a.agentPid()}/environ`, 'utf8');
    expect(environ).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);

    expect((await a.tandem('reload')).status).toBe(0);
    expect(states()).toEqual(['READY=1', 'RELOADING=1', 'READY=1']);
    expect(heard().find(({ text }) => text.startsWith('RELOADING'))?.text).toMatch(
      /^RELOADING=1\nMONOTONIC_USEC=\d+$/,
    );
    const good = readFileSync(a.configPath, 'utf8');
    writeFileSync(a.configPath, `${good}\nnonsense = 1\n`);
    expect((await a.tandem('reload')).status).toBe(64);
    expect(states()).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1']);

    const before = signs();
    await eventually('it gives signs of life', () => signs() > before + 3);
    const agent = await a.agentPid();
    process.kill(agent, 'SIGSTOP');
    await eventually('the agent is given up', async () => (await a.status()).failover?.agent !== 'running');
    await eventually('a new agent runs', async () => (await a.status()).failover?.agent === 'running');
    const gaps = heard()
      .filter(({ text }) => text === 'WATCHDOG=1')
      .map(({ at }, i, all) => at - (all[i - 1]?.at ?? at));
    // a sign every 0.1 s, but for the time without an agent, in which at least one is left out
    expect(Math.max(...gaps)).toBeGreaterThan(0.15);

    await a.stop();
    expect(states().at(-1)).toBe('STOPPING=1');
    const last = heard().find(({ text }) => text.startsWith('STOPPING'));
    expect(last?.text).toMatch(/^STOPPING=1\nEXTEND_TIMEOUT_USEC=\d{8,}$/);
    expect(lastStatus()).toBe('STATUS=stopping, draining');
  });

  test('a manager that is not there is told of once, and hurts nothing', async () => {
    const env = { NOTIFY_SOCKET: '/nonexistent/notify', WATCHDOG_USEC: '400000' };
    const alone = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE), { env });
    await alone.waitState('Active');
    await eventually('it says so', () => alone.process.log().includes('daemon.manager'));
    await new Promise((done) => setTimeout(done, 500));
    expect(alone.process.log().match(/daemon\.manager/g)).toHaveLength(1);
    await alone.stop();
  });
});
