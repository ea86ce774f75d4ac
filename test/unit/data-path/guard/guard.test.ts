import { describe, expect, it } from 'vitest';
import { CounterReader, CounterWriter, createCounters } from '../../../../src/data-path/counters.ts';
import { Guard } from '../../../../src/data-path/guard/guard.ts';
import { SourceMemory } from '../../../../src/data-path/guard/source-memory.ts';
import { createSources } from '../../../../src/data-path/guard/source-table.ts';
import type { GuardLimits, GuardSpec, SourcesRef, Ticket } from '../../../../src/data-path/guard/types.ts';
import { SharedState } from '../../../../src/data-path/shared-state.ts';
import { type Instant, instant, seconds } from '../../../../src/lib/duration.ts';
import { parsePrefix } from '../../../../src/lib/ip.ts';
import { REFUSAL_REASONS } from '../../../../src/model/reason.ts';
import { ip } from '../../../support/pool.ts';

const START = instant(1e9);
const at = (s: number): Instant => instant(START + seconds(s));
const SLOT = 1;
const openLimits: GuardLimits = { maxConnections: 1_000, fdReserve: 10, fdLimit: 1_024 };
const openSpec: GuardSpec = { maxConnections: null, rate: null, sourceLimit: null, allow: [], deny: [] };
const perSource = { maxConnections: null, rate: null, prefix4: 32, prefix6: 64 };

interface Bench {
  readonly guard: Guard;
  readonly shared: SharedState;
  readonly sources: SourcesRef;
  /** Sources in the table. */
  readonly known: () => number;
  readonly writer: CounterWriter;
  readonly reader: CounterReader;
  /** A ticket, or the reason why not. */
  readonly admit: (source?: string, now?: Instant) => Ticket | string;
}

function bench(spec: Partial<GuardSpec>, limits: Partial<GuardLimits> = {}): Bench {
  const buffer = createCounters({ workers: 2, services: 2, backends: 1 });
  const [writer, reader] = [new CounterWriter(buffer, 0), new CounterReader(buffer)];
  const table = createSources(2, 100, 7);
  const sources: SourcesRef = { generation: 1, buffer: table };
  const [full, most] = [
    { ...openSpec, ...spec },
    { ...openLimits, ...limits },
  ];
  const options = { slot: SLOT, worker: 0, spec: full, limits: most, sources };
  const shared = new SharedState(buffer, 0);
  const guard = new Guard(options, writer, shared);
  const known = (): number => new SourceMemory(table).size;
  const admit = (source = '192.0.2.1', now = START): Ticket | string => {
    const admission = guard.admit(ip(source), now);
    return admission.admitted ? admission.ticket : admission.reason;
  };
  return { guard, shared, sources, writer, reader, admit, known };
}

