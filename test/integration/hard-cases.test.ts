/**
 * What goes wrong at once and in masses, on the built daemon.
 *
 *   clients ---- 127.0.0.1 [tandem run] ---- backends on 127.0.0.1: echo, one that refuses, one that says nothing
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const CROWD = 50_000;
/** A session has a descriptor, of which there may be no more than this process may have. */
const DESCRIPTORS = Number(
  /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
);
const MOST_SESSIONS = Math.min(40_000, DESCRIPTORS - 2_000);
const unable = missing();
const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

interface Load {
  readonly started: number;
  readonly ok: number;
  readonly failed: Readonly<Record<string, number>>;
}

const CONFIG = `[data_path]
workers = 2
[[service]]
name = "limited"
listen = ["127.0.0.1:8000"]
max_connections = 60
on_limit = "reject"
rate = "400/s"
[service.source_limit]
max_connections = 50
rate = "300/s"
[service.queue]
max = 5
[[service.backend]]
address = "127.0.0.1:9001"
max_connections = 20

[[service]]
name = "half-dead"
listen = ["127.0.0.1:8001"]
[service.passive]
failures = 0
[[service.backend]]
address = "127.0.0.1:9001"
[[service.backend]]
address = "127.0.0.1:9999"

[[service]]
name = "dead"
listen = ["127.0.0.1:8002"]
retries = 1
[service.timeout]
connect = "300ms"
[service.passive]
failures = 0
[[service.backend]]
address = "127.0.0.1:9999"
`;

const crowded = (relay: string): string => `[data_path]
workers = 2
relay = "${relay}"
[[service]]
name = "crowd"
protocol = "udp"
listen = ["127.0.0.1:8003"]
max_connections = ${MOST_SESSIONS}
[service.timeout]
session = "1h"
[[service.backend]]
address = "127.0.0.1:9005"
`;

