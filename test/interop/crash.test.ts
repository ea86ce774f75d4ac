/**
 * Parts of Tandem die or hang beside a real keepalived, IPv4 and IPv6 (topology: test/support/peering.ts):
 * the peer becomes active, and the dead node lets go of the addresses, within the lease at the latest.
 * Tandem has the higher priority but does not preempt, so that each test ends with the peer in charge.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keepalived, type KeepalivedStats } from '../support/keepalived.ts';
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

const INSTANCES = ['v4', 'v6'] as const;
const PEER = { version: 3, vrid: VRID, priority: 100, interval: 0.1 } as const;

const skip = missing('keepalived');

describe.skipIf(skip !== null)('a crash of Tandem beside keepalived', () => {
  let net: Peering;
  let tandem: Tandem;
  let keepalived: Keepalived;

  beforeEach(async () => {
    net = createPeering('crash');
    tandem = await Tandem.start(
      net.lab,
      net.tandem,
      failoverToml(
        'tandem',
        `
priority = 200
preempt = false
advertise_interval = "100ms"
addresses = ["${VIP4}/24", "${VIP6_LINK_LOCAL}/64", "${VIP6}/64"]
lease = "1s"
`,
      ),
    );
    await tandem.waitState('Active');
    keepalived = await Keepalived.start(net.lab, net.peer, [
      { ...PEER, name: 'v4', addresses: [`${VIP4}/24`] },
      { ...PEER, name: 'v6', addresses: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`] },
    ]);
    await eventually('keepalived hears Tandem', async () => {
      return (await peerStats()).every(({ received }) => received > 2);
    });
    expect(INSTANCES.map((name) => keepalived.state(name))).toEqual(['BACKUP', 'BACKUP']);
  });
  afterEach(() => net.lab.destroy());

  async function peerStats(): Promise<KeepalivedStats[]> {
    const stats = await keepalived.stats();
    return INSTANCES.map((name) => {
      const found = stats.get(name);
      if (found === undefined) throw new Error(`keepalived knows no ${name}`);
      return found;
    });
  }

  async function expectPeerTookOver(): Promise<void> {
    for (const name of INSTANCES) await keepalived.waitState(name, 'MASTER');
    await eventually('Tandem has let go of the addresses', () => {
      return ![VIP4, VIP6, VIP6_LINK_LOCAL].some((vip) => net.tandem.holds(vip));
    });
    expect(net.peer.holds(VIP4) && net.peer.holds(VIP6)).toBe(true);
  }

  const resignations = async (): Promise<number[]> =>
    (await peerStats()).map(({ priorityZeroReceived }) => priorityZeroReceived);

  it('the agent: the supervisor resigns for it and starts another', async () => {
    const agent = await tandem.agentPid();
    process.kill(agent, 'SIGKILL');
    await expectPeerTookOver();
    expect(Math.min(...(await resignations()))).toBeGreaterThan(0);
    await eventually('a new agent runs', async () => {
      const { failover } = await tandem.status();
      return failover?.agent === 'running' && failover.agentPid !== agent;
    });
    await tandem.waitState('Backup');
    expect(INSTANCES.map((name) => keepalived.state(name))).toEqual(['MASTER', 'MASTER']);
  });

  it('the supervisor: the agent resigns and ends', async () => {
    tandem.process.kill('SIGKILL');
    await expectPeerTookOver();
    expect(Math.min(...(await resignations()))).toBeGreaterThan(0);
  });

  it('both at once: the lease', async () => {
    powerCut(net.tandem);
    await expectPeerTookOver();
    expect(await resignations()).toEqual([0, 0]);
  });

  it('SIGSTOP of both: the lease; and waking up ends with one owner', async () => {
    await tandem.signalAll('SIGSTOP');
    await expectPeerTookOver();
    expect(await resignations()).toEqual([0, 0]);
    tandem.resume();
    await eventually('one router alone is active and holds each address', async () => {
      const owners = await Promise.all(
        INSTANCES.map(async (name, i) => {
          const ours = (await tandem.router(i === 0 ? 4 : 6)).state === 'Active';
          const theirs = keepalived.state(name) === 'MASTER';
          const vip = i === 0 ? VIP4 : VIP6;
          return ours !== theirs && net.tandem.holds(vip) === ours && net.peer.holds(vip) === theirs;
        }),
      );
      return owners.every(Boolean);
    });
  });

  it('an agent that hangs is replaced', async () => {
    const agent = await tandem.agentPid();
    process.kill(agent, 'SIGSTOP');
    await expectPeerTookOver();
    await eventually('a new agent runs', async () => {
      const { failover } = await tandem.status();
      return failover?.agent === 'running' && failover.agentPid !== agent;
    });
    await tandem.waitState('Backup');
  });
});
