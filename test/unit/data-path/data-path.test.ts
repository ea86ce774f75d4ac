import { describe, expect, it } from 'vitest';
import { CounterReader, CounterWriter, createCounters } from '../../../src/data-path/counters.ts';
import { DataPath } from '../../../src/data-path/data-path.ts';
import type { SocketOpener } from '../../../src/data-path/listening-sockets.ts';
import { socketsOf } from '../../../src/data-path/listening-sockets.ts';
import type { ToWorker } from '../../../src/data-path/protocol.ts';
import type { WorkerListener } from '../../../src/data-path/worker-thread.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { TandemError } from '../../../src/lib/errors.ts';
import type { EventInput } from '../../../src/model/event.ts';
import { backend, endpoint, serviceSpec } from '../../support/data-path.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const errno = (code: string): Error => Object.assign(new Error(`bind: ${code}`), { code });

/** Descriptors are numbers that are given out once; `refuse` makes calls fail. */
class Sockets implements SocketOpener {
  readonly open = new Set<number>();
  refuse: ((port: number) => string | null) | null = null;
  noDuplicates = false;
  #next = 100;

  openTcpListener({ port }: { port: number }): number {
    const code = this.refuse?.(port) ?? null;
    if (code !== null) throw errno(code);
    return this.#new();
  }

  openUdpSocket(options: { port: number }): number {
    return this.openTcpListener(options);
  }

  setTcpOptions(fd: number): void {
    if (!this.open.has(fd)) throw errno('EBADF');
  }

  dupFd(): number {
    if (this.noDuplicates) throw errno('EMFILE');
    return this.#new();
  }

  closeFd(fd: number): void {
    if (!this.open.delete(fd)) throw new Error(`${fd} is not open`);
  }

  #new(): number {
    this.open.add(this.#next);
    return this.#next++;
  }
}

function rig() {
  const clock = new ManualClock();
  const sockets = new Sockets();
  const counters = createCounters({ workers: 1, services: 2, backends: 2 });
  const events: EventInput[] = [];
  const workers: { said: ToWorker[]; listener: WorkerListener; terminated: boolean }[] = [];
  const dataPath = new DataPath({
    opener: sockets,
    counters,
    limits: { maxConnections: 10, fdReserve: 1, fdLimit: 100, localPorts: 100 },
    relay: 'node',
    clock,
    emit: (event) => events.push(event),
    onTraffic: () => undefined,
    spawn: (_data, listener) => {
      const worker = { said: [] as ToWorker[], listener, terminated: false };
      workers.push(worker);
      return {
        post: (message) => worker.said.push(message),
        terminate: () => {
          worker.terminated = true;
          listener.onExit(null);
        },
      };
    },
  });
  const started = dataPath.start();
  workers[0]?.listener.onMessage({ type: 'ready' });
  return { clock, sockets, counters, events, workers, dataPath, started };
}

const spec = (...ports: number[]) =>
  serviceSpec({
    listen: ports.map((port) => endpoint(`127.0.0.1:${port}`)),
    backends: [backend('127.0.0.1:9')],
  });
const set = { version: 1, members: [] };
const types = (said: readonly ToWorker[]): string[] => said.map(({ type }) => type);

