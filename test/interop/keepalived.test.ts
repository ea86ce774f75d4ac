/**
 * Debian's keepalived as peer (topology: test/support/peering.ts). For every way of speaking VRRP, each side
 * in both roles: election, preemption, graceful release, takeover after kill -9 of everything on one side; and
 * each side's own counters must say that it accepted all that the other sent.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keepalived, type KeepalivedInstance } from '../support/keepalived.ts';
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

interface Variant {
  readonly name: string;
  readonly family: 4 | 6;
  readonly version: 2 | 3;
  readonly interval: number;
  readonly unicast?: { readonly tandem: string; readonly peer: string };
  readonly authPass?: string;
  /** What Tandem must find out about keepalived's checksum. */
  readonly checksum: 'rfc5798' | null;
}

const VARIANTS: readonly Variant[] = [
  { name: 'VRRPv3, IPv4', family: 4, version: 3, interval: 0.1, checksum: 'rfc5798' },
  { name: 'VRRPv3, IPv6', family: 6, version: 3, interval: 0.1, checksum: null },
  {
    name: 'VRRPv3, IPv4, unicast',
    family: 4,
    version: 3,
    interval: 0.1,
    unicast: { tandem: '10.97.0.1', peer: '10.97.0.2' },
    checksum: 'rfc5798',
  },
  {
    name: 'VRRPv3, IPv6, unicast',
    family: 6,
    version: 3,
    interval: 0.1,
    unicast: { tandem: '2001:db8:97::1', peer: '2001:db8:97::2' },
    checksum: null,
  },
  { name: 'VRRPv2', family: 4, version: 2, interval: 1, checksum: null },
  {
    name: 'VRRPv2, unicast, PASS',
    family: 4,
    version: 2,
    interval: 1,
    authPass: 's3cret12',
    unicast: { tandem: '10.97.0.1', peer: '10.97.0.2' },
    checksum: null,
  },
];

const INSTANCE = 'peer';

function addressesOf(family: 4 | 6): string[] {
  return family === 4 ? [`${VIP4}/24`] : [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`];
}

function tandemToml(variant: Variant, priority: number): string {
  const { unicast, authPass } = variant;
  return failoverToml(
    'tandem',
    `
version = ${variant.version}
priority = ${priority}
advertise_interval = "${variant.interval * 1_000}ms"
addresses = ${JSON.stringify(addressesOf(variant.family))}
${unicast === undefined ? '' : `unicast = { source = "${unicast.tandem}", peers = ["${unicast.peer}"] }`}
${authPass === undefined ? '' : `auth_pass = "${authPass}"`}
`,
  );
}

function keepalivedInstance(variant: Variant, priority: number): KeepalivedInstance {
  const { unicast, authPass } = variant;
  return {
    name: INSTANCE,
    version: variant.version,
    vrid: VRID,
    priority,
    interval: variant.interval,
    addresses: addressesOf(variant.family),
    ...(unicast && { unicast: { source: unicast.peer, peers: [unicast.tandem] } }),
    ...(authPass !== undefined && { authPass }),
  };
}

const skip = missing('keepalived');

describe.skipIf(skip !== null).each(VARIANTS)('keepalived: $name', (variant) => {
  const vip = variant.family === 4 ? VIP4 : VIP6;
  let net: Peering;

  beforeEach(() => {
    net = createPeering('kd');
  });
  afterEach(() => net.lab.destroy());

  const startTandem = (priority: number): Promise<Tandem> =>
    Tandem.start(net.lab, net.tandem, tandemToml(variant, priority));
  const startKeepalived = (priority: number): Promise<Keepalived> =>
    Keepalived.start(net.lab, net.peer, [keepalivedInstance(variant, priority)]);

  /** Exactly one of them holds the address. */
  async function expectHolder(holder: 'tandem' | 'peer'): Promise<void> {
    await eventually(`${holder} alone holds ${vip}`, () => {
      return net.tandem.holds(vip) === (holder === 'tandem') && net.peer.holds(vip) === (holder === 'peer');
    });
  }

  async function expectMutualAcceptance(tandem: Tandem, keepalived: Keepalived): Promise<void> {
    const stats = (await keepalived.stats()).get(INSTANCE);
    expect(stats?.received, 'keepalived counts what Tandem sent').toBeGreaterThan(0);
    expect(Object.entries(stats?.errors ?? {}).filter(([, count]) => count > 0)).toEqual([]);
    expect(keepalived.process.log()).not.toMatch(/bogus|invalid|mismatch|checksum|expected|ignoring/i);
    const router = await tandem.router(variant.family);
    expect(router.advertisementsReceived).toBeGreaterThan(0);
    expect(router.discarded).toEqual({});
    expect(router.peer?.checksum).toBe(variant.checksum);
  }

  it('Tandem with the higher priority', async () => {
    const keepalived = await startKeepalived(100);
    await keepalived.waitState(INSTANCE, 'MASTER');

    const first = await startTandem(200);
    await first.waitState('Active');
    await keepalived.waitState(INSTANCE, 'BACKUP');
    await expectHolder('tandem');
    expect((await first.router(variant.family)).reason).toBe('preempt');
    // keepalived's last words as master came before it saw ours
    await eventually('keepalived hears Tandem', async () => {
      return ((await keepalived.stats()).get(INSTANCE)?.received ?? 0) > 2;
    });
    await expectMutualAcceptance(first, keepalived);

    await first.stop();
    await keepalived.waitState(INSTANCE, 'MASTER');
    await expectHolder('peer');
    expect((await keepalived.stats()).get(INSTANCE)?.priorityZeroReceived).toBe(2);

    const second = await startTandem(200);
    await second.waitState('Active');
    await keepalived.waitState(INSTANCE, 'BACKUP');
    powerCut(net.tandem);
    await keepalived.waitState(INSTANCE, 'MASTER');
    // nobody was left to resign, nor to remove the address: the kernel's lease did
    await expectHolder('peer');
    expect((await keepalived.stats()).get(INSTANCE)?.priorityZeroReceived).toBe(2);
  });

  it('keepalived with the higher priority', async () => {
    const tandem = await startTandem(100);
    await tandem.waitState('Active');

    const first = await startKeepalived(200);
    await first.waitState(INSTANCE, 'MASTER');
    await tandem.waitState('Backup');
    await expectHolder('peer');
    const yielded = await tandem.router(variant.family);
    expect(yielded.reason).toBe('higher-priority-seen');
    expect(yielded.peer).toMatchObject({ priority: 200, intervalMillis: variant.interval * 1_000 });
    await expectMutualAcceptance(tandem, first);

    await first.stop();
    await tandem.waitState('Active');
    await expectHolder('tandem');
    expect((await tandem.router(variant.family)).reason).toBe('peer-priority-zero');

    const second = await startKeepalived(200);
    await second.waitState(INSTANCE, 'MASTER');
    await tandem.waitState('Backup');
    powerCut(net.peer);
    await tandem.waitState('Active');
    expect((await tandem.router(variant.family)).reason).toBe('active-down-expired');
    expect(net.tandem.holds(vip)).toBe(true);
    expect((await tandem.router(variant.family)).discarded).toEqual({});
  });
});
