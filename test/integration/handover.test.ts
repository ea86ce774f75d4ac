/**
 * Planned handovers of a pair of real daemons (topology: test/support/pair.ts; lb-a has priority 200, lb-b
 * 100; be-1 echoes TCP and UDP): live connections of every kind, new ones and a 1 ms UDP probe all the while,
 * and nothing left behind.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { footprint } from '../support/footprint.ts';
import { eventually, type Host, type HostProcess, missing } from '../support/netns.ts';
import { createPair, type Pair, VIP4, VIP6 } from '../support/pair.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const unable = missing('nft', 'arping');
const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url));
const CLIENTS = fileURLToPath(new URL('../support/kept-clients.mjs', import.meta.url));
const PROBE = fileURLToPath(new URL('../support/udp-probe.mjs', import.meta.url));
const SECRET = 'a secret for tests, long enough for the rule';

interface Report {
  readonly kept: number;
  readonly lost: number;
  readonly exchanges: number;
  readonly pushed: number;
  readonly uploaded: number;
  readonly fresh: number;
  readonly freshFailed: number;
  readonly why: readonly string[];
}

interface ProbeReport {
  readonly sent: number;
  readonly received: number;
  readonly lost: readonly string[];
}

describe.skipIf(unable !== null)('planned handover', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;

  const secretFile = (name: string, text: string): string => {
    const path = join(pair.lab.dir, name);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  };

  function toml(node: 'lb-a' | 'lb-b', options: { secret: string; drain: string }): string {
    const [own, other, priority] = node === 'lb-a' ? [1, 2, 200] : [2, 1, 100];
    const service = (protocol: string): string => `
[[service]]
name = "echo-${protocol}"
protocol = "${protocol}"
listen = ["${VIP4}:7000", "[${VIP6}]:7000"]
[[service.backend]]
address = "10.98.0.11:7000"
`;
    return `
[node]
name = "${node}"
${service('tcp')}${service('udp')}
[failover]
interface = "eth0"
advertise_interval = "100ms"
priority = ${priority}
[failover.peer]
address = "10.98.0.${other}"
listen = "10.98.0.${own}:8694"
secret_file = "${options.secret}"
drain = "${options.drain}"
[[failover.group]]
vrid = 51
addresses = ["${VIP4}/24", "${VIP6}/64"]
`;
  }

  const footprintOf = (host: Host): Promise<string> => footprint(host, [VIP4, VIP6]);

  async function footprints(): Promise<string[]> {
    return [await footprintOf(pair.hostA), await footprintOf(pair.hostB)];
  }

  const start = (host: Host, drain = '4s', secret = 'peer.key'): Promise<Tandem> =>
    Tandem.start(
      pair.lab,
      host,
      toml(host === pair.hostA ? 'lb-a' : 'lb-b', { secret: join(pair.lab.dir, secret), drain }),
    );

  async function startBoth(drain: string): Promise<void> {
    a = await start(pair.hostA, drain);
    await a.waitState('Active');
    b = await start(pair.hostB, drain);
    await b.waitState('Backup');
  }

  async function running(name: string, args: readonly string[]): Promise<HostProcess> {
    const process = pair.client.spawn(name, ['node', ...args]);
    await eventually(`${name} runs`, () => process.log().includes('started'), 20_000);
    return process;
  }

  const clients = (address: string, kept = 50): Promise<HostProcess> =>
    running('clients', [CLIENTS, address, '7000', `${kept}`]);
  const probe = (address: string, everyMs: number): Promise<HostProcess> =>
    running('probe', [PROBE, address, '7000', `${everyMs}`]);

  async function reportOf<T>(process: HostProcess): Promise<T> {
    await process.stop(15_000);
    await eventually('the report is on disk', () => process.log().endsWith('}\n'));
    return JSON.parse(process.log().trim().split('\n').at(-1) ?? '') as T;
  }

  async function handover(from: Tandem, to: Tandem): Promise<string> {
    const done = await from.tandem('failover', 'handover', '--require-peer');
    expect(done.status, done.stderr + from.process.log() + to.process.log()).toBe(0);
    await to.waitState('Active');
    await from.waitState('Backup');
    return done.stdout;
  }

  /** Datagrams that kernels dropped because a socket's buffer was full, and the forwarders when they said so. */
  async function overruns(): Promise<number> {
    let sum = 0;
    for (const host of [pair.client, pair.hostA, pair.hostB, pair.backends[0]]) {
      const { stdout } = await host.run(['cat', '/proc/net/snmp', '/proc/net/snmp6']);
      const [names, values] = stdout.split('\n').filter((line) => line.startsWith('Udp:'));
      const column = names?.split(' ').indexOf('RcvbufErrors') ?? -1;
      sum += Number(values?.split(' ')[column]) + Number(/^Udp6RcvbufErrors\s+(\d+)/m.exec(stdout)?.[1]);
    }
    for (const node of [a, b]) {
      for (const [, n] of (await node.metrics()).matchAll(
        /^tandem_service_datagrams_dropped_total\{.*\} (\d+)/gm,
      )) {
        sum += Number(n);
      }
    }
    return sum;
  }

  async function leavesNothing(before: readonly string[]): Promise<void> {
    const same = async (): Promise<boolean> => (await footprints()).join() === before.join();
    await eventually('what the handover needed is gone', same, 20_000, 300).catch(async () => {
      expect(await footprints()).toEqual(before);
    });
  }

  beforeAll(async () => {
    pair = createPair('handover');
    secretFile('peer.key', SECRET);
    secretFile('other.key', `${SECRET}, but another one`);
    const echo = pair.backends[0].spawn('echo', ['node', ECHO, '7000']);
    await eventually('the echo server runs', () => echo.log().includes('ready'));
  });
  afterEach(async () => {
    await Promise.all([a.stop(), b.stop()]);
  });
  afterAll(() => pair.lab.destroy());

  test('to and fro with 50 connections to each address: all live, no datagram is lost, nothing is left', async () => {
    await startBoth('20s');
    const before = await footprints();
    const overrunsBefore = await overruns();
    // the control goes to the echo server itself: what it loses is the machine's doing
    const probes = await Promise.all([probe(VIP4, 1), probe(VIP6, 5), probe('10.98.0.11', 5)]);
    const running = await Promise.all([clients(VIP4), clients(VIP6)]);
    await pause(1_000);
    const said = await handover(a, b);
    expect(said).toContain('established connections go on here for up to 20 s');
    // while earlier drains still run: connections of both nodes live on
    for (const [from, to] of [
      [b, a],
      [a, b],
      [b, a],
      [a, b],
      [b, a],
    ] as const) {
      await pause(800);
      await handover(from, to);
    }
    await pause(1_000);
    for (const report of await Promise.all(running.map((process) => reportOf<Report>(process)))) {
      expect(report).toMatchObject({ why: [], kept: 50, lost: 0, freshFailed: 0 });
      expect(report.exchanges).toBeGreaterThan(200);
      expect(report.pushed).toBeGreaterThan(200);
      expect(report.uploaded).toBeGreaterThan(500_000);
      expect(report.fresh).toBeGreaterThan(20);
    }
    const reports = await Promise.all(probes.map((process) => reportOf<ProbeReport>(process)));
    const lost = reports.reduce((sum, { sent, received }) => sum + sent - received, 0);
    // on a machine so busy that a process does not run for half a second, buffers run over, which is counted
    const overrun = (await overruns()) - overrunsBefore;
    expect(lost, JSON.stringify({ reports, overrun })).toBeLessThanOrEqual(overrun);
    await leavesNothing(before);
    for (const node of [a, b]) expect(node.process.log()).not.toContain('failover.error');
  });

  test('the drain ends with its last connection, on both nodes, and shows how many are left until then', async () => {
    await startBoth('60s');
    const before = await footprints();
    const live = await clients(VIP4, 7);
    const waiting = pair.hostA.spawn('wait', [
      'node',
      MAIN,
      'failover',
      'handover',
      '--require-peer',
      '--wait',
      '--socket',
      a.socket,
    ]);
    await b.waitState('Active');
    await eventually('7 connections are counted', async () =>
      ((await a.status()).failover?.drains ?? []).some(
        ({ role, connections }) => role === 'giver' && connections === 7,
      ),
    );
    expect((await a.tandem('status')).stdout).toMatch(
      /drain .* 7 of 7 old connections are still here, over in/,
    );
    expect((await b.tandem('failover')).stdout).toMatch(/drain .* connections of the peer are sent on to it/);
    expect(waiting.gone).toBe(false);
    await reportOf(live);
    expect((await waiting.exited).code, waiting.log()).toBe(0);
    expect(waiting.log()).toMatch(/draining: 7 of 7 connections left/);
    expect(waiting.log()).toMatch(/the last connection has ended, [\d.]+ s after the handover/);
    await eventually('lb-b no longer sends on packets', () =>
      b.process.log().includes('the last connection of the peer has ended'),
    );
    await handover(b, a);
    await leavesNothing(before);
  });

  test('of one group takes all groups of its sync along, with their connections', async () => {
    const second = '10.98.0.101';
    const synced = (node: 'lb-a' | 'lb-b'): string =>
      `${toml(node, { secret: join(pair.lab.dir, 'peer.key'), drain: '20s' })}sync = "edge"
[[failover.group]]
name = "second"
vrid = 52
addresses = ["${second}/24"]
sync = "edge"
[[service]]
name = "second"
protocol = "tcp"
listen = ["${second}:7000"]
[[service.backend]]
address = "10.98.0.11:7000"
`;
    a = await Tandem.start(pair.lab, pair.hostA, synced('lb-a'));
    await a.waitState('Active');
    b = await Tandem.start(pair.lab, pair.hostB, synced('lb-b'));
    await b.waitState('Backup');
    const running = await Promise.all([clients(VIP6, 7), clients(second, 7)]);
    const done = await a.tandem('failover', 'handover', 'second', '--require-peer');
    expect(done.status, done.stderr).toBe(0);
    await b.waitState('Active');
    await a.waitState('Backup');
    expect(await footprintOf(pair.hostB)).toMatch(/tandem_handover_51_eth0[\s\S]*tandem_handover_52_eth0/);
    await pause(500);
    for (const report of await Promise.all(running.map((process) => reportOf<Report>(process)))) {
      expect(report).toMatchObject({ why: [], kept: 7, lost: 0, freshFailed: 0 });
    }
    const asked = await a.tandem('failover', 'takeover', 'second', '--ask-peer');
    expect(asked.status, asked.stderr).toBe(0);
    await a.waitState('Active');
  });

  test('not to a peer that is no better placed, unless it must be', async () => {
    const marked = (node: 'lb-a' | 'lb-b'): string =>
      `${toml(node, { secret: join(pair.lab.dir, 'peer.key'), drain: '4s' })}track = ["mark"]
[[failover.track]]
name = "mark"
type = "file"
path = "${join(pair.lab.dir, `mark-${node}`)}"
interval = "100ms"
`;
    const mark = (node: string, weight: number): void =>
      writeFileSync(join(pair.lab.dir, `mark-${node}`), `${weight}\n`);
    mark('lb-a', 0);
    mark('lb-b', -20);
    a = await Tandem.start(pair.lab, pair.hostA, marked('lb-a'));
    await a.waitState('Active');
    b = await Tandem.start(pair.lab, pair.hostB, marked('lb-b'));
    await b.waitState('Backup');
    await eventually('lb-b is marked', async () => (await b.router()).effectivePriority === 80);
    const refused = await a.tandem('failover', 'handover');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /the peer refuses: its group .* is no better placed \(priority 80 instead of 100\)/,
    );
    await a.waitState('Active');
    mark('lb-a', -20);
    await eventually('lb-a is marked', async () => (await a.router()).effectivePriority === 180);
    expect((await a.tandem('failover', 'handover')).stderr).toContain('is no better placed');
    // worse than the peer: that is what a handover is for
    mark('lb-a', -30);
    await eventually('lb-a is worse', async () => (await a.router()).effectivePriority === 170);
    await handover(a, b);
    mark('lb-a', -90);
    await eventually('lb-a is worst', async () => (await a.router()).effectivePriority === 110);
    expect((await b.tandem('failover', 'handover')).stderr).toContain('is no better placed');
    const forced = await b.tandem('failover', 'handover', '--force', '--require-peer');
    expect(forced.status, forced.stderr).toBe(0);
    await a.waitState('Active');
    await b.waitState('Backup');
    // and back, asked for by the one that wants it
    mark('lb-b', 0);
    await eventually('lb-b is well', async () => (await b.router()).effectivePriority === 100);
    const asked = await b.tandem('failover', 'takeover', '--ask-peer');
    expect(asked.stdout + asked.stderr).toContain('the peer handed over to this node');
    await b.waitState('Active');
    await a.waitState('Backup');
  });

  test('kill -9 of either node during the drain: the other serves, and the next start cleans up', async () => {
    await startBoth('12s');
    const before = await footprints();
    // without a connection the drains would be over at once
    const live = await clients(VIP4, 2);
    await handover(a, b);
    expect(await footprintOf(pair.hostA)).toContain('tandem_handover_51_eth0');
    expect(await footprintOf(pair.hostB)).toContain('tandem_handover_51_eth0');

    await b.crash();
    // the giver is Active again: it must answer for the address, and needs nothing on lo any more
    await a.waitState('Active');
    await eventually('lb-a has ended its drain', async () => {
      const now = await footprintOf(pair.hostA);
      return !now.includes('tandem_handover') && !/: lo .*10\.98\.0\.100/.test(now);
    });
    expect((await pair.client.run(['arping', '-c', '1', '-w', '3', '-I', 'eth0', VIP4])).status).toBe(0);
    b = await start(pair.hostB, '12s');
    await eventually('lb-b says what it removed', () =>
      /failover\.cleanup.*nftables table netdev tandem_handover_51_eth0/.test(b.process.log()),
    );
    await b.waitState('Backup');
    await leavesNothing(before);

    live.kill('SIGKILL');
    const more = await clients(VIP4, 2);
    await handover(a, b);
    await a.crash();
    more.kill('SIGKILL');
    expect(pair.hostA.holds(VIP4)).toBe(true);
    a = await start(pair.hostA, '12s');
    await eventually('lb-a says what it removed', () =>
      /failover\.cleanup.*nftables table arp tandem_handover_51_eth0.*on lo/.test(a.process.log()),
    );
    // b has outbid a, and keeps the role
    await a.waitState('Backup');
    await eventually(
      'the drain is over',
      async () => !/tandem_handover|: lo .*(10\.98\.0\.100|98::100)/.test((await footprints()).join()),
      20_000,
      300,
    );
    expect([pair.hostA.holds(VIP4), pair.hostB.holds(VIP4)]).toEqual([false, true]);
  });

  test('to a peer that is gone nothing is handed over, unless forced', async () => {
    await startBoth('5s');
    await b.stop();
    for (const args of [[], ['--require-peer'], ['--require-peer', '--force']]) {
      const refused = await a.tandem('failover', 'handover', ...args);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('the peer cannot be reached: 10.98.0.2:8694: ECONNREFUSED');
    }
    expect((await a.router()).state).toBe('Active');
    expect(a.process.log()).not.toContain('sent priority 0');
    const done = await a.tandem('failover', 'handover', '--force');
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout).toContain('sent priority 0 instead');
    expect((await a.router()).reason).not.toBe('startup');
  });

  test('a peer with another key is not believed, and does not believe', async () => {
    await startBoth('5s');
    await b.stop();
    b = await start(pair.hostB, '5s', 'other.key');
    await b.waitState('Backup');
    for (const args of [[], ['--require-peer']]) {
      const refused = await a.tandem('failover', 'handover', ...args);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('the peer cannot be trusted: 10.98.0.2:8694: it has another key');
    }
    await a.waitState('Active');
    expect(a.process.log() + b.process.log()).not.toContain(SECRET);
  });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
