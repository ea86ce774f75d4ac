/**
 * The virtual router's MAC address, between two Tandems and between Tandem and keepalived's `use_vmac`
 * (topology: test/support/peering.ts). The watcher's neighbour entry never changes.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, type Host, type HostProcess, missing } from '../support/netns.ts';
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

const VARIANTS = [
  {
    family: 4,
    vip: VIP4,
    addresses: [`${VIP4}/24`],
    mac: '00:00:5e:00:01:33',
    device: `vrrp.${VRID}`,
  },
  {
    family: 6,
    vip: VIP6,
    addresses: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`],
    mac: '00:00:5e:00:02:33',
    device: `vrrp6.${VRID}`,
  },
] as const;

const skip = missing('keepalived', 'tcpdump', 'ping', 'nft');

describe.skipIf(skip !== null).each(VARIANTS)('virtual MAC address, IPv$family', (variant) => {
  const { family, vip, addresses, mac, device } = variant;
  let net: Peering;
  let watch: HostProcess;

  beforeEach(async () => {
    net = createPeering('vmac');
    // strict reverse path filtering for all, as many distributions set it
    for (const host of [net.tandem, net.peer]) host.sysctl('net.ipv4.conf.all.rp_filter', '1');
    watch = net.watcher.spawn('tcpdump', ['tcpdump', '-lnne', '-i', 'eth0', 'arp or ip proto 112 or ip6']);
    await eventually('tcpdump listens', () => watch.log().includes('listening on'));
  });
  afterEach(() => net.lab.destroy());

  const toml = (node: string, priority: number): string =>
    failoverToml(
      node,
      `priority = ${priority}
advertise_interval = "100ms"
virtual_mac = true
addresses = ${JSON.stringify(addresses)}`,
    );
  const startTandem = (priority: number, host: Host = net.tandem): Promise<Tandem> =>
    Tandem.start(net.lab, host, toml(host.name, priority));
  const startKeepalived = (priority: number): Promise<Keepalived> => {
    // keepalived leaves this to the administrator: its host would answer a client by asking for the client's
    // MAC address over eth0, from its own MAC address and "tell" the virtual IP, and the client would follow that
    net.peer.sysctl('net.ipv4.conf.eth0.arp_announce', '2');
    return Keepalived.start(net.lab, net.peer, [
      { name: 'peer', version: 3, vrid: VRID, priority, interval: 0.1, addresses, vmac: true },
    ]);
  };

  const reaches = async (): Promise<boolean> =>
    (await net.watcher.run(['ping', '-c1', '-W1', vip])).status === 0;

  /** The address answers, from the virtual MAC address and no other. */
  async function expectVirtual(): Promise<void> {
    await eventually(`${vip} answers`, reaches);
    const neighbour = net.watcher.ip('neigh', 'show', vip);
    expect(neighbour).toContain(mac);
  }

  /** Nobody ever said that the address were somewhere else. */
  function expectOneMac(): void {
    const told = watch
      .log()
      .split('\n')
      .filter(
        (line) =>
          line.includes(`is-at`) || line.includes('neighbor advertisement') || line.includes(`tell ${vip}`),
      )
      .filter(
        (line) =>
          line.includes(`Reply ${vip} `) || line.includes(`tgt is ${vip},`) || line.includes(`tell ${vip}`),
      );
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((line) => !line.includes(`${mac} > `))).toEqual([]);
  }

  it('two Tandems: advertised and announced from it, kept over a crash, gone after a stop', async () => {
    const a = await startTandem(200);
    await a.waitState('Active');
    const b = await startTandem(100, net.peer);
    await b.waitState('Backup');
    await expectVirtual();
    expect(watch.log()).toMatch(new RegExp(`${mac} > .*vrid ${VRID}, prio 200`));
    expect(net.tandem.ip('addr', 'show', 'dev', device)).toMatch(/valid_lft [12]sec/);
    expect(net.peer.ip('link', 'show', 'dev', device)).toContain('state DOWN');
    powerCut(net.tandem);
    await a.process.exited;
    await b.waitState('Active');
    await expectVirtual();
    await eventually('the lease of the dead one ends', () => !net.tandem.holds(vip));
    // the interface stays, for nobody was left to remove it; the next start does
    expect(net.tandem.ip('link', 'show', 'dev', device)).toContain(mac);
    const again = await startTandem(200);
    await again.waitState('Active');
    await b.waitState('Backup');
    await expectVirtual();
    // the supervisor cleans up after its agent
    const agent = await again.agentPid();
    process.kill(agent, 'SIGKILL');
    await eventually('it says so', () => {
      // the first time was at its own start
      return again.process.log().split(`that a predecessor left: ${device}`).length === 3;
    });
    // the status may still be the dead agent's, and the other node may have answered meanwhile
    await eventually('another agent holds the address', async () => {
      const now = (await again.status()).failover?.agentPid ?? agent;
      return now !== agent && net.tandem.holds(vip);
    });
    await again.waitState('Active');
    await expectVirtual();
    net.tandem.ip('link', 'del', 'dev', device);
    await eventually('the interface is back', () => net.tandem.holds(vip));
    await expectVirtual();
    expectOneMac();
    await again.stop();
    expect(net.tandem.ip('link', 'show')).not.toContain(device);
    await b.waitState('Active');
    await expectVirtual();
    await b.stop();
    expect((await net.peer.run(['nft', 'list', 'tables'])).stdout).toBe('');
  });

  it('an interface whose maker died before it was marked is made anew; one that is up is left alone', async () => {
    const foreign = (): string => net.tandem.ip('link', 'show', 'dev', device);
    net.tandem.ip('link', 'add', device, 'link', 'eth0', 'address', mac, 'type', 'macvlan', 'mode', 'vepa');
    const before = foreign().split(':')[0];
    const a = await startTandem(200);
    await a.waitState('Active');
    await expectVirtual();
    expect(foreign().split(':')[0]).not.toBe(before);
    await a.stop();
    net.tandem.ip('link', 'add', device, 'link', 'eth0', 'address', mac, 'type', 'macvlan', 'mode', 'vepa');
    net.tandem.ip('link', 'set', device, 'up');
    const b = await startTandem(200);
    await eventually('it says why not', () =>
      b.process.log().includes(`an interface ${device} exists and is not Tandem`),
    );
    expect(net.tandem.holds(vip)).toBe(false);
    await b.stop();
    expect(foreign()).toContain('UP');
    net.tandem.ip('link', 'del', 'dev', device);
  });

  it('keepalived with use_vmac, in both roles', async () => {
    const keepalived = await startKeepalived(100);
    await keepalived.waitState('peer', 'MASTER');
    await expectVirtual();
    const first = await startTandem(200);
    await first.waitState('Active');
    await keepalived.waitState('peer', 'BACKUP');
    await expectVirtual();
    await eventually('keepalived hears Tandem', async () => {
      return ((await keepalived.stats()).get('peer')?.received ?? 0) > 2;
    });
    const errors = (await keepalived.stats()).get('peer')?.errors ?? {};
    expect(Object.entries(errors).filter(([, count]) => count > 0)).toEqual([]);
    await first.stop();
    await keepalived.waitState('peer', 'MASTER');
    await expectVirtual();
    const second = await startTandem(50);
    await second.waitState('Backup');
    expect((await second.router(family)).discarded).toEqual({});
    await keepalived.stop();
    await second.waitState('Active');
    await expectVirtual();
    expectOneMac();
  });
});
