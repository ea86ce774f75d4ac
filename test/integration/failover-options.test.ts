/**
 * What keepalived users expect of a group beside the election: the daemon on one host, the client watches.
 *
 *   lb eth0 10.99.0.1, 2001:db8:99::1 ──┬── lan        virtual: 10.99.0.100, excluded: 10.99.0.101, 2001:db8:99::101
 *   client eth0 10.99.0.9 ──────────────┘
 *   lb eth1 10.99.1.1 ─── inner ─── client eth1 10.99.1.9           excluded, on eth1: 10.99.1.100
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing('tcpdump');

describe.skipIf(unable !== null)('options of failover groups', () => {
  let lab: Lab;
  let host: Host;
  let client: Host;
  let running: { stop(): Promise<void> }[] = [];

  const toml = (group: string, failover = ''): string => `
[node]
name = "lb"
[failover]
interface = "eth0"
advertise_interval = "100ms"
${failover}
[[failover.group]]
vrid = 51
addresses = ["10.99.0.100/24"]
${group}
`;

  async function start(text: string): Promise<Tandem> {
    const tandem = await Tandem.start(lab, host, text);
    running.push(tandem);
    return tandem;
  }

  async function capture(device: string, filter: string): Promise<HostProcess> {
    const dump = client.spawn('tcpdump', ['tcpdump', '-lnvv', '-i', device, filter]);
    running.push(dump);
    await eventually('tcpdump listens', () => dump.log().includes('listening on'));
    return dump;
  }

  beforeAll(() => {
    lab = Lab.create('options');
    host = lab.host('lb');
    client = lab.host('client');
    const [lan, inner] = [lab.bridge('lan'), lab.bridge('inner')];
    host.join(lan, 'eth0', ['10.99.0.1/24', '2001:db8:99::1/64']);
    client.join(lan, 'eth0', ['10.99.0.9/24', '2001:db8:99::9/64']);
    host.join(inner, 'eth1', ['10.99.1.1/24']);
    client.join(inner, 'eth1', ['10.99.1.9/24']);
  });
  afterEach(async () => {
    for (const each of running.reverse()) await each.stop();
    running = [];
  });
  afterAll(() => lab.destroy());

  test('startup_delay: no election before, and none of it after a reload or a replaced agent', async () => {
    const began = performance.now();
    const tandem = await start(toml('', 'startup_delay = "3s"'));
    await tandem.waitState('Initialize');
    await eventually('it says why it waits', async () => {
      return (await tandem.router()).explanation.includes('startup_delay keeps it out of elections until 3s');
    });
    expect((await tandem.router()).advertisementsSent).toBe(0);
    await tandem.waitState('Active');
    expect(performance.now() - began).toBeGreaterThan(3_000);
    const { transitions } = await tandem.router();
    tandem.writeConfig(toml('priority = 120', 'startup_delay = "3s"'));
    expect((await tandem.tandem('reload')).status).toBe(0);
    await eventually('the reload counts', async () => (await tandem.router()).priority === 120);
    expect(await tandem.router()).toMatchObject({ state: 'Active', transitions });
  });

  test('excluded addresses, also on another interface: held and announced, not advertised', async () => {
    const [outer, inner] = await Promise.all([
      capture('eth0', 'ip proto 112 or arp or icmp6'),
      capture('eth1', 'arp'),
    ]);
    const excluded = `["10.99.0.101/24", "2001:db8:99::101/64", { address = "10.99.1.100/24", interface = "eth1" }]`;
    const tandem = await start(toml(`excluded_addresses = ${excluded}`));
    await tandem.waitState('Active');
    for (const address of ['10.99.0.100', '10.99.0.101', '2001:db8:99::101', '10.99.1.100']) {
      expect(host.holds(address), address).toBe(true);
      expect((await client.run(['ping', '-c1', '-W1', address])).status, address).toBe(0);
    }
    expect(host.ip('addr', 'show', 'dev', 'eth1')).toMatch(/10\.99\.1\.100\/24.*\n\s+valid_lft [12]sec/);
    expect((await tandem.router()).addresses).toContain('10.99.1.100/24 dev eth1');
    const gratuitous = (address: string): string => `who-has ${address} (ff:ff:ff:ff:ff:ff) tell ${address}`;
    await eventually('they are announced', () => {
      return (
        outer.log().includes(gratuitous('10.99.0.101')) &&
        outer.log().includes('tgt is 2001:db8:99::101') &&
        inner.log().includes(gratuitous('10.99.1.100'))
      );
    });
    expect(outer.log()).toMatch(/addrs: 10\.99\.0\.100$/m);
    expect(outer.log()).not.toMatch(/addrs\(\d\)/);
    // deleted by somebody else: back, on the interface where it belongs
    host.ip('addr', 'del', '10.99.1.100/24', 'dev', 'eth1');
    await eventually('it is back', () => host.ip('addr', 'show', 'dev', 'eth1').includes('10.99.1.100/24'));
    await tandem.stop();
    for (const address of ['10.99.0.101', '10.99.1.100']) expect(host.holds(address)).toBe(false);
  });

  test('an address on an interface that is down keeps the group out; it comes when the interface does', async () => {
    host.ip('link', 'set', 'eth1', 'down');
    const tandem = await start(
      toml(`excluded_addresses = [{ address = "10.99.1.100/24", interface = "eth1" }]`),
    );
    await tandem.waitState('Initialize');
    await eventually('it says why', async () => {
      return (await tandem.router()).explanation === 'Initialize: interface eth1 is down';
    });
    host.ip('link', 'set', 'eth1', 'up');
    await tandem.waitState('Active');
    expect(host.holds('10.99.1.100')).toBe(true);
  });
});
