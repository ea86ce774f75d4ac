import { describe, expect, it } from 'vitest';
import { createScheduler } from '../../../../src/data-path/scheduler/registry.ts';
import type { Scheduler } from '../../../../src/data-path/scheduler/types.ts';
import { ALGORITHMS, type PoolMember, type ScheduleSpec } from '../../../../src/model/service.ts';
import { client, lettered, picks, schedule, TestLoad } from '../../../support/pool.ts';

function scheduler(
  spec: Partial<ScheduleSpec> & Pick<ScheduleSpec, 'algorithm'>,
  members: readonly PoolMember[],
  random: () => number = Math.random,
): Scheduler {
  const made = createScheduler(schedule(spec), random);
  made.update(members);
  return made;
}

describe.each(ALGORITHMS)('%s', (algorithm) => {
  it('has nobody to offer before the first update and when all are gone', () => {
    const made = createScheduler(schedule({ algorithm }), Math.random);
    expect(picks(made, 1)).toBe('-');
    made.update(lettered(1, 1));
    expect(picks(made, 1)).toMatch(/[AB]/);
    made.update([]);
    expect(picks(made, 1)).toBe('-');
  });

  it('offers no backend of weight 0, even when there is no other', () => {
    expect(picks(scheduler({ algorithm }, lettered(0, 1, 0)), 3)).toBe('BBB');
    expect(picks(scheduler({ algorithm }, lettered(0, 0)), 1)).toBe('-');
  });

  it('offers what the exclusions leave, and null when they leave nothing', () => {
    const made = scheduler({ algorithm }, lettered(1, 100, 1));
    expect(picks(made, 4, new TestLoad(), new Set(['A', 'B']))).toBe('CCCC');
    expect(picks(made, 2, new TestLoad(), new Set(['A', 'B', 'C']))).toBe('--');
    expect(picks(made, 1)).toMatch(/[ABC]/);
  });

  it('answers with the newest data of a member', () => {
    const made = scheduler({ algorithm }, lettered(1));
    const moved = { ...lettered(1)[0]!, slot: 9 };
    made.update([moved]);
    expect(made.pick(client(), new TestLoad(), null)).toBe(moved);
  });
});

describe('round-robin', () => {
  it('is smooth: 5:1:1 gives A A B A C A A', () => {
    expect(picks(scheduler({ algorithm: 'round-robin' }, lettered(5, 1, 1)), 14)).toBe('AABACAA'.repeat(2));
  });

  it('interleaves 3:2:1 and equal weights', () => {
    // by hand: currents after each pick (-3,2,1) (0,-2,2) (-3,0,3) (0,2,-2) (3,-2,-1) (0,0,0)
    expect(picks(scheduler({ algorithm: 'round-robin' }, lettered(3, 2, 1)), 6)).toBe('ABACBA');
    expect(picks(scheduler({ algorithm: 'round-robin' }, lettered(7, 7, 7)), 6)).toBe('ABCABC');
  });

  it('takes fractions of slow start: 1:0.5 gives A B A', () => {
    expect(picks(scheduler({ algorithm: 'round-robin' }, lettered(1, 0.5)), 6)).toBe('ABAABA');
  });

  it('goes on where it was when a weight changes, and does not begin the cycle anew', () => {
    const made = scheduler({ algorithm: 'round-robin' }, lettered(1, 1, 1));
    expect(picks(made, 1)).toBe('A');
    made.update(lettered(1, 1, 1));
    expect(picks(made, 1)).toBe('B');
    made.update(lettered(1, 1, 1));
    expect(picks(made, 1)).toBe('C');
  });
});

