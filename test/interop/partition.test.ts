/**
 * A link between Tandem and keepalived falls apart and heals, again and again, with a client on either side (topology:
 * test/support/split-lan.ts). Tandem is lb-a, keepalived lb-b.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, missing } from '../support/netns.ts';
import { failoverToml, VRID } from '../support/peering.ts';
import { SplitLan, VIPS } from '../support/split-lan.ts';
import { Tandem } from '../support/tandem.ts';

const [VIP4, VIP6] = VIPS;
/** keepalived wants one, first. */
const LINK_LOCAL = 'fe80::99:100';
const SIX = [`${LINK_LOCAL}/64`, `${VIP6}/64`];
const INSTANCES = ['v4', 'v6'] as const;
const HEALS = 5;
/** The default of `announce.refresh`. */
const REFRESH_MS = 10_000;

const unable = missing('keepalived', 'nft', 'ping');

describe.skipIf(unable !== null)('partitions of Tandem and keepalived', () => {
  let lan: SplitLan;
  let tandem: Tandem;
  let keepalived: Keepalived;

  beforeAll(() => {
    lan = new SplitLan('kpart');
  });
  afterEach(async () => {
    lan.whole = true;
    await tandem.stop();
    await keepalived.stop();
    await eventually('no address is left', () => lan.released);
  });
  afterAll(() => lan.lab.destroy());

  async function start(own: number, theirs: number): Promise<void> {
    const [a, b] = lan.hosts;
    const group = `priority = ${own}\nadvertise_interval = "200ms"\naddresses = ${JSON.stringify([`${VIP4}/24`, ...SIX])}`;
    tandem = await Tandem.start(lan.lab, a, failoverToml('lb-a', group));
    const common = { version: 3, vrid: VRID, priority: theirs, interval: 0.2 } as const;
    keepalived = await Keepalived.start(lan.lab, b, [
      { ...common, name: 'v4', addresses: [`${VIP4}/24`] },
      { ...common, name: 'v6', addresses: SIX },
    ]);
  }

  async function agree(own: 'Active' | 'Backup', theirs: 'MASTER' | 'BACKUP'): Promise<void> {
    await tandem.waitState(own);
    for (const name of INSTANCES) await keepalived.waitState(name, theirs);
    await eventually('IPv6 as well', async () => (await tandem.router(6)).state === own);
  }

  async function fallApart(heal: number): Promise<void> {
    lan.whole = false;
    await agree('Active', 'MASTER');
    await eventually(`heal ${heal}: each side serves its own client`, () => lan.answers());
    expect(lan.learnedApart).toBe(true);
  }

  test('Tandem has the higher priority: it stays Active, and both clients reach it', async () => {
    await start(200, 100);
    await agree('Active', 'BACKUP');
    const before = (await tandem.router()).transitions;
    for (let heal = 1; heal <= HEALS; heal++) {
      await fallApart(heal);
      lan.whole = true;
      await agree('Active', 'BACKUP');
      // keepalived that hears Tandem first lets go without a word, so nobody knows of the conflict: `refresh` bounds it
      await eventually(
        `heal ${heal}: no client takes an address to be elsewhere`,
        () => lan.noneMisled(lan.hosts[0]),
        REFRESH_MS + 5_000,
      );
      expect(await lan.answers(), `heal ${heal}: no address is dead`).toBe(true);
      expect(lan.hosts.map((host) => host.holds(VIP4))).toEqual([true, false]);
    }
    expect((await tandem.router()).transitions).toBe(before);
  });

  test('Tandem hears keepalived first: it tells the conflict, and announces again at once', async () => {
    await start(200, 100);
    await agree('Active', 'BACKUP');
    await fallApart(1);
    const [, b] = lan.hosts;
    const deaf =
      'add chain inet deaf in { type filter hook input priority 0; }; add rule inet deaf in meta l4proto 112 drop';
    const { status, stderr } = await b.run(['nft', `add table inet deaf; ${deaf}`]);
    expect(status, stderr).toBe(0);
    try {
      lan.whole = true;
      await eventually('the conflict is told', () => tandem.process.log().includes('"failover.conflict"'));
      await eventually(
        'no client takes an address to be elsewhere',
        () => lan.noneMisled(lan.hosts[0]),
        3_000,
      );
    } finally {
      await b.run(['nft', 'delete table inet deaf']);
    }
    await agree('Active', 'BACKUP');
    expect(await lan.answers(), 'no address is dead').toBe(true);
  });

  test('keepalived has the higher priority: Tandem lets go, and no address is dead', async () => {
    await start(100, 200);
    await agree('Backup', 'MASTER');
    for (let heal = 1; heal <= HEALS; heal++) {
      await fallApart(heal);
      lan.whole = true;
      await agree('Backup', 'MASTER');
      expect(lan.hosts.map((host) => host.holds(VIP4))).toEqual([false, true]);
      // keepalived announces when it hears a lower priority, and is not to be hurried
      await eventually(`heal ${heal}: no address is dead`, () => lan.answers(), 20_000);
      await eventually('the other address family as well', () => !lan.hosts[0].holds(VIP6));
    }
  });
});
