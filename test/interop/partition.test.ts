/**
 * Partitions between Tandem and keepalived that heal (topology: test/support/peering.ts). The watcher is on
 * keepalived's side, so that its neighbour cache points to the wrong node when the link is whole again. keepalived
 * lets go without a word when it hears Tandem first; what corrects the cache is then "announce.refresh".
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, type Host, missing } from '../support/netns.ts';
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

const HEALS = 3;
const VIPS = [VIP4, VIP6];
const skip = missing('keepalived', 'ping');

describe.skipIf(skip !== null)('partitions of Tandem and keepalived', () => {
  let net: Peering;
  let tandem: Tandem;

  beforeEach(() => {
    net = createPeering('heal');
  });
  afterEach(() => net.lab.destroy());

  async function startBoth(tandemPriority: number, keepalivedPriority: number): Promise<void> {
    const addresses = [`${VIP4}/24`, `${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`];
    const group = `priority = ${tandemPriority}\nadvertise_interval = "100ms"\nannounce = { refresh = "1s" }\naddresses = ${JSON.stringify(addresses)}`;
    const common = { version: 3, vrid: VRID, priority: keepalivedPriority, interval: 0.1 } as const;
    await Keepalived.start(net.lab, net.peer, [
      { ...common, name: 'v4', addresses: [`${VIP4}/24`] },
      { ...common, name: 'v6', addresses: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`] },
    ]);
    tandem = await Tandem.start(net.lab, net.tandem, failoverToml('tandem', group));
  }

  const holdsAll = (host: Host): boolean => VIPS.every((vip) => host.holds(vip));
  const holdsNone = (host: Host): boolean => !VIPS.some((vip) => host.holds(vip));

  const ask = async (): Promise<boolean> => {
    const asked = VIPS.map((vip) => net.watcher.run(['ping', '-q', '-c', '1', '-W', '1', vip]));
    return (await Promise.all(asked)).every(({ status }) => status === 0);
  };

  const caches = (): (string | undefined)[] =>
    VIPS.map((vip) => {
      const family = vip.includes(':') ? '-6' : '-4';
      return (JSON.parse(net.watcher.ip(family, '-j', 'neigh', 'show', vip)) as { lladdr?: string }[])[0]
        ?.lladdr;
    });

  const macs = (host: Host): string[] => {
    const mac = /link\/ether (\S+)/.exec(host.ip('link', 'show', 'eth0'))?.[1] ?? 'no MAC address';
    return VIPS.map(() => mac);
  };

  /** `loser` and the watcher are on one side, `winner` on the other. */
  async function partitionAndHeal(winner: Host, loser: Host): Promise<void> {
    winner.setConnected('eth0', false);
    await eventually('both hold the addresses', () => holdsAll(winner) && holdsAll(loser));
    expect(await ask(), 'the loser serves the watcher').toBe(true);
    expect(caches()).toEqual(macs(loser));
    winner.setConnected('eth0', true);
    await eventually('the winner alone holds the addresses', () => holdsAll(winner) && holdsNone(loser));
    await eventually(
      'the watcher has learned where the addresses are',
      () => caches().join() === macs(winner).join(),
      4_000,
    );
    expect(await ask(), 'no address is dead').toBe(true);
  }

  it('Tandem stays: it announces again, though keepalived lets go without a word', async () => {
    await startBoth(200, 100);
    await tandem.waitState('Active');
    for (let heal = 0; heal < HEALS; heal++) await partitionAndHeal(net.tandem, net.peer);
    expect((await tandem.router(4)).duplicates.count).toBe(0);
  });
});