describe('least-connections', () => {
  it('takes the lowest (active + 1) / weight', () => {
    // 4/1, 7/2 = 3.5, 12/4 = 3
    expect(
      picks(scheduler({ algorithm: 'least-connections' }, lettered(1, 2, 4)), 1, new TestLoad(3, 6, 11)),
    ).toBe('C');
    expect(
      picks(scheduler({ algorithm: 'least-connections' }, lettered(1, 2, 4)), 1, new TestLoad(3, 6, 15)),
    ).toBe('B');
  });

  it('takes an idle backend first whatever the weights', () => {
    expect(
      picks(scheduler({ algorithm: 'least-connections' }, lettered(100, 1)), 2, new TestLoad(3, 0)),
    ).toBe('BB');
  });

  it('rotates among equals', () => {
    const made = scheduler({ algorithm: 'least-connections' }, lettered(1, 1, 1));
    expect(picks(made, 6)).toBe('ABCABC');
    expect(picks(made, 4, new TestLoad(5, 5, 9))).toBe('ABAB');
  });

  it('does not pour clients into a backend that fails at once', () => {
    const load = new TestLoad(400, 400, 0);
    const made = scheduler({ algorithm: 'least-connections' }, lettered(1, 1, 1));
    let swallowed = 0;
    for (let i = 0; i < 1_000; i++) {
      const picked = made.pick(client(), load, null);
      if (picked?.id !== 'C') continue;
      swallowed += 1;
      load.failures[2] = (load.failures[2] ?? 0) + 1;
    }
    // 2^9 = 512 outweighs 400 connections
    expect(swallowed).toBe(9);
  });
});

describe('random-two', () => {
  const from = (...values: number[]): (() => number) => {
    let at = 0;
    return () => values[at++ % values.length] ?? 0;
  };

  it('takes the less loaded of two weighted draws', () => {
    // weights 1:2:1, so that 0-0.25 is A, up to 0.75 B, then C
    const made = scheduler({ algorithm: 'random-two' }, lettered(1, 2, 1), from(0.1, 0.5));
    expect(picks(made, 1, new TestLoad(3, 2, 0))).toBe('B');
    expect(picks(made, 1, new TestLoad(1, 4, 0))).toBe('A');
  });

  it('draws two different ones, and the first stands among equals', () => {
    const made = scheduler({ algorithm: 'random-two' }, lettered(1, 1, 1), from(0.9, 0.9, 0.9, 0.5));
    expect(picks(made, 1, new TestLoad(0, 0, 5))).toBe('B');
    expect(picks(scheduler({ algorithm: 'random-two' }, lettered(1, 1, 1), from(0.9, 0.1)), 1)).toBe('C');
  });

  it('ends even when chance keeps hitting an excluded one', () => {
    const made = scheduler({ algorithm: 'random-two' }, lettered(1, 1, 1), () => 0);
    expect(picks(made, 1, new TestLoad(), new Set(['A']))).toMatch(/[BC]/);
  });
});

// From an independent implementation of the published algorithms in another language.
const A = '10.0.1.11:8080';
const B = '10.0.1.12:8080';
const C = '[2001:db8::13]:8080';
const NAMES: Readonly<Record<string, string>> = { [A]: 'A', [B]: 'B', [C]: 'C' };

