import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CounterReader, CounterWriter, createCounters } from '../../src/data-path/counters.ts';
import { Guard } from '../../src/data-path/guard/guard.ts';
import { IpFilter } from '../../src/data-path/guard/ip-filter.ts';
import { networkKey } from '../../src/data-path/guard/network-key.ts';
import { type Place, WaitQueue } from '../../src/data-path/guard/queue.ts';
import { Gcra, UNUSED } from '../../src/data-path/guard/rate-limit.ts';
import { createSourceMemory, SourceMemory } from '../../src/data-path/guard/source-memory.ts';
import { SourceTable } from '../../src/data-path/guard/source-table.ts';
import type { Ticket } from '../../src/data-path/guard/types.ts';
import { SharedState } from '../../src/data-path/shared-state.ts';
import { instant, micros, seconds } from '../../src/lib/duration.ts';
import { type IpAddress, type IpPrefix, ipFromBytes, networkOf, prefixContains } from '../../src/lib/ip.ts';
import type { RateSpec } from '../../src/model/service.ts';
import { ip } from '../support/pool.ts';

const rates: fc.Arbitrary<RateSpec> = fc.record({
  count: fc.integer({ min: 1, max: 2_000 }),
  per: fc.integer({ min: 1_000, max: 60_000_000 }).map(micros),
  burst: fc.integer({ min: 1, max: 50 }),
});

/** One of two bases with up to two bits turned over, so that addresses share prefixes of every length. */
const addresses: fc.Arbitrary<IpAddress> = fc
  .tuple(
    fc.constantFrom(4, 16),
    fc.constantFrom(0x20, 0xdb),
    fc.array(fc.nat({ max: 127 }), { maxLength: 2 }),
  )
  .map(([size, base, flips]) => {
    const bytes = new Uint8Array(size).fill(base);
    for (const bit of flips) {
      const at = (bit >> 3) % size;
      bytes[at] = (bytes[at] ?? 0) ^ (0x80 >> (bit & 7));
    }
    return ipFromBytes(bytes);
  });

const prefixes: fc.Arbitrary<IpPrefix> = fc.tuple(addresses, fc.nat({ max: 128 })).map(([address, n]) => {
  const length = address.family === 4 ? n % 33 : n;
  return { address, length, text: `${address.text}/${length}` };
});

