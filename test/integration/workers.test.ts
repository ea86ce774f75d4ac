/**
 * Several worker threads (dist/): limits over all of them, what is left of a worker that dies or stalls.
 *
 *   clients ---- 127.0.0.1:service [worker 0, 1, 2] ---- backends on 127.0.0.1
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seconds } from '../../src/lib/duration.ts';
import type { ServiceSpec } from '../../src/model/service.ts';
import { backend, endpoint, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { exchange, nextChunk, readToEnd, type TcpServer, tcpClient, tcpServer } from '../support/tcp.ts';
import { UdpClient, udpServer } from '../support/udp.ts';
import { WorkerRig } from '../support/worker-rig.ts';

const WORKERS = 3;
const CONNECT_LOAD = fileURLToPath(new URL('../support/connect-load.mjs', import.meta.url));
let rig: WorkerRig;
let port: number;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  rig = await WorkerRig.start(WORKERS);
  port = await freePort();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await rig.stop();
});

async function echo(): Promise<TcpServer> {
  const server = await tcpServer((socket) => socket.pipe(socket));
  cleanups.push(server.close);
  return server;
}

const serve = (overrides: Partial<ServiceSpec> & Pick<ServiceSpec, 'backends'>): Promise<ServiceSpec> =>
  rig.open(serviceSpec({ listen: [endpoint(`127.0.0.1:${port}`)], ...overrides }));

async function client(): Promise<Socket> {
  const socket = await tcpClient(port);
  cleanups.push(() => void socket.destroy());
  return socket;
}

/** A client that has had an answer, and which worker it came to. */
async function established(): Promise<{ socket: Socket; worker: number }> {
  const before = rig.connections();
  const socket = await client();
  socket.write('hello');
  await nextChunk(socket);
  const worker = rig.connections().findIndex((count, i) => count > (before[i] ?? 0));
  return { socket, worker };
}

/** One or more in each worker; the kernel's hash decides where each goes. */
async function inEveryWorker(): Promise<{ socket: Socket; worker: number }[]> {
  const all: { socket: Socket; worker: number }[] = [];
  while (new Set(all.map(({ worker }) => worker)).size < WORKERS) all.push(await established());
  return all;
}

const refused = (): Readonly<Record<string, number>> => rig.rig.service().refused;