describe('source-hash', () => {
  const pool = (...weights: number[]): PoolMember[] =>
    lettered(...weights).map((member, i) => ({ ...member, id: [A, B, C][i] ?? '' }));

  // each client's backends from the most to the least wanted, for weights 1:1:1 and 4:2:1
  it.each([
    ['192.0.2.1', 'BAC', 'ABC'],
    ['192.0.2.2', 'ACB', 'ACB'],
    ['198.51.100.77', 'BAC', 'ABC'],
    ['203.0.113.200', 'ABC', 'ABC'],
    ['2001:db8::1', 'BAC', 'BAC'],
    ['2001:db8:ffff::abcd', 'ABC', 'ABC'],
  ])('sends %s to %s, weighted %s', (source, equal, weighted) => {
    const order = (made: Scheduler): string => {
      const tried = new Set<string>();
      let names = '';
      for (let i = 0; i < 3; i++) {
        const id = made.pick(client(source), new TestLoad(), tried)?.id ?? '-';
        tried.add(id);
        names += NAMES[id] ?? id;
      }
      return names;
    };
    expect(order(scheduler({ algorithm: 'source-hash' }, pool(1, 1, 1)))).toBe(equal);
    expect(order(scheduler({ algorithm: 'source-hash' }, pool(4, 2, 1)))).toBe(weighted);
  });

  it('looks at the address alone', () => {
    const made = scheduler({ algorithm: 'source-hash' }, lettered(1, 1, 1, 1, 1));
    const ids = [1, 2, 3, 50_000].map(
      (port) => made.pick(client('192.0.2.9', port), new TestLoad(), null)?.id,
    );
    expect(new Set(ids).size).toBe(1);
  });

  it('passes over backends at the bound, and ignores the bound when the exclusions leave no other', () => {
    const made = scheduler({ algorithm: 'source-hash', balanceFactor: 125 }, pool(1, 1, 1));
    const id = (load: TestLoad, ...exclude: string[]): string =>
      NAMES[made.pick(client('192.0.2.1'), load, new Set(exclude))?.id ?? ''] ?? '-';
    // 192.0.2.1 wants B, A, C; the ceiling is ceil(1.25 * 11 / 3) = 5
    expect(id(new TestLoad(2, 4, 4))).toBe('B');
    expect(id(new TestLoad(2, 5, 3))).toBe('A');
    expect(id(new TestLoad(5, 5, 0))).toBe('C');
    expect(id(new TestLoad(5, 5, 0), C)).toBe('B');
  });
});

describe('maglev', () => {
  const pool = (...weights: number[]): PoolMember[] =>
    lettered(...weights).map((member, i) => ({ ...member, id: [A, B, C][i] ?? '' }));

  it.each([
    ['192.0.2.1', 'B', 'A'],
    ['192.0.2.2', 'C', 'B'],
    ['198.51.100.77', 'C', 'A'],
    ['203.0.113.200', 'B', 'B'],
    ['2001:db8::1', 'A', 'B'],
    ['2001:db8:ffff::abcd', 'B', 'A'],
  ])('sends %s to %s by source and to %s by tuple', (source, bySource, byTuple) => {
    const id = (hashKey: 'source' | 'tuple'): string | undefined => {
      const made = scheduler({ algorithm: 'maglev', hashKey, tableSize: 23 }, pool(1, 1, 1));
      return NAMES[made.pick(client(source), new TestLoad(), null)?.id ?? ''];
    };
    expect(id('source')).toBe(bySource);
    expect(id('tuple')).toBe(byTuple);
  });

  it('walks on from a backend at the bound', () => {
    const made = scheduler({ algorithm: 'maglev', tableSize: 23, balanceFactor: 110 }, pool(1, 1, 1));
    const id = (load: TestLoad): string | undefined =>
      NAMES[made.pick(client('192.0.2.1'), load, null)?.id ?? ''];
    expect(id(new TestLoad(3, 3, 3))).toBe('B');
    // ceil(1.1 * 10 / 3) = 4 is B's ceiling
    expect(id(new TestLoad(3, 4, 2))).not.toBe('B');
  });
});

describe('first', () => {
  it('fills in the order of the list, each to its maximum', () => {
    const members = lettered(1, 200, 1).map((m, i) => ({ ...m, maxConnections: [2, 3, null][i] ?? null }));
    const made = scheduler({ algorithm: 'first' }, members);
    const load = new TestLoad(0, 0, 0);
    let order = '';
    for (let i = 0; i < 7; i++) {
      const picked = made.pick(client(), load, null);
      order += picked?.id ?? '-';
      if (picked) load.connections[picked.slot] = load.active(picked.slot) + 1;
    }
    expect(order).toBe('AABBBCC');
    load.connections[0] = 1;
    expect(picks(made, 1, load)).toBe('A');
  });

  it('has nobody when all are full', () => {
    const members = lettered(1, 1).map((m) => ({ ...m, maxConnections: 1 }));
    expect(picks(scheduler({ algorithm: 'first' }, members), 1, new TestLoad(1, 1))).toBe('-');
  });
});
