/** A link falls apart and heals, with hosts on both sides: afterwards no host may send to a node that let go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, seconds } from '../../src/lib/duration.ts';
import { Lan } from './lan.ts';
import { type LinkQuality, mulberry32, type NodeSpec, type SimNode } from './network.ts';

const INTERVAL = millis(100);
const HOSTS = 6;

const heal = fc.record({
  /** Often equal. */
  priorities: fc.tuple(fc.constantFrom(50, 100, 200), fc.constantFrom(50, 100, 200)),
  preempt: fc.tuple(fc.boolean(), fc.boolean()),
  family: fc.constantFrom(4 as const, 6 as const),
  /** Longer than any Active_Down_Interval here: then each side has an Active router. */
  duration: fc.integer({ min: 500, max: 5_000 }).map(millis),
  loss: fc.double({ min: 0, max: 0.3, noNaN: true }),
  duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
  delay: fc.integer({ min: 1, max: 30 }).map(millis),
  repeat: fc.integer({ min: 1, max: 5 }),
  hostSides: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: HOSTS, maxLength: HOSTS }),
  seed: fc.integer({ min: 0, max: 0x7fff_ffff }),
});
type Heal = typeof heal extends fc.Arbitrary<infer T> ? T : never;

const lossless = ({ duplication, delay }: Heal): LinkQuality => ({ loss: 0, duplication, delay });

function lanOf(given: Heal, refresh = millis(0)): Lan {
  const specs = given.priorities.map(
    (priority, i): NodeSpec => ({ priority, preempt: given.preempt[i] === true, interval: INTERVAL }),
  );
  const { family, seed, repeat } = given;
  const never = millis(0);
  const announce = {
    repeat,
    interval: millis(200),
    delay: never,
    refresh,
    refreshRepeat: 1,
    pace: never,
    conflictRepeat: repeat,
    conflictDelay: never,
  };
  const lan = new Lan(specs, { hosts: HOSTS, quality: lossless(given), seed, family, announce });
  lan.network.startAll();
  lan.network.run(seconds(2));
  for (const host of lan.hosts) lan.ask(host);
  lan.network.run(millis(100));
  return lan;
}

/** Exactly one node is Active, and every host sends to it. */
function expectOneAddress(lan: Lan): SimNode {
  const { network } = lan;
  const [holder, ...others] = network.holders();
  if (holder === undefined) throw new Error('nobody holds the address');
  expect(others).toEqual([]);
  expect(network.nodes.filter(({ router }) => router.state === 'Active')).toEqual([holder]);
  expect(lan.hosts.map(({ cache }) => cache)).toEqual(lan.hosts.map(() => lan.macOf(holder)));
  return holder;
}

/** Hosts ask now and then, while the link changes beside them. */
function runBusily(lan: Lan, span: number, random: () => number): void {
  for (let left = span; left > 0; left -= millis(50)) {
    const host = lan.hosts[Math.floor(random() * HOSTS * 4)];
    if (host !== undefined) lan.ask(host);
    lan.network.run(millis(Math.min(50, left / 1_000)));
  }
}

describe('a partition that heals', () => {
  it('a hundred times: one Active router, and every neighbour cache points to it', () => {
    let equal = 0;
    fc.assert(
      fc.property(heal, (given) => {
        if (given.priorities[0] === given.priorities[1]) equal++;
        const lan = lanOf(given);
        expectOneAddress(lan);
        const random = mulberry32(given.seed);
        lan.partition([0, 1], given.hostSides);
        lan.network.quality = { ...lossless(given), loss: given.loss };
        runBusily(lan, given.duration, random);
        lan.network.quality = lossless(given);
        // a loss of many advertisements in a row may have made one of them Backup for a moment
        lan.network.run(millis(500));
        expect(lan.network.holders()).toHaveLength(2);
        lan.heal();
        // the greatest that may pass until the one that stays has announced: a held announcement and its grace
        runBusily(lan, seconds(1), random);
        lan.network.run(millis(500));
        expectOneAddress(lan);
        // nobody is taken for a stranger
        expect(lan.duplicates).toBe(0);
      }),
      { numRuns: 100 },
    );
    expect(equal, 'equal priorities were among them').toBeGreaterThan(10);
  });

  it('several times in short order, too', () => {
    // together for long enough to hear of each other: the one advertisement that tells of the conflict gets through
    const flap = fc.tuple(fc.integer({ min: 1, max: 1_500 }), fc.integer({ min: 200, max: 1_200 }));
    fc.assert(
      fc.property(heal, fc.array(flap, { minLength: 2, maxLength: 6 }), (given, flaps) => {
        // a partition that swallows all of them lasts long enough for a second Active, which is a new conflict
        const lan = lanOf({ ...given, repeat: Math.max(3, given.repeat) });
        const random = mulberry32(given.seed);
        for (const [apart, together] of flaps) {
          lan.partition([0, 1], given.hostSides);
          runBusily(lan, millis(apart), random);
          lan.heal();
          lan.network.run(millis(together));
        }
        lan.network.run(seconds(2));
        expectOneAddress(lan);
      }),
      { numRuns: 100 },
    );
  });

  it('on a link that goes on losing frames, as long as the announcements are refreshed', () => {
    fc.assert(
      fc.property(heal, (given) => {
        const lan = lanOf(given, seconds(1));
        lan.network.quality = { ...lossless(given), loss: given.loss };
        lan.partition([0, 1], given.hostSides);
        lan.network.run(given.duration);
        lan.heal();
        lan.network.run(seconds(20));
        // three advertisements lost in a row make a second Active for a moment: look when there is one
        lan.network.quality = lossless(given);
        lan.network.run(millis(1_500));
        expectOneAddress(lan);
      }),
      { numRuns: 30 },
    );
  });
});
