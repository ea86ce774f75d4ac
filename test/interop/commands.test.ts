/**
 * Planned moves between Tandem and a real keepalived, IPv4 and IPv6 (topology: test/support/peering.ts), and
 * a reload and a restart of the agent, which keepalived must not notice.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, missing } from '../support/netns.ts';
import {
  createPeering,
  failoverToml,
  type Peering,
  VIP4,
  VIP6,
  VIP6_LINK_LOCAL,
  VRID,
} from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const INSTANCES = ['v4', 'v6'] as const;

const skip = missing('keepalived');

describe.skipIf(skip !== null)('commands beside keepalived', () => {
  let net: Peering;

  beforeEach(() => {
    net = createPeering('cmd');
  });
  afterEach(() => net.lab.destroy());

  const toml = (priority: number): string =>
    failoverToml(
      'tandem',
      `
priority = ${priority}
advertise_interval = "100ms"
addresses = ["${VIP4}/24", "${VIP6_LINK_LOCAL}/64", "${VIP6}/64"]
`,
    );
  const startKeepalived = (priority: number): Promise<Keepalived> => {
    const common = { version: 3, vrid: VRID, priority, interval: 0.1 } as const;
    return Keepalived.start(net.lab, net.peer, [
      { ...common, name: 'v4', addresses: [`${VIP4}/24`] },
      { ...common, name: 'v6', addresses: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`] },
    ]);
  };

  async function expectRoles(
    tandem: Tandem,
    ours: 'Active' | 'Backup',
    keepalived: Keepalived,
  ): Promise<void> {
    await tandem.waitState(ours);
    for (const name of INSTANCES) await keepalived.waitState(name, ours === 'Active' ? 'BACKUP' : 'MASTER');
    await eventually('the Active one alone holds the addresses', () =>
      [VIP4, VIP6].every(
        (vip) => net.tandem.holds(vip) === (ours === 'Active') && net.peer.holds(vip) === (ours === 'Backup'),
      ),
    );
  }

  async function command(tandem: Tandem, ...args: string[]): Promise<void> {
    const done = await tandem.tandem(...args);
    expect(done.status, `${args.join(' ')}: ${done.stdout}${done.stderr}`).toBe(0);
  }

  /** Several Active_Down_Intervals. */
  const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_500));

  it('handover leaves the role to a lower priority, for good; takeover fetches it back', async () => {
    const tandem = await Tandem.start(net.lab, net.tandem, toml(200));
    await tandem.waitState('Active');
    const keepalived = await startKeepalived(100);
    await command(tandem, 'failover', 'handover');
    await expectRoles(tandem, 'Backup', keepalived);
    await aWhile();
    await expectRoles(tandem, 'Backup', keepalived);
    expect((await tandem.router(4)).reason).toBe('handover');

    await command(tandem, 'failover', 'takeover');
    await expectRoles(tandem, 'Active', keepalived);
  });

  it('takeover from a higher priority lasts until handover', async () => {
    const keepalived = await startKeepalived(200);
    for (const name of INSTANCES) await keepalived.waitState(name, 'MASTER');
    const tandem = await Tandem.start(net.lab, net.tandem, toml(100));
    await tandem.waitState('Backup');
    await eventually('Tandem hears keepalived', async () => {
      return [await tandem.router(4), await tandem.router(6)].every(({ peer }) => peer?.priority === 200);
    });
    await command(tandem, 'failover', 'takeover');
    await expectRoles(tandem, 'Active', keepalived);
    await aWhile();
    await expectRoles(tandem, 'Active', keepalived);
    expect(await tandem.router(4)).toMatchObject({
      priority: 100,
      effectivePriority: 201,
      reason: 'takeover',
    });

    await command(tandem, 'failover', 'handover');
    await expectRoles(tandem, 'Backup', keepalived);
    expect(await tandem.router(4)).toMatchObject({ effectivePriority: 100 });
  });

  it('a reload and a restart of the agent keep the role, and the peer sees no gap', async () => {
    const tandem = await Tandem.start(net.lab, net.tandem, toml(200));
    await tandem.waitState('Active');
    const keepalived = await startKeepalived(100);
    await eventually('keepalived hears Tandem', async () => {
      return [...(await keepalived.stats()).values()].every(({ received }) => received > 2);
    });
    const { transitions } = await tandem.router(4);
    tandem.writeConfig(toml(150));
    await command(tandem, 'reload');
    await eventually('the new priority is in force', async () => (await tandem.router(4)).priority === 150);
    await aWhile();
    expect(await tandem.router(4)).toMatchObject({ state: 'Active', transitions });

    const agent = await tandem.agentPid();
    await command(tandem, 'failover', 'restart-agent');
    await tandem.waitState('Active');
    expect(await tandem.agentPid()).not.toBe(agent);
    expect((await tandem.router(4)).reason).toBe('resumed');
    await aWhile();
    expect(keepalived.process.log()).not.toMatch(/Entering MASTER/);
    for (const stats of (await keepalived.stats()).values()) expect(stats.priorityZeroReceived).toBe(0);
  });
});