describe('limits over all workers', () => {
  it('hold for backend, queue, service and source, whichever workers the clients come to', async () => {
    const server = await tcpServer(() => undefined);
    cleanups.push(server.close);
    const spec = await serve({
      backends: [backend(server.address, { maxConnections: 7 })],
      queue: { max: 5, timeout: seconds(60) },
      maxConnections: 10,
    });
    const crowd = Array.from({ length: 60 }, () => exchangeQuietly(port));
    await eventually('48 were refused', () => (refused()['service-limit'] ?? 0) === 50);
    expect(rig.rig.service()).toMatchObject({ connections: 10, queued: 3 });
    expect(rig.rig.backend(server.address).connections).toBe(7);
    const open = { ...spec, maxConnections: null, sourceLimit: sourceLimit(11) };
    rig.rig.dataPath.updateService(open, rig.rig.set(open));
    await eventually('11 of the source, one waits', async () => {
      crowd.push(exchangeQuietly(port));
      return rig.rig.service().queued === 5;
    });
    await Promise.all(Array.from({ length: 40 }, () => exchangeQuietly(port, 200)));
    expect(rig.rig.service().queued).toBe(5);
    expect(refused()['queue-full'] ?? 0).toBeGreaterThan(0);
    for (const socket of server.accepted) socket.destroy();
    await server.close();
    await Promise.all(crowd);
    await rig.quiet();
  });

  it('count sources exactly, also while clients come and go', async () => {
    const server = await echo();
    await serve({ backends: [backend(server.address)], sourceLimit: sourceLimit(4) });
    let [most, served] = [0, 0];
    const sampler = setInterval(() => {
      most = Math.max(most, rig.rig.service().connections);
    }, 1);
    const one = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) if ((await exchange(port, 'x')).bytes.length === 1) served++;
    };
    await Promise.all(Array.from({ length: 12 }, one));
    clearInterval(sampler);
    // one that meets the limit between look and take is counted until it is refused: one a worker
    expect(most).toBeLessThan(4 + WORKERS);
    expect(served + (refused()['source-limit'] ?? 0)).toBe(480);
    expect(served).toBeGreaterThan(40);
    await rig.quiet();
    expect(rig.rig.service().sources).toBe(0);
  });

  it('let a place that one worker gives back be taken by who waits in another, the longest waiting first', async () => {
    const server = await echo();
    await serve({
      backends: [backend(server.address, { maxConnections: WORKERS * 4 })],
      queue: { max: 100, timeout: seconds(60) },
    });
    const holders: Socket[] = [];
    while (holders.length < WORKERS * 4) holders.push((await established()).socket);
    const order: number[] = [];
    for (let n = 0; n < 12; n++) {
      const waiter = await client();
      waiter.once('data', () => order.push(n));
      waiter.write('x');
      await eventually('it waits', () => rig.rig.service().queued === n + 1);
    }
    for (const [n, holder] of holders.entries()) {
      holder.destroy();
      await eventually('one more is served', () => order.length === n + 1, 10_000, 1);
    }
    // in their order; on a starved machine the woken worker may be late, and the next one in line goes first
    const displaced = order.map((n, at) => Math.abs(n - at));
    expect(Math.max(...displaced)).toBeLessThanOrEqual(2);
    expect(displaced.filter((by) => by === 0).length).toBeGreaterThanOrEqual(8);
  });

  it('on_limit = "wait": no worker keeps its backlog waiting while others take all the places', async () => {
    const server = await echo();
    await serve({ backends: [backend(server.address)], maxConnections: 2, onLimit: 'wait' });
    const clients = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const socket = await client();
        socket.write('x');
        const chunk = nextChunk(socket);
        return chunk.then(() => void socket.destroy());
      }),
    );
    expect(clients).toHaveLength(30);
    expect(Object.values(refused()).every((count) => count === 0)).toBe(true);
    await rig.quiet();
  }, 20_000);

  it('on_limit = "wait": who leaves makes room at once, and not at the next tick', async () => {
    const server = await echo();
    await serve({ backends: [backend(server.address)], maxConnections: 1, onLimit: 'wait' });
    const one = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) expect((await exchange(port, 'x')).bytes.toString()).toBe('x');
    };
    // 600 clients, one at a time: half a minute if each waited for a tick
    await Promise.all(Array.from({ length: 12 }, one));
    expect(Object.values(refused()).every((count) => count === 0)).toBe(true);
    expect(rig.rig.service().accepted).toBe(600);
    await rig.quiet();
  }, 15_000);
});

describe('a worker of several', () => {
  it('that dies is replaced: others go on, its counts are given back, its backlog is served', async () => {
    const server = await echo();
    await serve({ backends: [backend(server.address)], sourceLimit: sourceLimit(1_000) });
    const all = await inEveryWorker();
    const victims = all.filter(({ worker }) => worker === 1);
    const cut = victims.map(({ socket }) => readToEnd(socket));
    rig.crash(1);
    await Promise.all(cut);
    // those whom the kernel sends to the dead worker's socket are served as well
    const answers = Promise.all(Array.from({ length: 30 }, () => exchange(port, 'meanwhile')));
    expect((await answers).every(({ bytes }) => bytes.toString() === 'meanwhile')).toBe(true);
    await eventually('it is back', () => rig.rig.dataPath.workers().every(({ alive }) => alive));
    const left = all.length - victims.length;
    await eventually('its counts are given back', () => rig.rig.service().connections === left);
    expect(rig.rig.backend(server.address).connections).toBe(left);
    for (const { socket, worker } of all) {
      if (worker === 1) continue;
      socket.write('still');
      expect((await nextChunk(socket)).toString()).toBe('still');
      socket.destroy();
    }
    await eventually('the new one gets clients', async () => (await established()).worker === 1);
    for (const cleanup of cleanups.splice(1)) await cleanup();
    await rig.quiet();
    expect(rig.rig.service().sources).toBe(0);
    expect(rig.rig.events.map(({ name }) => name)).toEqual(['worker.exited']);
  });

  it('that dies again and again under load costs only the connections that it had', async () => {
    const server = await echo();
    await serve({
      backends: [backend(server.address)],
      sourceLimit: sourceLimit(5_000),
      maxConnections: 5_000,
    });
    const load = spawn('node', [CONNECT_LOAD, '127.0.0.1', `${port}`, '400'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = text(load.stdout);
    for (const worker of [0, 2, 0]) {
      await sleep(500);
      const restarts = rig.rig.dataPath.workers()[worker]?.restarts ?? 0;
      rig.crash(worker);
      await eventually('it has died', () => {
        const now = rig.rig.dataPath.workers()[worker];
        return now?.restarts === restarts + 1 && now.alive;
      });
    }
    await sleep(500);
    load.kill('SIGTERM');
    const result = JSON.parse(await output) as {
      started: number;
      ok: number;
      failed: Record<string, number>;
    };
    const failed = result.started - result.ok;
    // each connection lives for a few milliseconds: few are in a worker at the moment of its death
    expect(failed).toBeLessThan(Math.max(60, result.started / 10));
    expect(result.failed['ECONNREFUSED']).toBeUndefined();
    expect(result.failed['timeout']).toBeUndefined();
    expect(result.ok).toBeGreaterThan(300);
    await rig.quiet();
    expect(rig.rig.service().sources).toBe(0);
  }, 30_000);

  it('that stalls keeps nobody waiting: another one accepts for it', async () => {
    const server = await echo();
    const spec = await serve({ backends: [backend(server.address)] });
    await inEveryWorker();
    const beats = rig.rig.worker(2).heartbeats;
    rig.stall(2, spec);
    await eventually('it is seen', () => rig.rig.dataPath.workers()[2]?.stalled === true);
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(port, 'x')));
    expect(answers.every(({ bytes }) => bytes.length === 1)).toBe(true);
    const during = rig.rig.worker(2).heartbeats;
    expect(during - beats).toBeLessThan(50);
    await eventually('it turns again', () => rig.rig.dataPath.workers()[2]?.stalled === false, 30_000);
    await eventually('it accepts again', async () => (await established()).worker === 2);
  }, 60_000);
});

