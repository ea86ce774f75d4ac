/**
 * A link falls apart and heals, again and again, with a client on either side. Carrier stays, so nobody is told:
 *
 *   lb-a 10.99.0.1, ::1 ───┐                        ┌─── lb-b 10.99.0.2, ::2
 *                          ├── lan-a ──x── lan-b ───┤        virtual: 10.99.0.100, 2001:db8:99::100
 *   client-a .8, ::8 ──────┘                        └─── client-b .9, ::9
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FailoverNode, type GroupInput } from '../support/failover-node.ts';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';

const VIPS = ['10.99.0.100', '2001:db8:99::100'] as const;
const HEALS = 10;

const unable = missing('ping');

describe.skipIf(unable !== null)('partitions of a pair', () => {
  let lab: Lab;
  let far: Host;
  let hosts: readonly [Host, Host];
  let clients: readonly [Host, Host];
  let nodes: FailoverNode[] = [];

  beforeAll(() => {
    lab = Lab.create('part');
    const near = lab.bridge('lan-a');
    far = lab.bridge('lan-b');
    far.join(near, 'trunk', []);
    far.ip('link', 'set', 'trunk', 'master', 'br0');
    const host = (name: string, lan: Host, number: number): Host => {
      const made = lab.host(name);
      made.join(lan, 'eth0', [`10.99.0.${number}/24`]);
      // The link-local addresses follow from it, in the opposite order of the IPv4 ones: with equal priorities the greater
      // address wins, and IPv4 and IPv6 of a group move together all the same.
      made.ip('link', 'set', 'eth0', 'down');
      made.ip('link', 'set', 'eth0', 'address', `02:00:00:99:00:0${9 - number}`);
      made.ip('link', 'set', 'eth0', 'up');
      made.ip('addr', 'add', `2001:db8:99::${number}/64`, 'dev', 'eth0', 'nodad');
      return made;
    };
    hosts = [host('lb-a', near, 1), host('lb-b', far, 2)];
    clients = [host('client-a', near, 8), host('client-b', far, 9)];
  });
  afterEach(async () => {
    far.setConnected('trunk', true);
    await Promise.all(nodes.map(({ process }) => process.stop()));
    nodes = [];
    await eventually('no address is left', () => !hosts.some((host) => VIPS.some((vip) => host.holds(vip))));
  });
  afterAll(() => lab.destroy());

  const states = async (): Promise<string> => {
    const all = await Promise.all(nodes.map((node) => node.status()));
    return all.map(({ routers }) => routers.map(({ state }) => state).join()).join(' ');
  };

  const macOf = (host: Host): string =>
    /link\/ether (\S+)/.exec(host.ip('link', 'show', 'eth0'))?.[1] ?? 'no MAC address';

  const cacheOf = (client: Host, vip: string): string | undefined => {
    const family = vip.includes(':') ? '-6' : '-4';
    const found = JSON.parse(client.ip(family, '-j', 'neigh', 'show', vip)) as { lladdr?: string }[];
    return found[0]?.lladdr;
  };

  /** Every client asks every address once. */
  const answers = async (): Promise<boolean> => {
    const asked = clients.flatMap((client) =>
      VIPS.map((vip) => client.run(['ping', '-q', '-c', '1', '-W', '1', vip])),
    );
    return (await Promise.all(asked)).every(({ status }) => status === 0);
  };

  test.each<[string, Partial<GroupInput>, Partial<GroupInput>]>([
    ['preemption, different priorities', { priority: 200 }, { priority: 100 }],
    ['no preemption, equal priorities', { preempt: false }, { preempt: false }],
  ])('%s: after each heal one is Active, and both clients reach it at once', async (_, a, b) => {
    const addresses = VIPS.map((vip) => (vip.includes(':') ? `${vip}/64` : `${vip}/24`));
    for (const [i, more] of [a, b].entries()) {
      const host = hosts[i];
      if (host !== undefined)
        nodes.push(await FailoverNode.start(lab, host, { groups: [{ addresses, ...more }] }));
    }
    for (let heal = 1; heal <= HEALS; heal++) {
      far.setConnected('trunk', false);
      await eventually('each side has an Active', async () => !/Backup/.test(await states()));
      expect(await answers(), `heal ${heal}: each side serves its own client`).toBe(true);
      clients.forEach((client, i) => {
        const own = hosts[i];
        if (own !== undefined) for (const vip of VIPS) expect(cacheOf(client, vip)).toBe(macOf(own));
      });
      far.setConnected('trunk', true);
      await eventually('one is Active', async () =>
        /^(Active,Active Backup,Backup|Backup,Backup Active,Active)$/.test(await states()),
      );
      const active = (await states()).startsWith('Active') ? hosts[0] : hosts[1];
      // the first announcement is on its way when the role is decided; the next come 100 ms apart
      await eventually(
        `heal ${heal}: both clients have learned where the addresses are`,
        () => clients.every((client) => VIPS.every((vip) => cacheOf(client, vip) === macOf(active))),
        3_000,
      );
      expect(await answers(), `heal ${heal}: no address is dead`).toBe(true);
    }
    const told = nodes.flatMap((node) => node.events('failover.conflict'));
    // of those that come within a second of another, one is told
    expect(told.length, 'conflicts are told').toBeGreaterThan(HEALS / 2);
    expect(nodes.flatMap((node) => node.events('failover.duplicate-address'))).toEqual([]);
  });
});
