import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildTable } from '../../src/data-path/scheduler/maglev.ts';
import { byIdentity } from '../../src/data-path/scheduler/members.ts';
import { createScheduler } from '../../src/data-path/scheduler/registry.ts';
import type { Scheduler } from '../../src/data-path/scheduler/types.ts';
import { ALGORITHMS, type PoolMember, type ScheduleSpec } from '../../src/model/service.ts';
import { client, member, nthClient, schedule, seededRandom, TestLoad } from '../support/pool.ts';

const weights = (most: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0.1, max: 8, noNaN: true })), {
    minLength: 1,
    maxLength: most,
  });

const pool = (list: readonly number[]): PoolMember[] => list.map((weight, slot) => member(slot, { weight }));

function made(
  spec: Partial<ScheduleSpec> & Pick<ScheduleSpec, 'algorithm'>,
  members: readonly PoolMember[],
  seed = 1,
): Scheduler {
  const scheduler = createScheduler(schedule(spec), seededRandom(seed));
  scheduler.update(members);
  return scheduler;
}

const idle = new TestLoad();
const ids = (scheduler: Scheduler, clients: number): (string | undefined)[] =>
  Array.from({ length: clients }, (_, n) => scheduler.pick(nthClient(n), idle, null)?.id);

/** How often each slot was picked. */
function shares(scheduler: Scheduler, clients: number, load: TestLoad = idle): Map<number, number> {
  const counts = new Map<number, number>();
  for (let n = 0; n < clients; n++) {
    const slot = scheduler.pick(nthClient(n), load, null)?.slot ?? -1;
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  return counts;
}

describe.each(ALGORITHMS)('%s', (algorithm) => {
  it('picks an eligible, not excluded backend whenever there is one', () => {
    const balanceFactor = fc.constantFrom(null, 101, 125, 300);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat({ max: 50 }), { minLength: 12, maxLength: 12 }),
        fc.uniqueArray(fc.nat({ max: 11 })),
        balanceFactor,
        fc.integer(),
        (weightList, loads, excluded, factor, seed) => {
          const members = pool(weightList);
          const scheduler = made({ algorithm, balanceFactor: factor }, members, seed);
          const exclude = new Set(excluded.map((slot) => member(slot).id));
          const possible = members.filter(({ id, weight }) => weight > 0 && !exclude.has(id));
          for (let n = 0; n < 5; n++) {
            const picked = scheduler.pick(nthClient(n), new TestLoad(...loads), exclude);
            if (possible.length === 0) expect(picked).toBeNull();
            else expect(possible).toContain(picked);
          }
        },
      ),
    );
  });
});

