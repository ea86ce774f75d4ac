import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Duration, instant, micros, millis, seconds } from '../../src/lib/duration.ts';
import { ipFromBytes } from '../../src/lib/ip.ts';
import { VRRP_GROUP_4 } from '../../src/vrrp/packet.ts';
import { type LinkQuality, Network, type NodeSpec, type SimNode } from './network.ts';

const INTERVAL = millis(100);
/** No loss, and delays that are short against the interval. */
const GOOD: LinkQuality = { loss: 0, duplication: 0.2, delay: millis(5) };
/** Longer than any Active_Down_Interval here (under 4 intervals), several times over. */
const SETTLE = millis(1_500);

const node = (preempt: fc.Arbitrary<boolean>, least = 1): fc.Arbitrary<NodeSpec> =>
  fc.record({
    priority: fc.integer({ min: least, max: 254 }),
    preempt,
    interval: fc.constant(INTERVAL),
  });
const nodes = (preempt: fc.Arbitrary<boolean> = fc.boolean()): fc.Arbitrary<NodeSpec[]> =>
  fc.array(node(preempt), { minLength: 1, maxLength: 5 });
const seed = fc.integer({ min: 0, max: 0x7fff_ffff });

/** Who must be Active when all preempt: highest priority, then greatest address. */
function rightful(network: Network): SimNode | undefined {
  return network.nodes
    .filter((candidate) => !candidate.dead)
    .sort((a, b) => b.router.settings.priority - a.router.settings.priority || b.index - a.index)[0];
}

function settled(network: Network, span: Duration = SETTLE): SimNode {
  network.run(span);
  const holders = network.holders();
  expect(holders.map((holder) => holder.index)).toHaveLength(1);
  const holder = holders[0];
  if (holder === undefined) throw new Error('nobody holds the address');
  expect(holder.router.state).toBe('Active');
  for (const other of network.nodes) {
    if (other !== holder && !other.dead) expect(other.router.state).toBe('Backup');
  }
  return holder;
}

describe('an election on a connected link', () => {
  it('ends with exactly one Active router, whatever the priorities and preemption', () => {
    fc.assert(
      fc.property(nodes(), seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        settled(network);
      }),
    );
  });

  it('is won by the highest priority, and ties by the greatest address, with preemption', () => {
    fc.assert(
      fc.property(nodes(fc.constant(true)), seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        const holder = settled(network);
        // A tie is only fought between two that became Active: a Backup follows its equal
        expect(holder.router.settings.priority).toBe(rightful(network)?.router.settings.priority);
      }),
    );
  });

  it('stays decided: the winner does not change once there is one', () => {
    fc.assert(
      fc.property(nodes(), seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        const winner = settled(network);
        for (let i = 0; i < 10; i++) expect(settled(network, millis(200))).toBe(winner);
      }),
      { numRuns: 30 },
    );
  });

  it('is repeated when the winner dies, and again, down to the last', () => {
    fc.assert(
      fc.property(nodes(fc.constant(true)), seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        for (let alive = specs.length; alive > 0; alive--) {
          const winner = settled(network);
          expect(winner.router.settings.priority).toBe(rightful(network)?.router.settings.priority);
          network.crash(winner);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('converges through loss, duplication and reordering once the link is good again', () => {
    const bad = fc.record({
      loss: fc.double({ min: 0, max: 0.9, noNaN: true }),
      duplication: fc.double({ min: 0, max: 0.5, noNaN: true }),
      delay: fc.integer({ min: 1, max: 400 }).map(millis),
    });
    fc.assert(
      fc.property(nodes(), bad, seed, (specs, quality, s) => {
        const network = new Network(specs, quality, s);
        network.startAll();
        network.run(seconds(5));
        network.quality = GOOD;
        settled(network);
      }),
    );
  });
});

describe('a takeover', () => {
  it('by resignation takes a skew, and neighbours in priority keep their order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 250 }), seed, (priority, s) => {
        const specs = [254, priority + 1, priority].map((p) => ({
          priority: p,
          preempt: true,
          interval: INTERVAL,
        }));
        // closer together than a skew (0.39 ms at 100 ms): the order is decided by the skew alone
        const network = new Network(specs, { loss: 0, duplication: 0, delay: millis(0.1) }, s);
        network.startAll();
        const [first, second, third] = network.nodes as [SimNode, SimNode, SimNode];
        expect(settled(network)).toBe(first);
        network.input(first, { type: 'stop', reason: 'shutdown' });
        network.run(INTERVAL);
        expect(second.holds).toBe(true);
        expect(third.sent).toHaveLength(0);
      }),
    );
  });

  it('by resignation is immediate for the only other router, and an offer is none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 253 }), fc.boolean(), seed, (priority, preempt, s) => {
        const specs = [254, priority].map((p) => ({
          priority: p,
          preempt,
          interval: INTERVAL,
          paired: true,
        }));
        // in order: a regular advertisement that overtakes the resignation takes it back
        const network = new Network(specs, { loss: 0, duplication: 0, delay: micros(1) }, s);
        network.input(network.nodes[0] as SimNode, { type: 'start', resume: null });
        network.run(seconds(1));
        network.input(network.nodes[1] as SimNode, { type: 'start', resume: null });
        const [first, second] = network.nodes as [SimNode, SimNode];
        expect(settled(network)).toBe(first);
        // worse than before, and still better than the other
        network.input(first, { type: 'weight', weight: -1 });
        network.run(seconds(12));
        expect([first.holds, second.sent]).toEqual([true, []]);
        network.input(first, { type: 'stop', reason: 'shutdown' });
        network.run(millis(1));
        expect(second.holds).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('after a planned stop leaves not a moment without a holder, whoever is next', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 250 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 300 }),
        seed,
        (others, wait, s) => {
          const specs = [254, ...others].map((priority) => ({ priority, preempt: true, interval: INTERVAL }));
          // in order: a regular advertisement that overtakes the resignation takes it back
          const network = new Network(specs, { ...GOOD, delay: micros(1) }, s);
          network.startAll();
          const first = settled(network);
          network.run(millis(wait));
          const before = network.abandoned;
          network.input(first, { type: 'part' });
          expect(first.holds).toBe(true);
          network.run(seconds(2));
          const holders = network.nodes.filter(({ holds }) => holds);
          expect(holders.map(({ router }) => router.settings.priority)).toEqual([Math.max(...others)]);
          expect(network.abandoned).toBe(before);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('and a handover move the address without two holders for longer than the link delays', () => {
    fc.assert(
      fc.property(fc.constantFrom('handover', 'takeover'), seed, (command, s) => {
        const specs = [200, 100].map((priority) => ({ priority, preempt: true, interval: INTERVAL }));
        const network = new Network(specs, GOOD, s);
        network.startAll();
        const [high, low] = network.nodes as [SimNode, SimNode];
        expect(settled(network)).toBe(high);
        network.input(command === 'handover' ? high : low, { type: command });
        // and there it stays, although the other has the higher priority and preempts
        for (let i = 0; i < 5; i++) expect(settled(network, millis(500))).toBe(low);
        network.input(high, { type: 'takeover' });
        expect(settled(network)).toBe(high);
        network.crash(high);
        expect(settled(network)).toBe(low);
      }),
      { numRuns: 50 },
    );
  });
});

