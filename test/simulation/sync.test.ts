/** Two hosts with two virtual routers each that move together, on one fake link. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, seconds } from '../../src/lib/duration.ts';
import { type LinkQuality, Network, type SimNode } from './network.ts';

const INTERVAL = millis(100);
const GOOD: LinkQuality = { loss: 0, duplication: 0.2, delay: millis(2) };
/** The next offer of an unfit node included. */
const SETTLE = seconds(12);
const HOSTS = ['a', 'b'] as const;
type HostName = (typeof HOSTS)[number];

function pairOf(preempt: boolean, priorities: readonly number[], s: number): Network {
  const specs = HOSTS.flatMap((host, h) =>
    [51, 52].map((vrid) => ({ host, vrid, priority: priorities[h] ?? 0, preempt, interval: INTERVAL })),
  );
  const network = new Network(specs, GOOD, s);
  network.startAll();
  return network;
}

const routersOf = (network: Network, host: HostName): SimNode[] =>
  network.nodes.filter((node) => node.host === host);

/** The host that holds both addresses, after the other has let go of both. */
function holderOf(network: Network): HostName {
  network.run(SETTLE);
  const holders = HOSTS.map((host) => routersOf(network, host).filter(({ holds }) => holds).length);
  expect([...holders].sort()).toEqual([0, 2]);
  return holders[0] === 2 ? 'a' : 'b';
}

const seed = fc.integer({ min: 0, max: 0x7fff_ffff });
const priorities = fc.tuple(fc.integer({ min: 140, max: 250 }), fc.integer({ min: 60, max: 100 }));
const fault = fc.record({
  host: fc.constantFrom(...HOSTS),
  router: fc.integer({ min: 0, max: 1 }),
  kind: fc.constantFrom('link', 'fitness', 'weight', 'handover'),
  bad: fc.boolean(),
  wait: fc.integer({ min: 1, max: 1_500 }).map(millis),
});
type Fault = typeof fault extends fc.Arbitrary<infer F> ? F : never;

function strike(network: Network, { host, router, kind, bad, wait }: Fault): void {
  const one = routersOf(network, host)[router];
  if (one === undefined) throw new Error('no such router');
  if (kind === 'link') network.input(one, { type: 'link', up: !bad });
  else if (kind === 'fitness') network.input(one, { type: 'fitness', fit: !bad });
  else if (kind === 'weight') network.inputAll(host, { type: 'weight', weight: bad ? -254 : 0 });
  else network.inputAll(host, { type: 'handover' });
  network.run(wait);
}

function heal(network: Network): void {
  for (const host of HOSTS) {
    for (const one of routersOf(network, host)) {
      network.input(one, { type: 'link', up: true });
      network.input(one, { type: 'fitness', fit: true });
    }
    network.inputAll(host, { type: 'weight', weight: 0 });
  }
}