describe('fairness', () => {
  it('round-robin is close to every share at any time, not only at the end of a cycle', () => {
    fc.assert(
      fc.property(weights(8), (list) => {
        const scheduler = made({ algorithm: 'round-robin' }, pool(list));
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const counts = list.map(() => 0);
        for (let n = 1; n <= 300; n++) {
          const slot = scheduler.pick(client(), idle, null)?.slot ?? -1;
          counts[slot] = (counts[slot] ?? 0) + 1;
          for (const [i, weight] of list.entries()) {
            expect(Math.abs((counts[i] ?? 0) - (n * weight) / total)).toBeLessThanOrEqual(
              1 + list.length / 2,
            );
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('least-connections with lasting connections follows the weights', () => {
    fc.assert(
      fc.property(weights(8), (list) => {
        const scheduler = made({ algorithm: 'least-connections' }, pool(list));
        const load = new TestLoad(...list.map(() => 0));
        for (let n = 0; n < 2_000; n++) {
          const slot = scheduler.pick(client(), load, null)?.slot ?? -1;
          load.connections[slot] = load.active(slot) + 1;
        }
        const total = list.reduce((sum, weight) => sum + weight, 0);
        for (const [i, weight] of list.entries()) {
          expect(Math.abs(load.active(i) - (2_000 * weight) / total)).toBeLessThan(list.length + 2);
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['random-two', {}],
    ['source-hash', {}],
    ['maglev', { tableSize: 65_537 }],
  ] as const)('%s follows the weights, statistically', (algorithm, spec) => {
    const list = [1, 2, 3, 4, 0.5];
    const clients = 40_000;
    const counts = shares(made({ algorithm, ...spec }, pool(list)), clients);
    for (const [slot, weight] of list.entries()) {
      const expected = (clients * weight) / 10.5;
      // six standard deviations of a binomial share, and 2 % for the quantisation of the table
      expect(Math.abs((counts.get(slot) ?? 0) - expected)).toBeLessThan(
        6 * Math.sqrt(expected) + 0.02 * expected,
      );
    }
  });

  it('random-two keeps the highest load close to the mean', () => {
    const list = Array.from({ length: 50 }, () => 1);
    const scheduler = made({ algorithm: 'random-two' }, pool(list));
    const load = new TestLoad(...list.map(() => 0));
    for (let n = 0; n < 20_000; n++) {
      const slot = scheduler.pick(client(), load, null)?.slot ?? -1;
      load.connections[slot] = load.active(slot) + 1;
    }
    // the mean is 400; one draw instead of two would reach about 450
    expect(Math.max(...load.connections)).toBeLessThan(410);
  });

  it("maglev's slots follow the weights and everyone has one", () => {
    fc.assert(
      fc.property(weights(30), (list) => {
        const members = byIdentity(pool(list));
        const counts = members.map(() => 0);
        for (const index of buildTable(members, 4_099)) counts[index] = (counts[index] ?? 0) + 1;
        const total = list.reduce((sum, weight) => sum + weight, 0);
        for (const [i, { weight }] of members.entries()) {
          expect(counts[i]).toBeGreaterThanOrEqual(1);
          expect(Math.abs((counts[i] ?? 0) - (4_099 * weight) / total)).toBeLessThanOrEqual(list.length + 1);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe.each(['source-hash', 'maglev'] as const)('%s as a consistent hash', (algorithm) => {
  it('does not depend on the order of the list', () => {
    const lists = weights(12).chain((list) => {
      const members = pool(list);
      return fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length }));
    });
    fc.assert(
      fc.property(lists, ([members, shuffled]) => {
        expect(ids(made({ algorithm }, shuffled), 60)).toEqual(ids(made({ algorithm }, members), 60));
      }),
    );
  });

  it('returns to the same choice when a backend has left and come back', () => {
    fc.assert(
      fc.property(weights(12), fc.nat(), (list, which) => {
        const members = pool(list);
        const scheduler = made({ algorithm }, members);
        const before = ids(scheduler, 60);
        scheduler.update(members.filter((_, i) => i !== which % members.length));
        scheduler.update(members);
        expect(ids(scheduler, 60)).toEqual(before);
      }),
    );
  });
});

describe('disruption', () => {
  it("source-hash moves exactly a leaving backend's clients", () => {
    fc.assert(
      fc.property(weights(12), fc.nat(), (list, which) => {
        const members = pool([...list, 1]);
        const gone = members[which % members.length];
        const before = ids(made({ algorithm: 'source-hash' }, members), 200);
        const after = ids(
          made(
            { algorithm: 'source-hash' },
            members.filter((m) => m !== gone),
          ),
          200,
        );
        for (const [n, id] of before.entries()) if (id !== gone?.id) expect(after[n]).toBe(id);
      }),
    );
  });

  it('source-hash moves clients only to a backend whose weight grows', () => {
    fc.assert(
      fc.property(weights(12), fc.nat(), (list, which) => {
        const at = which % list.length;
        const grown = list.map((weight, i) => (i === at ? weight * 2 : weight));
        const before = ids(made({ algorithm: 'source-hash' }, pool(list)), 200);
        const after = ids(made({ algorithm: 'source-hash' }, pool(grown)), 200);
        const winner = member(at).id;
        for (const [n, id] of after.entries()) if (id !== winner) expect(before[n]).toBe(id);
      }),
    );
  });

  it.each([3, 10, 50, 200])('maglev moves little more than 1/N when one of %d leaves', (count) => {
    const size = 65_537;
    const members = byIdentity(pool(Array.from({ length: count }, () => 1)));
    const rest = members.filter((_, i) => i !== count >> 1);
    const [before, after] = [buildTable(members, size), buildTable(rest, size)];
    let moved = 0;
    for (let slot = 0; slot < size; slot++) {
      if (members[before[slot] ?? 0]?.id !== rest[after[slot] ?? 0]?.id) moved += 1;
    }
    expect(moved / size).toBeLessThan(1 / count + 0.04);
  });
});

describe.each(['source-hash', 'maglev'] as const)('%s with a bounded load', (algorithm) => {
  it('never puts a backend above its share of the mean, whoever comes', () => {
    fc.assert(
      fc.property(
        weights(8),
        fc.integer({ min: 101, max: 300 }),
        // a few clients that come over and over: the worst case for a hash
        fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 150 }),
        (list, factor, clients) => {
          const members = pool(list);
          const scheduler = made({ algorithm, balanceFactor: factor }, members);
          const total = list.reduce((sum, weight) => sum + weight, 0);
          const load = new TestLoad(...list.map(() => 0));
          for (const [active, n] of clients.entries()) {
            const slot = scheduler.pick(nthClient(n), load, null)?.slot ?? -1;
            load.connections[slot] = load.active(slot) + 1;
            const ceiling = Math.ceil(((factor / 100) * (active + 1) * (list[slot] ?? 0)) / total + 1e-9);
            expect(load.active(slot)).toBeLessThanOrEqual(ceiling);
          }
        },
      ),
    );
  });
});
