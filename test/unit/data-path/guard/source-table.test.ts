import { describe, expect, it } from 'vitest';
import { createSourceMemory, SourceMemory } from '../../../../src/data-path/guard/source-memory.ts';
import {
  createSources,
  SourceTable,
  type SourceTicket,
} from '../../../../src/data-path/guard/source-table.ts';
import { type Instant, instant, seconds } from '../../../../src/lib/duration.ts';
import type { SourceLimitSpec } from '../../../../src/model/service.ts';
import { ip } from '../../../support/pool.ts';

const limit = (part: Partial<SourceLimitSpec> = {}): SourceLimitSpec => ({
  maxConnections: null,
  rate: null,
  prefix4: 32,
  prefix6: 64,
  ...part,
});
const START = instant(1e9);
const at = (s: number): Instant => instant(START + seconds(s));

/** One shard, so that `slots` is the capacity; as seen by each of two workers. */
function tables(spec: Partial<SourceLimitSpec>, slots = 100) {
  const buffer = createSourceMemory({ workers: 2, shards: 1, slots }, 7);
  const [a, b] = [new SourceTable(buffer, 0, limit(spec)), new SourceTable(buffer, 1, limit(spec))];
  return { a, b, memory: new SourceMemory(buffer) };
}

function enter(table: SourceTable, source: string, now: Instant = START): SourceTicket | undefined {
  const ticket = table.enter(ip(source), now);
  return typeof ticket === 'string' ? undefined : ticket;
}

function sweepAll(table: SourceTable, now: Instant): void {
  for (let i = 0; i < 64; i++) table.sweep(now);
}

describe('SourceTable', () => {
  it('waits for no worker that has died with a lock, and makes up for it when its end is told', () => {
    const { a, b, memory } = tables({ maxConnections: 2 });
    expect(enter(a, '192.0.2.1')).toBeDefined();
    expect(enter(b, '192.0.2.1')).toBeDefined();
    memory.lock(0, 1);
    memory.release(0);
    memory.release(1);
    expect(enter(a, '192.0.2.1')).toBeDefined();
    expect(enter(b, '192.0.2.1')).toBeDefined();
    expect(a.enter(ip('192.0.2.1'), START)).toBe('source-limit');
  });

  it('counts connections for each network over all workers and forgets it with the last one', () => {
    const { a, b } = tables({ maxConnections: 2, prefix4: 24 });
    const first = enter(a, '192.0.2.1')!;
    const second = enter(b, '192.0.2.200')!;
    expect(a.objection(ip('192.0.2.3'), START)).toBe('source-limit');
    expect(a.enter(ip('192.0.2.3'), START)).toBe('source-limit');
    expect(enter(a, '192.0.3.3')).toBeDefined();
    a.release(first);
    const third = enter(b, '192.0.2.3')!;
    expect(b.enter(ip('192.0.2.4'), START)).toBe('source-limit');
    b.release(second);
    b.release(third);
    expect([a.size, b.size]).toEqual([1, 1]);
    expect(() => b.release(third)).toThrow(RangeError);
    expect(enter(b, '192.0.2.4')).toBeDefined(); // an error leaves nothing locked
  });

  it('takes an IPv6 network of the configured length for one source, apart from all of IPv4', () => {
    const { a } = tables({ maxConnections: 1, prefix6: 64 });
    expect(enter(a, '2001:db8:0:1::1')).toBeDefined();
    expect(enter(a, '2001:db8:0:1:ffff::2')).toBeUndefined();
    expect(enter(a, '2001:db8:0:2::1')).toBeDefined();
    expect(enter(a, '::1')).toBeDefined();
    expect(enter(a, '0.0.0.1')).toBeDefined();
  });

  it('remembers the rate of a source without connections until its burst is whole again', () => {
    const { a, b } = tables({ rate: { count: 1, per: seconds(1), burst: 2 } });
    a.release(enter(a, '192.0.2.1')!);
    b.release(enter(b, '192.0.2.1')!);
    expect(a.objection(ip('192.0.2.1'), START)).toBe('source-rate');
    expect(enter(a, '192.0.2.1')).toBeUndefined();
    sweepAll(a, at(1.9));
    expect(a.size).toBe(1);
    sweepAll(a, at(2));
    expect(a.size).toBe(0);
  });

  it('cannot be made to forget a debt by a flood of other sources', () => {
    const { a } = tables({ rate: { count: 1, per: seconds(10), burst: 1 } }, 50);
    a.release(enter(a, '192.0.2.1')!);
    for (let n = 0; n < 1_000; n++) {
      const ticket = enter(a, `10.0.${n >> 8}.${n & 255}`, at(1));
      if (ticket) a.release(ticket);
    }
    expect(a.size).toBe(50);
    expect(enter(a, '192.0.2.1', at(1))).toBeUndefined();
    // strangers wait no longer than until the largest forgotten debt is over
    expect(enter(a, '198.51.100.1', at(11))).toBeDefined();
  });

  it('never forgets a source that has connections, and refuses strangers when all have', () => {
    const { a, b } = tables({ maxConnections: 1, rate: { count: 1, per: seconds(1), burst: 9 } }, 5);
    const sources = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
    const tickets = sources.map((source, i) => enter(i % 2 ? b : a, source)!);
    expect(a.enter(ip('192.0.2.77'), START)).toBe('source-limit');
    for (const source of sources) expect(enter(a, source)).toBeUndefined();
    for (const ticket of tickets) ticket.table.release(ticket);
    expect(a.size).toBe(5);
    expect(enter(a, '192.0.2.77')).toBeDefined();
    expect(a.size).toBe(5);
  });

  it('finds every one of tens of thousands of sources again', () => {
    const buffer = createSources(1, 10_000, 99);
    const table = new SourceTable(buffer, 0, limit({ maxConnections: 1 }));
    const source = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    const tickets = Array.from({ length: 70_000 }, (_, n) => enter(table, source(n)));
    expect(tickets.filter((ticket) => ticket === undefined)).toEqual([]);
    expect(table.size).toBe(70_000);
    for (let n = 0; n < 70_000; n += 7) expect(enter(table, source(n))).toBeUndefined();
    for (const ticket of tickets) if (ticket) table.release(ticket);
    expect(table.size).toBe(0);
  });

  describe('update', () => {
    it('keeps counts when a limit changes', () => {
      const { a } = tables({ maxConnections: 5 });
      const held = [1, 2, 3].map(() => enter(a, '192.0.2.1')!);
      a.update(limit({ maxConnections: 3 }), START);
      expect(enter(a, '192.0.2.1')).toBeUndefined();
      a.release(held[0]!);
      expect(enter(a, '192.0.2.1')).toBeDefined();
    });

    it('does not hold a source to the waiting time of an older, slower rate', () => {
      const { a, b } = tables({ rate: { count: 1, per: seconds(600), burst: 1 } });
      enter(a, '192.0.2.1');
      for (const table of [a, b])
        table.update(limit({ rate: { count: 1, per: seconds(1), burst: 1 } }), START);
      expect(enter(b, '192.0.2.1', at(0.9))).toBeUndefined();
      expect(enter(b, '192.0.2.1', at(1))).toBeDefined();
    });

    it('forgets those at rest when the rate is lifted', () => {
      const { a } = tables({ rate: { count: 1, per: seconds(600), burst: 1 } });
      a.release(enter(a, '192.0.2.1')!);
      const held = enter(a, '192.0.2.2')!;
      a.update(limit({ maxConnections: 1 }), START);
      expect(a.size).toBe(1);
      a.release(held);
      expect(a.size).toBe(0);
    });
  });
});