describe('DataPath', () => {
  it('reserves all sockets or none, and says which one failed and why', () => {
    const { dataPath, sockets } = rig();
    sockets.refuse = (port) => (port === 3 ? 'EADDRINUSE' : null);
    const attempt = (): unknown => dataPath.reserve(socketsOf(spec(1, 2, 3, 4)));
    expect(attempt).toThrow(TandemError);
    expect(attempt).toThrow(/service svc cannot listen on tcp 127.0.0.1:3/);
    expect(sockets.open.size).toBe(0);
  });

  it('undoes a reservation, but not what a service already uses', () => {
    const { dataPath, sockets } = rig();
    dataPath.openService({ slot: 0, spec: spec(1), backends: set });
    const inUse = sockets.open.size;
    dataPath.reserve(socketsOf(spec(1, 2)))();
    expect(sockets.open.size).toBe(inUse);
  });

  it('tells a new worker everything, after a delay that doubles and is forgotten in time', async () => {
    const { clock, workers, dataPath, counters, events, started } = rig();
    await started;
    dataPath.openService({ slot: 0, spec: spec(1), backends: set });
    dataPath.setBackends('svc', { version: 7, members: [] });
    new CounterWriter(counters, 0).tryEnterProcess(10);
    const restartsAfter = (ms: number): boolean => {
      const before = workers.length;
      workers.at(-1)?.listener.onExit(new Error('broken'));
      clock.advance(millis(ms - 1));
      const early = workers.length > before;
      clock.advance(millis(1));
      return !early && workers.length === before + 1;
    };
    expect([restartsAfter(100), restartsAfter(200), restartsAfter(400)]).toEqual([true, true, true]);
    clock.advance(seconds(60));
    expect(restartsAfter(100)).toBe(true);
    expect(new CounterReader(counters).process().connections).toBe(0);
    expect(events.map(({ name }) => name)).toEqual(events.map(() => 'worker.exited'));
    expect(workers.at(-1)?.said).toMatchObject([
      { type: 'service-open', slot: 0, backends: { version: 7 }, listeners: [{ endpoint: { port: 1 } }] },
    ]);
  });

  it('gives a listener later when there is no descriptor for it now', () => {
    const { clock, sockets, workers, dataPath, events } = rig();
    dataPath.openService({ slot: 0, spec: spec(1), backends: set });
    sockets.noDuplicates = true;
    const wanted = {
      type: 'listener-wanted',
      service: 'svc',
      endpoint: endpoint('127.0.0.1:1'),
      place: 0,
    } as const;
    workers[0]?.listener.onMessage(wanted);
    expect(events.map(({ name }) => name)).toEqual(['listener.failed']);
    clock.advance(seconds(1));
    expect(types(workers[0]?.said ?? [])).toEqual(['service-open']);
    sockets.noDuplicates = false;
    clock.advance(seconds(1));
    expect(types(workers[0]?.said ?? [])).toEqual(['service-open', 'listener']);
  });

  it('closes its own sockets with their service; the worker says when the last client has gone', async () => {
    const { sockets, workers, dataPath } = rig();
    dataPath.openService({ slot: 0, spec: spec(1, 2), backends: set });
    let closed = false;
    const closing = dataPath.closeService('svc', seconds(5)).then(() => {
      closed = true;
    });
    expect(sockets.open.size).toBe(2); // the worker's duplicates
    await Promise.resolve();
    expect(closed).toBe(false);
    workers[0]?.listener.onMessage({ type: 'service-closed', service: 'svc' });
    await closing;
  });

  it('closes what was posted to a worker that died before it read it, and nothing that one took', () => {
    const { sockets, workers, dataPath } = rig();
    dataPath.openService({ slot: 0, spec: spec(1, 2), backends: set });
    const [opening] = workers[0]?.said ?? [];
    const fds = opening?.type === 'service-open' ? opening.listeners.map(({ fd }) => fd) : [];
    expect(fds).toHaveLength(2);
    workers[0]?.listener.onMessage({ type: 'descriptors-taken', fds });
    dataPath.updateService(spec(1, 2, 3), set);
    const own = sockets.open.size;
    expect(own).toBe(3 + 3);
    workers[0]?.listener.onExit(new Error('broken'));
    expect(sockets.open.size).toBe(own - 1);
    for (const fd of fds) expect(sockets.open.has(fd)).toBe(true);
  });

  it('does not wait for a service whose worker died', async () => {
    const { workers, dataPath } = rig();
    dataPath.openService({ slot: 0, spec: spec(1), backends: set });
    const closing = dataPath.closeService('svc', seconds(5));
    workers[0]?.listener.onExit(null);
    await closing;
  });

  it('ends a worker that does not stop by itself', async () => {
    const { clock, workers, dataPath } = rig();
    const stopping = dataPath.stop(seconds(3));
    expect(types(workers[0]?.said ?? [])).toEqual(['stop']);
    clock.advance(seconds(3));
    expect(workers[0]?.terminated).toBe(false);
    clock.advance(seconds(3));
    expect(workers[0]?.terminated).toBe(true);
    await stopping;
    expect([workers.length, clock.pending]).toEqual([1, 0]);
  });
});