describe('Guard', () => {
  it('refuses by the deny and allow lists', () => {
    const { admit } = bench({ deny: [parsePrefix('192.0.2.0/24')!] });
    expect(admit('192.0.2.1')).toBe('deny-list');
    expect(admit('192.0.3.1')).toBeNull();
    expect(bench({ allow: [parsePrefix('10.0.0.0/8')!] }).admit()).toBe('deny-list');
  });

  it('holds the process to its limit over all services, and the service to its own', () => {
    const { admit, guard, shared, writer, reader } = bench({ maxConnections: 2 }, { maxConnections: 3 });
    expect([admit(), admit(), admit()]).toEqual([null, null, 'service-limit']);
    expect(guard.isFull()).toBe(true);
    guard.release(null);
    expect(guard.isFull()).toBe(false);
    const limits = { ...openLimits, maxConnections: 3 };
    const other = new Guard({ slot: 0, worker: 0, spec: openSpec, limits, sources: null }, writer, shared);
    expect([1, 2, 3].map(() => other.admit(ip('192.0.2.1'), START).admitted)).toEqual([true, true, false]);
    expect(admit()).toBe('process-limit');
    expect(reader.process().connections).toBe(3);
    expect(reader.service(SLOT).connections).toBe(1);
  });

  it('holds each source to its connections', () => {
    const { admit, guard, known } = bench({ sourceLimit: { ...perSource, maxConnections: 1 } });
    const ticket = admit('192.0.2.1');
    expect(ticket).toBeTypeOf('object');
    expect(admit('192.0.2.1')).toBe('source-limit');
    expect(admit('192.0.2.2')).toBeTypeOf('object');
    expect(known()).toBe(2);
    guard.release(ticket as Ticket);
    expect(known()).toBe(1);
    expect(admit('192.0.2.1')).toBeTypeOf('object');
  });

  it('holds each source and the service to their rates', () => {
    const { admit } = bench({
      sourceLimit: { ...perSource, rate: { count: 1, per: seconds(1), burst: 2 } },
      rate: { count: 1, per: seconds(1), burst: 3 },
    });
    expect([admit('192.0.2.1'), admit('192.0.2.1')].every((ticket) => typeof ticket === 'object')).toBe(true);
    expect(admit('192.0.2.1')).toBe('source-rate');
    expect(admit('192.0.2.2')).toBeTypeOf('object');
    expect(admit('192.0.2.2')).toBe('service-rate');
    expect(admit('192.0.2.2', at(1))).toBeTypeOf('object');
  });

  it('keeps descriptors in reserve', () => {
    const { admit, writer } = bench({}, { fdLimit: 20, fdReserve: 10 });
    for (let i = 0; i < 10; i++) writer.fdOpened();
    expect(admit()).toBeNull();
    writer.fdOpened();
    expect(admit()).toBe('fd-headroom');
    writer.fdClosed();
    expect(admit()).toBeNull();
  });

  it('takes nothing from a client that it refuses', () => {
    const { admit, guard, writer, reader, known } = bench(
      {
        sourceLimit: { ...perSource, rate: { count: 1, per: seconds(60), burst: 1 } },
        rate: { count: 1, per: seconds(60), burst: 1 },
      },
      { fdLimit: 20, fdReserve: 20 },
    );
    writer.fdOpened();
    for (let i = 0; i < 50; i++) expect(admit()).toBe('fd-headroom');
    expect(reader.process().connections).toBe(0);
    expect([reader.service(SLOT).connections, known()]).toEqual([0, 0]);
    writer.fdClosed();
    expect(admit()).toBeTypeOf('object');
    guard.tick(START);
    expect(admit()).toBe('source-rate');
  });

  it('gives the first reason in the order of REFUSAL_REASONS when several hold', () => {
    const everything: GuardSpec = {
      maxConnections: 1,
      rate: { count: 1, per: seconds(60), burst: 1 },
      sourceLimit: { ...perSource, maxConnections: 1, rate: { count: 1, per: seconds(60), burst: 1 } },
      allow: [],
      deny: [parsePrefix('192.0.2.1/32')!],
    };
    const limits = { ...openLimits, maxConnections: 1, fdLimit: 20, fdReserve: 20 };
    const { admit, guard, sources, writer } = bench({ ...everything, deny: [] }, { ...limits, fdReserve: 0 });
    expect(admit()).toBeTypeOf('object');
    writer.fdOpened();
    // each step lifts the foremost obstacle alone
    const steps: [Partial<GuardSpec>, Partial<GuardLimits>][] = [
      [{}, {}],
      [{ deny: [] }, {}],
      [{}, { maxConnections: 9 }],
      [{ maxConnections: 9 }, {}],
      [
        { sourceLimit: { ...perSource, maxConnections: 9, rate: { count: 1, per: seconds(60), burst: 1 } } },
        {},
      ],
      [{ sourceLimit: { ...perSource, maxConnections: 9 } }, {}],
      [{ rate: null }, {}],
    ];
    let [spec, lim] = [everything, limits];
    const reasons = steps.map(([specChange, limitChange]) => {
      spec = { ...spec, ...specChange };
      lim = { ...lim, ...limitChange };
      guard.update(spec, lim, sources, START);
      return admit();
    });
    const begin = REFUSAL_REASONS.indexOf('deny-list');
    expect(reasons).toEqual(REFUSAL_REASONS.slice(begin, begin + 7));
    guard.update(spec, { ...lim, fdReserve: 0 }, sources, START);
    expect(admit()).toBeTypeOf('object');
  });

  it('tells a client that lacks only room from one that has had too much already', () => {
    const { admit, guard } = bench({
      maxConnections: 2,
      sourceLimit: { ...perSource, maxConnections: 1 },
      deny: [parsePrefix('203.0.113.0/24')!],
    });
    expect([admit('192.0.2.1'), admit('192.0.2.2')].every((ticket) => typeof ticket === 'object')).toBe(true);
    expect([admit('192.0.2.1'), admit('192.0.2.3')]).toEqual(['service-limit', 'service-limit']);
    expect(guard.lacksOnlyRoom(ip('192.0.2.3'), START)).toBe(true);
    expect(guard.lacksOnlyRoom(ip('192.0.2.1'), START)).toBe(false);
    expect(guard.lacksOnlyRoom(ip('203.0.113.9'), START)).toBe(false);
  });

  it('keeps counts over an update, and lets more in or fewer', () => {
    const { admit, guard, reader } = bench({ maxConnections: 2 });
    admit();
    admit();
    guard.update({ ...openSpec, maxConnections: 1 }, openLimits, null, START);
    guard.release(null);
    expect(admit()).toBe('service-limit');
    guard.update({ ...openSpec, maxConnections: 3 }, openLimits, null, START);
    expect([admit(), admit(), admit()]).toEqual([null, null, 'service-limit']);
    expect(reader.service(SLOT).connections).toBe(3);
  });

  it('releases tickets of before a source limit was set or lifted', () => {
    const { admit, guard, reader, known } = bench({ sourceLimit: { ...perSource, maxConnections: 2 } });
    const fresh = { generation: 2, buffer: createSources(2, 100, 8) };
    const counted = admit() as Ticket;
    guard.update(openSpec, openLimits, null, START);
    const uncounted = admit() as Ticket;
    const limited = { ...openSpec, sourceLimit: { ...perSource, maxConnections: 2 } };
    guard.update(limited, openLimits, fresh, START);
    guard.release(counted);
    guard.release(uncounted);
    expect([known(), new SourceMemory(fresh.buffer).size]).toEqual([0, 0]);
    expect(reader.service(SLOT).connections).toBe(0);
    expect(reader.process().connections).toBe(0);
  });

  it('gives way when another worker takes the last place between look and take', () => {
    const buffer = createCounters({ workers: 2, services: 2, backends: 1 });
    const [mine, theirs] = [new CounterWriter(buffer, 0), new CounterWriter(buffer, 1)];
    const limits = { ...openLimits, maxConnections: 5 };
    const late = {
      processConnections: () => 0,
      serviceConnections: () => 0,
      tryEnterProcess: (max: number) => mine.tryEnterProcess(max),
      leaveProcess: () => mine.leaveProcess(),
      tryEnterService: (slot: number, max: number | null) => mine.tryEnterService(slot, max),
      leaveService: (slot: number) => mine.leaveService(slot),
      fdsInUse: () => 0,
    };
    const options = {
      slot: SLOT,
      worker: 0,
      spec: { ...openSpec, maxConnections: 1 },
      limits,
      sources: null,
    };
    const guard = new Guard(options, late, new SharedState(buffer, 0));
    theirs.tryEnterService(SLOT, null);
    expect(guard.admit(ip('192.0.2.1'), START)).toEqual({ admitted: false, reason: 'service-limit' });
    expect(mine.processConnections()).toBe(0);
    for (let i = 0; i < 5; i++) theirs.tryEnterProcess(5);
    expect(guard.admit(ip('192.0.2.1'), START)).toEqual({ admitted: false, reason: 'process-limit' });
    expect(mine.serviceConnections(SLOT)).toBe(1);
  });
});