describe('UDP sessions in several workers', () => {
  it('stay where they are while a worker is replaced; its clients lose no datagram to another', async () => {
    const server = await udpServer((datagram, from) =>
      Buffer.concat([datagram, Buffer.from(`/${from.port}`)]),
    );
    cleanups.push(server.close);
    await serve({ protocol: 'udp', backends: [backend(server.address)] });
    const clients = await Promise.all(Array.from({ length: 24 }, () => UdpClient.open(port)));
    cleanups.push(() => {
      for (const each of clients) each.close();
    });
    const upstreams = async (): Promise<string[]> => {
      return Promise.all(clients.map(async (each) => (await each.ask('x', 5_000))?.toString() ?? 'lost'));
    };
    const before = await upstreams();
    const held = rig.connections();
    expect(held.every((count) => count > 0)).toBe(true);
    rig.terminate(0);
    await eventually('it is gone', () => !rig.rig.dataPath.workers()[0]?.alive, 10_000, 1);
    // the dead one's clients wait in its socket's buffer until the new one reads it
    const after = await upstreams();
    expect(after).not.toContain('lost');
    expect(after.filter((upstream, i) => upstream !== before[i])).toHaveLength(held[0] ?? 0);
    expect(rig.connections()).toEqual(held);
    expect(await upstreams()).toEqual(after);
  });

  it('are capped over all workers, and make room for each other', async () => {
    const server = await udpServer((datagram) => datagram);
    cleanups.push(server.close);
    await serve({ protocol: 'udp', backends: [backend(server.address)], maxConnections: 2 });
    let [most, served] = [0, 0];
    for (let n = 0; n < 30; n++) {
      const each = await UdpClient.open(port);
      // the datagram that finds a full house in a worker without a session makes another one end its oldest
      for (let tries = 0; tries < 10; tries++) {
        if ((await each.ask('x', 200)) === null) continue;
        served++;
        break;
      }
      most = Math.max(most, rig.rig.service().connections);
      each.close();
    }
    expect([served, most]).toEqual([30, 2]);
    expect(rig.rig.service().sessionsEnded.evicted).toBe(28);
  });
});

const sourceLimit = (maxConnections: number) => ({ maxConnections, rate: null, prefix4: 32, prefix6: 128 });

/** Connects, holds on until it is ended, or for so long. */
async function exchangeQuietly(to: number, forMs = 60_000): Promise<void> {
  const socket = await tcpClient(to).catch(() => null);
  if (socket === null) return;
  const timer = setTimeout(() => socket.destroy(), forMs);
  await readToEnd(socket);
  clearTimeout(timer);
  socket.destroy();
}