describe('routers that move together', () => {
  it('are on one host, whatever happened before', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        priorities,
        fc.array(fault, { maxLength: 10 }),
        seed,
        (preempt, prios, faults, s) => {
          const network = pairOf(preempt, prios, s);
          network.run(seconds(1));
          for (const one of faults) strike(network, one);
          heal(network);
          holderOf(network);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(['link', 'fitness'] as const)(
    'leave together when one of them has a fault of %s, and come back',
    (kind) => {
      fc.assert(
        fc.property(priorities, fc.integer({ min: 0, max: 1 }), seed, (prios, router, s) => {
          const network = pairOf(true, prios, s);
          expect(holderOf(network)).toBe('a');
          strike(network, { host: 'a', router, kind, bad: true, wait: millis(1) });
          expect(routersOf(network, 'a').map((one) => one.router.state)).toEqual([
            'Initialize',
            'Initialize',
          ]);
          expect(routersOf(network, 'a')[1 - router]?.router.reason).toBe('partner-fault');
          expect(holderOf(network)).toBe('b');
          heal(network);
          expect(holderOf(network)).toBe('a');
        }),
        { numRuns: 20 },
      );
    },
  );

  it('do not wait for one that was never able to take part', () => {
    const network = new Network(
      [51, 52].map((vrid) => ({ host: 'a', vrid, priority: 100, preempt: true, interval: INTERVAL })),
      GOOD,
      1,
    );
    const [four, six] = network.nodes as [SimNode, SimNode];
    network.input(six, { type: 'link', up: false });
    network.startAll();
    network.run(seconds(2));
    expect([four.holds, six.holds]).toEqual([true, false]);
    network.input(six, { type: 'link', up: true });
    network.run(seconds(2));
    expect([four.holds, six.holds]).toEqual([true, true]);
    // from now on it counts
    network.input(six, { type: 'link', up: false });
    expect([four.holds, six.holds]).toEqual([false, false]);
  });

  it('wait as Backup while one of them follows a better router', () => {
    const together = [51, 52].map((vrid) => ({
      host: 'a',
      vrid,
      priority: 100,
      preempt: true,
      interval: INTERVAL,
    }));
    const network = new Network(
      [...together, { vrid: 51, priority: 200, preempt: true, interval: INTERVAL }],
      GOOD,
      1,
    );
    const [one, two, better] = network.nodes as [SimNode, SimNode, SimNode];
    network.startAll();
    network.run(seconds(3));
    expect([one.holds, two.holds, better.holds]).toEqual([false, false, true]);
    expect(two.router.wants).toBe(true);
    network.crash(better);
    network.run(seconds(1));
    expect([one.holds, two.holds]).toEqual([true, true]);
  });
});

describe('routers that move together, with equal priorities', () => {
  const addresses = fc.shuffledSubarray([1, 2, 3, 4], { minLength: 4, maxLength: 4 });
  const quality = fc.record({
    loss: fc.constantFrom(0, 0.05),
    duplication: fc.constant(0),
    delay: fc.constant(millis(2)),
  });

  /** On a, on b; of each the first leads, where they know of it. */
  const equals = (sources: readonly number[], link: LinkQuality, s: number, led = ['a', 'b']): Network => {
    const specs = HOSTS.flatMap((host, h) =>
      [51, 52].map((vrid, i) => ({
        host: led.includes(host) ? host : `${host}${vrid}`,
        vrid,
        priority: 100,
        preempt: true,
        interval: INTERVAL,
        leads: i === 0 || !led.includes(host),
        source: sources[2 * h + i] ?? 0,
      })),
    );
    return new Network(specs, link, s);
  };

  it('come to one host after a partition, whatever the order of their addresses, and stay there', () => {
    fc.assert(
      fc.property(addresses, quality, seed, (sources, link, s) => {
        const network = equals(sources, link, s);
        network.startAll();
        network.run(seconds(5));
        for (let round = 0; round < 5; round++) {
          network.partition([0, 0, 1, 1]);
          network.run(seconds(3));
          network.heal();
          network.run(seconds(2));
          network.quality = { ...link, loss: 0 };
          const moves = network.moves;
          const holder = holderOf(network);
          // one that waited for its leader while messages were lost may still have had to move
          expect(network.moves - moves).toBeLessThanOrEqual(link.loss === 0 ? 0 : 4);
          // the leader of the greater address decides for both
          if (link.loss === 0) expect(holder).toBe((sources[0] ?? 0) > (sources[2] ?? 0) ? 'a' : 'b');
          network.quality = link;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('give way to one that knows no partners', () => {
    fc.assert(
      fc.property(addresses, seed, (sources, s) => {
        const network = equals(sources, { ...GOOD, duplication: 0 }, s, ['a']);
        network.startAll();
        network.run(seconds(5));
        network.partition([0, 0, 1, 1]);
        network.run(seconds(3));
        network.heal();
        network.run(seconds(5));
        const moves = network.moves;
        network.run(seconds(20));
        expect(network.moves).toBe(moves);
        for (const vrid of [51, 52]) {
          expect(network.nodes.filter((node) => node.vrid === vrid && node.holds)).toHaveLength(1);
        }
      }),
      { numRuns: 60 },
    );
  });
});
