import { describe, expect, it } from 'vitest';
import { CounterReader, CounterWriter, createCounters } from '../../../src/data-path/counters.ts';
import { readLimits } from '../../../src/data-path/limits.ts';
import { SlotAllocator } from '../../../src/data-path/slot-allocator.ts';
import { seconds } from '../../../src/lib/duration.ts';
import { CLOSE_REASONS, REFUSAL_REASONS, SESSION_END_REASONS } from '../../../src/model/reason.ts';
import { endpoint, serviceSpec } from '../../support/specs.ts';

const SIZE = { workers: 2, services: 3, backends: 4 };

function bench(size = SIZE) {
  const buffer = createCounters(size);
  const writers = Array.from({ length: size.workers }, (_, worker) => new CounterWriter(buffer, worker));
  return { buffer, reader: new CounterReader(buffer), a: writers[0]!, b: writers[1]! };
}

/** Every number of a snapshot that is not 0. */
function nonZero(snapshot: object, path = ''): Record<string, number> {
  return Object.fromEntries(
    Object.entries(snapshot).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(nonZero(value, `${path}${key}.`))
        : value === 0
          ? []
          : [[path + key, value as number]],
    ),
  );
}

describe('counters', () => {
  it('refuses sizes and buffers that make no sense', () => {
    expect(() => createCounters({ ...SIZE, workers: 0 })).toThrow(RangeError);
    expect(() => createCounters({ ...SIZE, services: 1.5 })).toThrow(RangeError);
    expect(() => new CounterReader(new SharedArrayBuffer(8))).toThrow(RangeError);
    expect(() => new CounterReader(new SharedArrayBuffer(4_096))).toThrow(RangeError);
    expect(() => new CounterWriter(createCounters(SIZE), 2)).toThrow(RangeError);
  });

  it('tells a writer elsewhere which cells bytes belong to', () => {
    const { reader, a } = bench();
    const cells = a.byteCells(1, 2);
    a.totals[cells.serviceIn] = 1;
    a.totals[cells.backendIn] = 2;
    a.totals[cells.serviceOut] = 3;
    a.totals[cells.backendOut] = 4;
    expect(reader.service(1)).toMatchObject({ bytesIn: 1, bytesOut: 3 });
    expect(reader.backend(2)).toMatchObject({ bytesIn: 2, bytesOut: 4 });
  });

  it('writes each field to its own cell of its own row', () => {
    const { reader, a } = bench();
    const service = 1;
    const cells: [() => void, Record<string, number>][] = [
      [() => a.tryEnterService(service, null), { connections: 1 }],
      [() => a.tryEnterQueue(service, 9), { queued: 1 }],
      [() => a.accepted(service), { accepted: 1 }],
      [() => a.bytesIn(service, 2, 11), { bytesIn: 11 }],
      [() => a.bytesOut(service, 2, 13), { bytesOut: 13 }],
      [() => a.datagramIn(service), { datagramsIn: 1 }],
      [() => a.datagramOut(service), { datagramsOut: 1 }],
      [() => a.datagramDropped(service), { datagramsDropped: 1 }],
      ...REFUSAL_REASONS.map((r): [() => void, Record<string, number>] => [
        () => a.refused(service, r),
        { [`refused.${r}`]: 1 },
      ]),
      ...CLOSE_REASONS.map((r): [() => void, Record<string, number>] => [
        () => a.closed(service, r),
        { [`closed.${r}`]: 1 },
      ]),
      ...SESSION_END_REASONS.map((r): [() => void, Record<string, number>] => [
        () => a.sessionEnded(service, r),
        { [`sessionsEnded.${r}`]: 1 },
      ]),
    ];
    const expected: Record<string, number> = {};
    for (const [write, change] of cells) {
      write();
      Object.assign(expected, change);
      expect(nonZero(reader.service(service))).toEqual(expected);
    }
    expect(nonZero(reader.service(0))).toEqual({});
    expect(nonZero(reader.service(2))).toEqual({});
    expect(nonZero(reader.backend(2))).toEqual({ bytesIn: 11, bytesOut: 13 });
    expect(nonZero(reader.process())).toEqual({ heartbeats: 2 }); // bytes that move are a beat
  });

  it("counts a backend's connects, errors, retries and times", () => {
    const { reader, a } = bench();
    a.tryEnterBackend(3, 5);
    a.connectStarted(3);
    a.connectStarted(3);
    a.connectFailed(3);
    a.retried(3);
    a.redispatched(3);
    a.connectSucceeded(3, 0.25);
    a.connectSucceeded(3, 0.5);
    expect(nonZero(reader.backend(3))).toEqual({
      connections: 1,
      connects: 2,
      connectErrors: 1,
      retries: 1,
      redispatches: 1,
      connectSecondsSum: 0.75,
      connectSecondsCount: 2,
    });
    expect(nonZero(reader.backend(2))).toEqual({});
    a.leaveBackend(3);
    expect(reader.backendConnections(3)).toBe(0);
  });

  it('adds workers up and takes the worst lag', () => {
    const { reader, a, b } = bench();
    a.accepted(0);
    b.accepted(0);
    a.heartbeat(0.001);
    b.heartbeat(0.25);
    b.heartbeat(0.125);
    a.fdOpened();
    b.fdOpened();
    b.fdClosed();
    expect(reader.service(0).accepted).toBe(2);
    expect(reader.process()).toEqual({ connections: 0, fdsInUse: 1, loopLagSeconds: 0.125, heartbeats: 6 });
    // what a worker does is a beat too
    expect([reader.worker(0).heartbeats, reader.worker(1).heartbeats]).toEqual([2, 4]);
  });

  it('holds limits over all workers', () => {
    const { a, b } = bench();
    expect([a.tryEnterProcess(2), b.tryEnterProcess(2), a.tryEnterProcess(2), b.tryEnterProcess(2)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    a.leaveProcess();
    expect(b.tryEnterProcess(2)).toBe(true);
    expect([a.tryEnterBackend(0, 1), b.tryEnterBackend(0, 1)]).toEqual([true, false]);
    expect([a.tryEnterQueue(0, 1), b.tryEnterQueue(0, 1)]).toEqual([true, false]);
    expect([b.tryEnterService(0, 0), b.tryEnterService(0, null)]).toEqual([false, true]);
  });

  it('gives back what a dead worker held, and nothing of the others', () => {
    const { reader, a, b } = bench();
    for (const writer of [a, a, b]) {
      writer.tryEnterProcess(9);
      writer.tryEnterService(1, 9);
      writer.tryEnterBackend(2, null);
      writer.fdOpened();
      writer.accepted(1);
    }
    a.tryEnterQueue(1, 9);
    a.leaveBackend(2);
    reader.releaseWorker(0);
    expect(reader.process()).toMatchObject({ connections: 1, fdsInUse: 1 });
    expect(reader.service(1)).toMatchObject({ connections: 1, queued: 0, accepted: 3 });
    expect(reader.backendConnections(2)).toBe(1);
    reader.releaseWorker(0);
    expect(reader.process().connections).toBe(1);
    expect(() => reader.releaseWorker(2)).toThrow(RangeError);
  });

  it('refuses to read rows that are not there', () => {
    const { reader } = bench();
    expect(() => reader.service(3)).toThrow(RangeError);
    expect(() => reader.backend(-1)).toThrow(RangeError);
  });
});

describe('SlotAllocator', () => {
  it('gives every row once, and none when all are taken', () => {
    const slots = SlotAllocator.services(bench().reader);
    expect([slots.allocate(), slots.allocate(), slots.allocate(), slots.allocate()]).toEqual([
      0,
      1,
      2,
      undefined,
    ]);
    slots.free(1);
    expect(slots.taken).toBe(2);
    expect(slots.allocate()).toBe(1);
    slots.free(1);
    expect(() => slots.free(1)).toThrow(RangeError);
  });

  it('reuses the row freed longest ago, and zeroes it', () => {
    const { reader, a } = bench();
    const slots = SlotAllocator.backends(reader);
    for (let i = 0; i < 4; i++) slots.allocate();
    a.connectStarted(2);
    a.bytesIn(0, 2, 99);
    slots.free(2);
    slots.free(0);
    expect(slots.allocate()).toBe(2);
    expect(nonZero(reader.backend(2))).toEqual({});
    expect(slots.allocate()).toBe(0);
  });

  it('does not reuse a row in which something is still going on', () => {
    const { reader, a } = bench({ ...SIZE, services: 1 });
    const slots = SlotAllocator.services(reader);
    slots.allocate();
    a.tryEnterService(0, null);
    a.accepted(0);
    slots.free(0);
    expect(slots.allocate()).toBeUndefined();
    a.leaveService(0);
    expect(slots.allocate()).toBe(0);
    expect(nonZero(reader.service(0))).toEqual({});
  });
});

describe('readLimits', () => {
  it('reads what is used of every limit that is set', () => {
    const { reader, a } = bench();
    const limits = { maxConnections: 100, fdReserve: 24, fdLimit: 1_024, localPorts: 50 };
    a.tryEnterProcess(100);
    a.fdOpened();
    a.fdOpened();
    a.tryEnterService(1, 50);
    a.tryEnterQueue(1, 20);
    a.tryEnterBackend(2, 10);
    const spec = serviceSpec({
      maxConnections: 50,
      sourceLimit: { maxConnections: 1, rate: null, prefix4: 32, prefix6: 64 },
      queue: { max: 20, timeout: seconds(0) },
      source: { kind: 'pool', addresses: ['10.0.0.8:1', '10.0.0.9:1'].map((at) => endpoint(at).address) },
    });
    const web = {
      slot: 1,
      spec,
      sources: { used: 3, max: 70_000 },
      members: [
        { id: 'one', slot: 2, endpoint: endpoint('10.0.0.1:80'), maxConnections: 10 },
        { id: 'two', slot: 3, endpoint: endpoint('[fd00::1]:80'), maxConnections: null },
      ],
    };
    const dns = {
      slot: 0,
      spec: {
        ...spec,
        name: 'dns',
        protocol: 'udp' as const,
        maxConnections: null,
        sourceLimit: null,
        queue: { ...spec.queue, max: 0 },
      },
      sources: null,
      members: [],
    };
    expect(readLimits(reader, limits, [web, dns])).toEqual([
      { name: 'process-connections', subject: null, used: 1, max: 100 },
      { name: 'file-descriptors', subject: null, used: 2, max: 1_000 },
      { name: 'service-connections', subject: 'web', used: 1, max: 50 },
      { name: 'source-table', subject: 'web', used: 3, max: 70_000 },
      { name: 'queue', subject: 'web', used: 1, max: 20 },
      { name: 'udp-sessions', subject: 'dns', used: 0, max: 100 },
      { name: 'backend-connections', subject: 'web/one', used: 1, max: 10 },
      { name: 'source-ports', subject: 'web/one', used: 1, max: 100 },
      { name: 'source-ports', subject: 'web/two', used: 0, max: 50 },
    ]);
  });
});
