/**
 * FRR's vrrpd as peer (topology: test/support/peering.ts): VRRPv3 with IPv4 and IPv6 at once, both roles.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Frr } from '../support/frr.ts';
import { eventually, missing } from '../support/netns.ts';
import {
  createPeering,
  failoverToml,
  type Peering,
  powerCut,
  VIP4,
  VIP6,
  VIP6_LINK_LOCAL,
  VRID,
} from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const ADDRESSES = [`${VIP4}/24`, `${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`];

const skip = missing('/usr/lib/frr/vrrpd', 'vtysh');

describe.skipIf(skip !== null)('FRR: VRRPv3, IPv4 and IPv6', () => {
  let net: Peering;

  beforeEach(() => {
    net = createPeering('frr');
  });
  afterEach(() => net.lab.destroy());

  const startTandem = (priority: number): Promise<Tandem> =>
    Tandem.start(
      net.lab,
      net.tandem,
      failoverToml(
        'tandem',
        `
priority = ${priority}
advertise_interval = "100ms"
addresses = ${JSON.stringify(ADDRESSES)}
`,
      ),
    );
  const startFrr = (priority: number): Promise<Frr> =>
    Frr.start(net.lab, net.peer, {
      vrid: VRID,
      priority,
      intervalMillis: 100,
      addresses4: [`${VIP4}/24`],
      addresses6: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`],
    });

  async function expectTandemHolds(expected: boolean): Promise<void> {
    await eventually(`Tandem ${expected ? 'holds' : 'has let go of'} both addresses`, () => {
      return [VIP4, VIP6].every((vip) => net.tandem.holds(vip) === expected);
    });
  }

  async function expectMutualAcceptance(tandem: Tandem, frr: Frr): Promise<void> {
    for (const family of [4, 6] as const) {
      // one family yields with the other, before it has heard the peer itself
      await eventually(`Tandem hears IPv${family}`, async () => {
        return (await tandem.router(family)).advertisementsReceived > 0;
      });
      const router = await tandem.router(family);
      expect(router.discarded).toEqual({});
      expect(router.peer?.checksum).toBe(family === 4 ? 'rfc5798' : null);
    }
    await eventually('vrrpd counts what Tandem sent', async () => {
      const shown = await frr.show();
      return shown !== undefined && shown.v4.stats.adverRx > 2 && shown.v6.stats.adverRx > 2;
    });
    expect(frr.vrrpd.log()).not.toMatch(/invalid|incorrect|mismatch|does not match|bad/i);
  }

  it('Tandem with the higher priority', async () => {
    const frr = await startFrr(100);
    await frr.waitState('Master');

    const first = await startTandem(200);
    await first.waitState('Active');
    await frr.waitState('Backup');
    await expectTandemHolds(true);
    await expectMutualAcceptance(first, frr);
    expect((await frr.show())?.v4.masterAdverInterval).toBe(100);

    await first.stop();
    await frr.waitState('Master');
    await expectTandemHolds(false);

    const second = await startTandem(200);
    await second.waitState('Active');
    await frr.waitState('Backup');
    powerCut(net.tandem);
    await frr.waitState('Master');
    await expectTandemHolds(false);
  });

  it('FRR with the higher priority', async () => {
    const tandem = await startTandem(100);
    await tandem.waitState('Active');

    const first = await startFrr(200);
    await first.waitState('Master');
    await tandem.waitState('Backup');
    await expectTandemHolds(false);
    await expectMutualAcceptance(tandem, first);
    for (const family of [4, 6] as const) {
      expect((await tandem.router(family)).peer).toMatchObject({ priority: 200, intervalMillis: 100 });
    }

    await first.stop();
    await tandem.waitState('Active');
    await expectTandemHolds(true);
    for (const family of [4, 6] as const) {
      expect((await tandem.router(family)).reason).toBe('peer-priority-zero');
    }

    const second = await startFrr(200);
    await second.waitState('Master');
    await tandem.waitState('Backup');
    await second.crash();
    await tandem.waitState('Active');
    await expectTandemHolds(true);
    for (const family of [4, 6] as const) {
      expect((await tandem.router(family)).reason).toBe('active-down-expired');
    }
  });
});