describe('fitness', () => {
  const UNFIT = -254;
  /** Priorities further apart from 1 than the messages' delays are from a skew. */
  const pair = fc.tuple(node(fc.boolean(), 60), node(fc.boolean(), 60)).map((specs) => [...specs]);
  const change = fc.record({
    who: fc.integer({ min: 0, max: 1 }),
    weight: fc.constantFrom(0, UNFIT, -20, 20),
    wait: fc.integer({ min: 1, max: 2_000 }).map(millis),
  });

  it('ends with one Active router after any changes, and a fit one wins over an unfit one', () => {
    fc.assert(
      fc.property(pair, fc.array(change, { maxLength: 12 }), seed, (specs, changes, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        for (const { who, weight, wait } of changes) {
          network.input(network.nodes[who] as SimNode, { type: 'weight', weight });
          network.run(wait);
        }
        // without preemption a node that is well again waits for the next offer, at most ten seconds
        const holder = settled(network, seconds(12));
        const fit = network.nodes.filter(({ router }) => router.weight !== UNFIT);
        if (fit.length === 1) expect(holder).toBe(fit[0]);
      }),
    );
  });

  it('moves the role once, without a moment when nobody holds it', () => {
    fc.assert(
      fc.property(pair, seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        const before = settled(network);
        const moves = network.moves;
        network.input(before, { type: 'weight', weight: UNFIT });
        expect(settled(network)).not.toBe(before);
        expect(network.moves).toBe(moves + 1);
        expect(network.abandoned).toBe(0);
      }),
    );
  });

  it('never hands over to a router that is no better: of two unfit ones the Active one stays', () => {
    fc.assert(
      fc.property(pair, seed, (specs, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        const holder = settled(network);
        for (const one of network.nodes) {
          if (one !== holder) network.input(one, { type: 'weight', weight: UNFIT });
        }
        network.input(holder, { type: 'weight', weight: UNFIT });
        const { moves } = network;
        // the offers that are repeated every ten seconds among it
        expect(settled(network, seconds(25))).toBe(holder);
        expect(network.moves).toBe(moves);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a partition', () => {
  it('gives each side an Active router, and the healed link one, who announces again', () => {
    const split = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(nodes(), split, seed, (specs, sides, s) => {
        const network = new Network(specs, GOOD, s);
        network.startAll();
        settled(network);
        network.partition(sides);
        network.run(seconds(3));
        const divided = new Set(network.nodes.map((member) => member.side)).size;
        expect(network.holders()).toHaveLength(divided);
        const healedAt = network.now;
        network.heal();
        const holder = settled(network);
        if (divided === 2) expect(holder.announced.at(-1)).toBeGreaterThanOrEqual(healedAt);
        settled(network, millis(300));
      }),
    );
  });
});

describe('junk', () => {
  const junk = fc.uint8Array({ maxLength: 64 });

  it('changes nothing: the same run with and without it is the same', () => {
    fc.assert(
      fc.property(
        nodes(),
        seed,
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000_000 }), junk, fc.integer({ min: 0, max: 255 })), {
          maxLength: 200,
        }),
        (specs, s, noise) => {
          const runOnce = (noisy: boolean): unknown => {
            const network = new Network(specs, GOOD, s);
            network.startAll();
            for (const [at, message, hopLimit] of noisy ? noise : []) {
              const source = ipFromBytes(Uint8Array.of(10, 0, 0, 66));
              const envelope = { family: 4, source, destination: VRRP_GROUP_4, hopLimit } as const;
              network.at(instant(at), () => network.inject(message, envelope));
            }
            network.run(seconds(2));
            if (noisy) for (const n of network.nodes) expect(n.discarded).toBe(noise.length);
            return network.nodes.map(({ router, sent, announced, holds }) => ({
              router,
              sent,
              announced,
              holds,
            }));
          };
          expect(runOnce(true)).toEqual(runOnce(false));
        },
      ),
      { numRuns: 50 },
    );
  });
});