describe.skipIf(unable !== null)('in masses', () => {
  let lab: Lab;
  let host: Host;
  let tandem: Tandem;

  beforeAll(async () => {
    lab = Lab.create('hard');
    host = lab.host('one');
    host.sysctl('net.ipv4.ip_local_port_range', '10000 65000');
    host.spawn('tcp', ['node', script('tcp-echo.mjs'), '127.0.0.1', '9001']);
    const echo = host.spawn('udp', ['node', script('echo-server.mjs'), '9005']);
    await eventually('the backends are there', () => echo.log().includes('ready'));
    tandem = await Tandem.start(lab, host, CONFIG);
  }, 30_000);
  afterAll(() => lab.destroy());

  const load = (port: number, rate: number): HostProcess =>
    host.spawn('load', ['node', script('connect-load.mjs'), '127.0.0.1', `${port}`, `${rate}`]);

  async function finish(process: HostProcess): Promise<Load> {
    process.kill('SIGTERM');
    await process.exited;
    return JSON.parse(process.log()) as Load;
  }

  /** How long the daemon takes to answer, the slowest of several times. */
  async function slowestAnswer(forMs: number): Promise<number> {
    let slowest = 0;
    for (const end = performance.now() + forMs; performance.now() < end; await sleep(100)) {
      const began = performance.now();
      await tandem.status();
      slowest = Math.max(slowest, performance.now() - began);
    }
    return slowest;
  }

  const service = async (name: string) => {
    const found = (await tandem.status()).services.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };

  test('a flood above every limit: the limits hold, the daemon answers within a second', async () => {
    const loads = [load(8000, 1_500), load(8000, 1_500)];
    const sampled: number[] = [];
    const slowest = await slowestAnswer(3_000);
    for (let i = 0; i < 10; i++) sampled.push((await service('limited')).connections);
    expect((await tandem.tandem('status')).stdout).toContain('limited');
    const results = await Promise.all(loads.map(finish));
    const { accepted, refused } = await service('limited');
    expect(slowest).toBeLessThan(1_000);
    expect(Math.max(...sampled)).toBeLessThanOrEqual(60);
    const started = results.reduce((sum, result) => sum + result.started, 0);
    expect(started).toBeGreaterThan(2_000);
    // the source's burst and its rate, for as long as the slowest machine may have taken
    expect(accepted).toBeGreaterThan(300);
    expect(accepted).toBeLessThan(300 * 20);
    expect(refused['source-rate'] ?? 0).toBeGreaterThan(500);
  }, 60_000);

  test('a backend that refuses costs nobody anything while another one lives', async () => {
    const clients = load(8001, 400);
    await sleep(2_500);
    const result = await finish(clients);
    expect(result.failed).toEqual({});
    expect(result.ok).toBeGreaterThan(200);
    const { backends } = await service('half-dead');
    const dead = backends.find(({ id }) => id.endsWith(':9999'));
    expect(dead?.connectErrors).toBeGreaterThan(0);
    // the guard against the black hole: it is asked now and then, not for every other client
    expect(dead?.connectErrors).toBeLessThan(result.started / 4);
  }, 30_000);

  test('where all refuse, each client is told soon and the daemon stays at hand', async () => {
    const clients = load(8002, 400);
    const slowest = await slowestAnswer(2_000);
    const result = await finish(clients);
    expect(slowest).toBeLessThan(1_000);
    expect(result.ok).toBe(0);
    expect(Object.keys(result.failed)).toEqual(['ECONNRESET']);
    await eventually('nothing is left', async () => (await service('dead')).connections === 0);
  }, 30_000);

  test.each(['native', 'node'])(
    `${CROWD} UDP clients where ${MOST_SESSIONS} have room, %s relay: the least recently used make room, all are served`,
    async (relay) => {
      const daemon = await Tandem.start(lab, host, crowded(relay));
      const crowd = host.spawn('crowd', ['node', script('udp-crowd.mjs'), '127.0.0.1', '8003', `${CROWD}`]);
      let [most, slowest, memoryWhenFull] = [0, 0, 0];
      while (!crowd.gone) {
        const began = performance.now();
        const { connections } = (await daemon.status()).services[0] ?? { connections: 0 };
        slowest = Math.max(slowest, performance.now() - began);
        most = Math.max(most, connections);
        if (memoryWhenFull === 0 && connections > MOST_SESSIONS * 0.99) {
          memoryWhenFull = residentMib(daemon.process.pid);
        }
        await sleep(50);
      }
      const result = JSON.parse(crowd.log()) as Record<string, number>;
      expect(result).toMatchObject({ answered: CROWD, lost: 0, wrong: 0 });
      expect(slowest).toBeLessThan(2_000);
      // it was full long before the last one came, and has taken no more since
      expect(most).toBeLessThanOrEqual(MOST_SESSIONS);
      expect(most).toBeGreaterThan(MOST_SESSIONS * 0.99);
      expect(residentMib(daemon.process.pid) - memoryWhenFull).toBeLessThan(100);
      const [service] = (await daemon.status()).services;
      if (service === undefined) throw new Error('no service');
      // nobody's session began twice, nor that of the one who asked all the while, and each ended once
      expect(service.accepted).toBe(CROWD);
      const metrics = await daemon.metrics();
      const counted = (name: string): number =>
        Number(new RegExp(`^tandem_service_${name} (\\d+)`, 'm').exec(metrics)?.[1]);
      expect(counted('sessions_ended_total{service="crowd",reason="evicted"}')).toBe(
        CROWD - service.connections,
      );
      const dropped = counted('datagrams_dropped_total{service="crowd"}');
      expect(counted('datagrams_in_total{service="crowd"}') + dropped).toBe(result['asked']);
      if (dropped === 0) expect(service.bytesIn).toBe(result['bytes']);
      expect(service.bytesOut).toBe(service.bytesIn);
      await daemon.crash();
    },
    300_000,
  );
});

function residentMib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}
