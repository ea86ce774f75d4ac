/** A link falls apart and heals, again and again, with a client on either side (topology: test/support/split-lan.ts). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FailoverNode, type GroupInput } from '../support/failover-node.ts';
import { eventually, missing } from '../support/netns.ts';
import { SplitLan, VIPS } from '../support/split-lan.ts';

const HEALS = 10;

const unable = missing('ping');

describe.skipIf(unable !== null)('partitions of a pair', () => {
  let lan: SplitLan;
  let nodes: FailoverNode[] = [];

  beforeAll(() => {
    lan = new SplitLan('part');
  });
  afterEach(async () => {
    lan.whole = true;
    await Promise.all(nodes.map(({ process }) => process.stop()));
    nodes = [];
    await eventually('no address is left', () => lan.released);
  });
  afterAll(() => lan.lab.destroy());

  const states = async (): Promise<string> => {
    const all = await Promise.all(nodes.map((node) => node.status()));
    return all.map(({ routers }) => routers.map(({ state }) => state).join()).join(' ');
  };

  test.each<[string, Partial<GroupInput>, Partial<GroupInput>]>([
    ['preemption, different priorities', { priority: 200 }, { priority: 100 }],
    ['no preemption, equal priorities', { preempt: false }, { preempt: false }],
  ])('%s: after each heal one is Active, and both clients reach it at once', async (_, a, b) => {
    const addresses = VIPS.map((vip) => (vip.includes(':') ? `${vip}/64` : `${vip}/24`));
    for (const [i, more] of [a, b].entries()) {
      const host = lan.hosts[i];
      if (host !== undefined)
        nodes.push(await FailoverNode.start(lan.lab, host, { groups: [{ addresses, ...more }] }));
    }
    for (let heal = 1; heal <= HEALS; heal++) {
      lan.whole = false;
      await eventually('each side has an Active', async () => !/Backup/.test(await states()));
      expect(await lan.answers(), `heal ${heal}: each side serves its own client`).toBe(true);
      expect(lan.learnedApart).toBe(true);
      lan.whole = true;
      await eventually('one is Active', async () =>
        /^(Active,Active Backup,Backup|Backup,Backup Active,Active)$/.test(await states()),
      );
      const active = (await states()).startsWith('Active') ? lan.hosts[0] : lan.hosts[1];
      // the first announcement is on its way when the role is decided; the next come 100 ms apart
      await eventually(
        `heal ${heal}: no client takes an address to be elsewhere`,
        () => lan.noneMisled(active),
        3_000,
      );
      expect(await lan.answers(), `heal ${heal}: no address is dead`).toBe(true);
    }
    const told = nodes.flatMap((node) => node.events('failover.conflict'));
    // of those that come within a second of another, one is told
    expect(told.length, 'conflicts are told').toBeGreaterThan(HEALS / 2);
    expect(nodes.flatMap((node) => node.events('failover.duplicate-address'))).toEqual([]);
  });
});