describe('SourceMemory.release', () => {
  it('gives back what a dead worker held, and nothing of the others', () => {
    const { a, b, memory } = tables({ maxConnections: 2 });
    enter(a, '192.0.2.1');
    const mine = enter(b, '192.0.2.1')!;
    enter(a, '192.0.2.2');
    memory.release(0);
    expect(enter(b, '192.0.2.1')).toBeDefined();
    expect(enter(b, '192.0.2.1')).toBeUndefined();
    b.release(mine);
    expect(enter(b, '192.0.2.1')).toBeDefined();
  });

  it('forgets sources that only the dead one had, once they owe nothing', () => {
    const { a, b, memory } = tables({ rate: { count: 1, per: seconds(1), burst: 1 } });
    for (let n = 1; n < 9; n++) enter(a, `192.0.2.${n}`, at(n));
    memory.release(0);
    expect(enter(b, '192.0.2.8', at(8))).toBeUndefined();
    sweepAll(b, at(5));
    expect(b.size).toBe(4);
    sweepAll(b, at(9));
    expect(b.size).toBe(0);
  });

  it('opens the lock of a worker that ended while it held it, whatever it was doing', () => {
    const { a, b, memory } = tables({ maxConnections: 1, rate: { count: 1, per: seconds(9), burst: 5 } }, 20);
    const held = Array.from({ length: 9 }, (_, n) => enter(n % 3 ? b : a, `192.0.2.${n}`)!);
    for (const n of [1, 3]) held[n]!.table.release(held[n]!);
    memory.lock(0, 0);
    // chains, lists and sums as they may be left: all of them wrong
    const words = new Int32Array([1, 2, 3, 4]);
    memory.add(0, memory.hash(words), words);
    memory.rouse(0, memory.oldest(0));
    memory.count(0, 2, 0, 1);
    memory.release(0);
    expect(b.size).toBe(10);
    for (let n = 0; n < 9; n++) {
      const free = n % 3 === 0 || n === 1;
      expect(enter(b, `192.0.2.${n}`) !== undefined, `${n}`).toBe(free);
    }
    for (const n of [2, 4, 5, 7, 8]) b.release(held[n]!);
    sweepAll(b, at(1_000));
    expect(b.size).toBe(4);
  });
});
