/**
 * A Tandem that is unfit yields to a real keepalived, with and without preemption there (topology:
 * test/support/peering.ts), and goes on where keepalived is no better.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailoverNode } from '../support/failover-node.ts';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, missing } from '../support/netns.ts';
import { createPeering, type Peering, VIP4, VRID } from '../support/peering.ts';

const unfit = { fault: null, weight: -254, reason: 'its worker is dead' };
const fit = { fault: null, weight: 0, reason: null };

const skip = missing('keepalived');

describe.skipIf(skip !== null)('fitness beside keepalived', () => {
  let net: Peering;
  let tandem: FailoverNode;

  beforeEach(() => {
    net = createPeering('fitness');
  });
  afterEach(() => net.lab.destroy());

  async function startTandem(interval: number): Promise<void> {
    tandem = await FailoverNode.start(net.lab, net.tandem, {
      groups: [{ vrid: VRID, priority: 200, addresses: [`${VIP4}/24`], advertiseMillis: interval * 1_000 }],
    });
    await tandem.waitState('Active');
  }
  const startKeepalived = (priority: number, interval: number, nopreempt: boolean): Promise<Keepalived> =>
    Keepalived.start(net.lab, net.peer, [
      { name: 'v4', version: 3, vrid: VRID, priority, interval, addresses: [`${VIP4}/24`], nopreempt },
    ]);
  const standing = (of: typeof fit | typeof unfit): Promise<unknown> =>
    tandem.request({ do: 'standing', standing: of });

  it.each([false, true])('keepalived takes over from an unfit Tandem, nopreempt = %s', async (nopreempt) => {
    await startTandem(0.1);
    const keepalived = await startKeepalived(100, 0.1, nopreempt);
    await eventually('keepalived hears Tandem', async () => {
      return ((await keepalived.stats()).get('v4')?.received ?? 0) > 2;
    });
    await standing(unfit);
    await keepalived.waitState('v4', 'MASTER');
    await tandem.waitState('Backup');
    await eventually(
      'keepalived alone holds the address',
      () => net.peer.holds(VIP4) && !net.tandem.holds(VIP4),
    );
    expect(await tandem.router()).toMatchObject({ reason: 'higher-priority-seen', effectivePriority: 1 });
    await standing(fit);
    await tandem.waitState('Active');
    await keepalived.waitState('v4', 'BACKUP');
  });

  it('goes on when keepalived is no better, however often it asks', async () => {
    await startTandem(0.5);
    const keepalived = await startKeepalived(1, 0.5, false);
    await standing(unfit);
    await eventually(
      'keepalived has been asked twice, ten seconds apart',
      async () => ((await keepalived.stats()).get('v4')?.priorityZeroReceived ?? 0) >= 2,
      40_000,
    );
    expect((await tandem.router())?.transitions).toBe(2);
    expect(keepalived.process.log()).not.toMatch(/Entering MASTER/);
    expect(net.tandem.holds(VIP4)).toBe(true);
  });
});