describe('Gcra', () => {
  it('passes at most burst + rate * t in any span, and passes what is spaced by the rate', () => {
    const gaps = fc.array(fc.nat({ max: 2_000_000 }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(rates, gaps, fc.integer({ min: 0, max: 1e12 }), (rate, gapList, start) => {
        const gcra = new Gcra(rate);
        let [now, bucket] = [instant(start), UNUSED];
        const passed: number[] = [];
        for (const gap of gapList) {
          now = instant(now + (gap % 3 === 0 ? 0 : gap));
          if (!gcra.conforms(bucket, now)) continue;
          bucket = gcra.consume(bucket, now);
          passed.push(now);
        }
        for (const [i, from] of passed.entries()) {
          for (let j = i; j < passed.length; j++) {
            const span = (passed[j] ?? 0) - from;
            expect(j - i + 1).toBeLessThanOrEqual(rate.burst + (span * rate.count) / rate.per + 1e-6);
          }
        }
        const patient = instant(Math.max(now, bucket));
        expect(gcra.conforms(bucket, patient)).toBe(true);
      }),
    );
  });
});

describe('networkKey', () => {
  it('tells networks apart exactly as their text does', () => {
    fc.assert(
      fc.property(addresses, addresses, fc.nat({ max: 128 }), (a, b, n) => {
        const length = a.family === 4 ? n % 33 : n;
        fc.pre(a.family === b.family);
        const same = networkOf(a, length) === networkOf(b, length);
        expect(networkKey(a, length) === networkKey(b, length)).toBe(same);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('IpFilter', () => {
  it('equals the naive reading of both lists', () => {
    fc.assert(
      fc.property(
        fc.array(prefixes, { maxLength: 8 }),
        fc.array(prefixes, { maxLength: 8 }),
        addresses,
        (allow, deny, a) => {
          const listed = (list: readonly IpPrefix[]): boolean =>
            list.some((prefix) => prefixContains(prefix, a));
          const naive = !listed(deny) && (allow.length === 0 || listed(allow));
          expect(new IpFilter(allow, deny).permits(a)).toBe(naive);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('SourceTable', () => {
  it('gives no source more than its rate, whatever it evicts', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 700_000 })), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 4 }), steps, (rate, capacity, arrivals) => {
        const memory = createSourceMemory({ workers: 2, shards: 1, slots: capacity }, 7);
        const spec = { maxConnections: null, rate, prefix4: 32, prefix6: 64 };
        const tables = [0, 1].map((worker) => new SourceTable(memory, worker, spec));
        const passed = new Map<number, number[]>();
        let now = instant(1e9);
        for (const [n, [who, gap]] of arrivals.entries()) {
          now = instant(now + (gap % 2 === 0 ? 0 : gap));
          const source = ip(`192.0.2.${who}`);
          // a source's connections come to any worker
          const table = tables[n % 2]!;
          const ticket = table.enter(source, now);
          expect(table.size).toBeLessThanOrEqual(capacity);
          if (typeof ticket === 'string') continue;
          table.release(ticket);
          passed.set(who, [...(passed.get(who) ?? []), now]);
        }
        for (const times of passed.values()) {
          for (const [i, from] of times.entries()) {
            const span = (times[times.length - 1] ?? 0) - from;
            expect(times.length - i).toBeLessThanOrEqual(rate.burst + (span * rate.count) / rate.per + 1e-6);
          }
        }
      }),
    );
  });
});

describe('Guard', () => {
  it('keeps every limit, and every gauge returns to zero', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.boolean(), fc.nat({ max: 2_000_000 })), {
      maxLength: 120,
    });
    const mosts = fc.record({
      process: fc.integer({ min: 1, max: 12 }),
      service: fc.integer({ min: 1, max: 12 }),
      source: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(steps, mosts, fc.option(rates, { nil: null }), (stepList, most, rate) => {
        const buffer = createCounters({ workers: 1, services: 1, backends: 1 });
        const [writer, reader] = [new CounterWriter(buffer, 0), new CounterReader(buffer)];
        const sourceLimit = { maxConnections: most.source, rate, prefix4: 32, prefix6: 64 };
        const spec = { maxConnections: most.service, rate: null, sourceLimit, allow: [], deny: [] };
        const limits = { maxConnections: most.process, fdLimit: 99, fdReserve: 1 };
        const sources = {
          generation: 1,
          buffer: createSourceMemory({ workers: 1, shards: 1, slots: 20 }, 7),
        };
        const options = { slot: 0, worker: 0, spec, limits, sources };
        const guard = new Guard(options, writer, new SharedState(buffer, 0));
        const held: { who: number; ticket: Ticket }[] = [];
        let now = instant(1e9);
        for (const [who, leaves, gap] of stepList) {
          now = instant(now + gap);
          const mine = held.findIndex((one) => one.who === who);
          if (leaves && mine >= 0) guard.release(held.splice(mine, 1)[0]?.ticket ?? null);
          else {
            const admission = guard.admit(ip(`192.0.2.${who}`), now);
            if (admission.admitted) held.push({ who, ticket: admission.ticket });
          }
          expect(held.length).toBeLessThanOrEqual(Math.min(most.process, most.service));
          expect(held.filter((one) => one.who === who).length).toBeLessThanOrEqual(most.source);
          expect(reader.process().connections).toBe(held.length);
          expect(reader.service(0).connections).toBe(held.length);
        }
        for (const { ticket } of held) guard.release(ticket);
        guard.tick(instant(now + seconds(1e6)));
        expect(reader.process().connections).toBe(0);
        expect(reader.service(0).connections).toBe(0);
        expect(new SourceMemory(sources.buffer).size).toBe(0);
      }),
    );
  });
});

describe('WaitQueue', () => {
  it('behaves like a bounded array', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('in', 'out', 'cancel', 'expire'), fc.nat({ max: 30 })), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(steps, fc.nat({ max: 6 }), (stepList, max) => {
        const queue = new WaitQueue<number>({ max, timeout: seconds(20) });
        const places: (Place<number> | null)[] = [];
        let model: { n: number; since: number }[] = [];
        let time = 0;
        for (const [step, arg] of stepList) {
          time += arg;
          const now = instant(seconds(time));
          if (step === 'in') {
            const n = places.push(queue.enqueue(places.length, now)) - 1;
            expect(places[n] !== null).toBe(model.length < max);
            if (model.length < max) model.push({ n, since: time });
          } else if (step === 'out') {
            expect(queue.dequeue()).toBe(model.shift()?.n ?? null);
          } else if (step === 'cancel') {
            const n = places.length === 0 ? -1 : arg % places.length;
            const place = places[n];
            if (place) queue.cancel(place);
            model = model.filter((one) => one.n !== n);
          } else {
            const first = model[0];
            const due = first !== undefined && first.since + 20 <= time;
            expect(queue.expire(now)).toBe(due ? first.n : null);
            if (due) model.shift();
          }
          expect(queue.length).toBe(model.length);
          const next = model[0];
          expect(queue.nextDeadline()).toBe(next === undefined ? null : seconds(next.since + 20));
        }
      }),
      { numRuns: 300 },
    );
  });
});
