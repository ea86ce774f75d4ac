/**
 * Two and three routers through everything that can happen to them, in any order, on a link that loses, delays,
 * duplicates and reorders. Whenever the link is good again, exactly one of them ends up Active, and stays it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Duration, micros, millis, seconds } from '../../src/lib/duration.ts';
import { basePriority, type RouterInput } from '../../src/vrrp/router.ts';
import { type LinkQuality, Network, type NodeSpec, type SimNode } from './network.ts';

const INTERVAL = millis(100);
/** A LAN: an offer of the role and the advertisement after it, 0.39 ms apart at the least, keep their order. */
const GOOD: LinkQuality = { loss: 0, duplication: 0.1, delay: millis(0.3) };
/** The repeated offers of a lowered priority (ten seconds apart) among it. */
const SETTLE = seconds(12);
const UNFIT = -254;

/** Often equal. */
const priority = fc.constantFrom(1, 60, 100, 100, 200, 254, 255);
const nodes = (preempt: fc.Arbitrary<boolean>): fc.Arbitrary<NodeSpec[]> =>
  fc.array(fc.record({ priority, preempt, interval: fc.constant(INTERVAL) }), { minLength: 2, maxLength: 3 });

const bad = fc.record({
  loss: fc.double({ min: 0, max: 0.7, noNaN: true }),
  duplication: fc.double({ min: 0, max: 0.5, noNaN: true }),
  delay: fc.integer({ min: 1, max: 150 }).map(millis),
});
const seed = fc.integer({ min: 0, max: 0x7fff_ffff });

/** Something that happens to one node. */
const happening = fc.oneof(
  fc.constantFrom('crash' as const, 'restart' as const, 'isolate' as const, 'join' as const),
  fc.constantFrom<RouterInput>(
    { type: 'stop', reason: 'shutdown' },
    { type: 'start', resume: null },
    { type: 'handover' },
    { type: 'takeover' },
    { type: 'contested' },
    { type: 'lapsed' },
  ),
  fc.boolean().map((up): RouterInput => ({ type: 'link', up })),
  fc.boolean().map((fit): RouterInput => ({ type: 'fitness', fit })),
  fc.constantFrom(UNFIT, -120, -20, 0, 20).map((weight): RouterInput => ({ type: 'weight', weight })),
);
const history = fc.array(
  fc.record({
    who: fc.nat({ max: 2 }),
    what: happening,
    wait: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_500 })).map(millis),
  }),
  { maxLength: 25 },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

function happen(network: Network, node: SimNode, what: Happening): void {
  if (what === 'crash') network.crash(node);
  else if (what === 'restart') network.restart(node);
  else if (what === 'isolate') node.side = 1 + node.index;
  else if (what === 'join') node.side = 0;
  else network.input(node, what);
}

/** Nothing stands against any node any more, but for its weight. */
function repair(network: Network): void {
  network.heal();
  network.quality = GOOD;
  for (const node of network.nodes) {
    if (node.dead) network.restart(node);
    network.input(node, { type: 'start', resume: null });
    network.input(node, { type: 'link', up: true });
    network.input(node, { type: 'fitness', fit: true });
  }
}

function oneActive(network: Network, span: Duration): SimNode {
  network.run(span);
  const [holder, ...others] = network.holders();
  if (holder === undefined) throw new Error('nobody holds the address');
  expect(others).toEqual([]);
  for (const { router } of network.nodes) {
    expect(router.state).toBe(router === holder.router ? 'Active' : 'Backup');
  }
  return holder;
}

function play(
  specs: readonly NodeSpec[],
  quality: LinkQuality,
  events: readonly { readonly who: number; readonly what: Happening; readonly wait: Duration }[],
  s: number,
): Network {
  const network = new Network(specs, quality, s);
  network.startAll();
  for (const { who, what, wait } of events) {
    const node = network.nodes[who % network.nodes.length];
    if (node !== undefined) happen(network, node, what);
    network.run(wait);
    for (const { router, holds, dead } of network.nodes) {
      // by the actions as by the state
      if (!dead) expect(holds).toBe(router.state === 'Active');
    }
  }
  repair(network);
  return network;
}

describe('after anything has happened', () => {
  it('one router is Active, and the role moves no more', () => {
    fc.assert(
      fc.property(nodes(fc.boolean()), bad, history, seed, (specs, quality, events, s) => {
        const network = play(specs, quality, events, s);
        const holder = oneActive(network, SETTLE);
        const { moves, abandoned } = network;
        for (let i = 0; i < 12; i++) expect(oneActive(network, seconds(1))).toBe(holder);
        expect([network.moves, network.abandoned]).toEqual([moves, abandoned]);
      }),
      { numRuns: 200 },
    );
  });

  it('with preemption it is one of the best, unless a command gave the role away', () => {
    const commanded = (what: Happening): boolean =>
      typeof what === 'object' && (what.type === 'handover' || what.type === 'takeover');
    const free = history.map((events) => events.filter(({ what }) => !commanded(what)));
    fc.assert(
      fc.property(nodes(fc.constant(true)), bad, free, seed, (specs, quality, events, s) => {
        const network = play(specs, quality, events, s);
        const holder = oneActive(network, SETTLE);
        const best = Math.max(...network.nodes.map(({ router }) => basePriority(router)));
        expect(basePriority(holder.router)).toBe(best);
      }),
      { numRuns: 200 },
    );
  });

  it('the role of a router that dies is taken within Active_Down, whoever is left', () => {
    fc.assert(
      fc.property(nodes(fc.boolean()), bad, history, seed, (specs, quality, events, s) => {
        const network = play(specs, quality, events, s);
        for (let alive = network.nodes.length; alive > 1; alive--) {
          const holder = oneActive(network, SETTLE);
          network.crash(holder);
          network.run(micros(4 * INTERVAL + 2 * GOOD.delay));
          expect(network.holders()).toHaveLength(1);
          // the dead one stays away
          network.nodes.splice(network.nodes.indexOf(holder), 1);
        }
      }),
      { numRuns: 80 },
    );
  });
});
