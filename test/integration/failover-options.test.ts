/**
 * What keepalived users expect of a group beside the election: the daemon on one host, the client watches.
 *
 *   lb eth0 10.99.0.1, 2001:db8:99::1 ──┬── lan        virtual: 10.99.0.100, excluded: 10.99.0.101, 2001:db8:99::101
 *   client eth0 10.99.0.9 ──────────────┘
 *   lb eth1 10.99.1.1 ─── inner ─── client eth1 10.99.1.9           excluded, on eth1: 10.99.1.100
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { powerCut } from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing('tcpdump', 'nft', 'ping');

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

  test('routes: there while Active, healed, never in the way of others, gone at the end', async () => {
    const routes = `routes = [
      { to = "10.50.0.0/16", via = "10.99.0.9", source = "10.99.0.100" },
      { to = "10.51.0.0/16", via = "10.99.0.9", table = 77, metric = 9 },
      { to = "2001:db8:50::/48", via = "2001:db8:99::9" },
      { to = "10.52.0.0/16", via = "10.99.0.9" },
    ]`;
    host.ip('route', 'add', '10.52.0.0/16', 'via', '10.99.0.254');
    const tandem = await start(toml(routes));
    await tandem.waitState('Active');
    const shown = (...which: string[]): string =>
      host.ip(...which, 'route', 'show', 'table', 'all', 'proto', '112');
    await eventually('the routes are there', () => {
      const [four, six] = [shown('-4'), shown('-6')];
      return (
        /^10\.50\.0\.0\/16 via 10\.99\.0\.9 dev eth0 src 10\.99\.0\.100/m.test(four) &&
        /^10\.51\.0\.0\/16 via 10\.99\.0\.9 dev eth0 table 77 metric 9/m.test(four) &&
        six.startsWith('2001:db8:50::/48 via 2001:db8:99::9 dev eth0')
      );
    });
    await eventually('the foreign one is told', () =>
      tandem.process.log().includes('failover.route-foreign'),
    );
    expect(host.ip('route', 'show', '10.52.0.0/16')).toContain('via 10.99.0.254');
    const status = await tandem.router();
    expect(status.routes.map(({ installed }) => installed)).toEqual([true, true, true, false]);
    // deleted by somebody else, silently by the kernel with its source address, and flushed whole
    host.ip('route', 'del', '10.51.0.0/16', 'table', '77');
    await eventually('it is back', () => shown().includes('10.51.0.0/16'), 1_500, 10);
    host.ip('addr', 'del', '10.99.0.100/24', 'dev', 'eth0');
    await eventually('both are back', () => host.holds('10.99.0.100') && shown().includes('10.50.0.0/16'));
    host.ip('route', 'flush', 'proto', '112', 'table', 'all');
    host.ip('-6', 'route', 'flush', 'proto', '112');
    const all = ['10.50.0.0/16', '10.51.0.0/16', '2001:db8:50::/48'];
    await eventually('all are back', () => {
      const there = shown('-4') + shown('-6');
      return all.every((route) => there.includes(route));
    });
    // somebody else's went: ours takes the place
    host.ip('route', 'del', '10.52.0.0/16');
    await eventually('ours is there', () => shown().includes('10.52.0.0/16'));
    await tandem.stop();
    expect(shown('-4') + shown('-6')).toBe('');
  });

  test('routes of a daemon that was killed whole go at the next start; those of a dead agent at once', async () => {
    const shown = (): string => host.ip('route', 'show', 'proto', '112');
    const tandem = await start(toml('routes = [{ to = "10.50.0.0/16", via = "10.99.0.9" }]'));
    await tandem.waitState('Active');
    await eventually('the route is there', () => shown() !== '');
    const pid = await tandem.agentPid();
    process.kill(pid, 'SIGKILL');
    await eventually('the supervisor cleaned up', () => tandem.process.log().includes('removed 1 routes'));
    await tandem.waitState('Active');
    await eventually('the route is there again', () => shown() !== '');
    powerCut(host);
    await tandem.process.exited;
    expect(shown()).toContain('10.50.0.0/16');
    const next = await start(toml(''));
    await next.waitState('Active');
    expect(shown()).toBe('');
    expect(next.process.log()).toContain('removed 1 routes that a predecessor left');
  });

  test('accept = false: nothing but neighbour discovery reaches the virtual addresses', async () => {
    const ping = async (address: string): Promise<number | null> =>
      (await client.run(['ping', '-c1', '-W1', address])).status;
    const group = (accept: boolean): string =>
      toml(`accept = ${accept}\nexcluded_addresses = ["2001:db8:99::100/64"]`);
    const tandem = await start(group(false));
    await tandem.waitState('Active');
    expect(await ping('10.99.0.100')).not.toBe(0);
    expect(await ping('2001:db8:99::100')).not.toBe(0);
    expect(await ping('10.99.0.1')).toBe(0);
    // the address itself is resolved: a router forwards for those who use it as their gateway
    expect(client.ip('neigh', 'show', '10.99.0.100')).toContain('lladdr');
    expect(client.ip('-6', 'neigh', 'show', '2001:db8:99::100')).toContain('lladdr');
    tandem.writeConfig(group(true));
    expect((await tandem.tandem('reload')).status).toBe(0);
    await eventually('it accepts', async () => (await ping('10.99.0.100')) === 0);
    expect(await ping('2001:db8:99::100')).toBe(0);
    tandem.writeConfig(group(false));
    expect((await tandem.tandem('reload')).status).toBe(0);
    await eventually('it drops again', async () => (await ping('10.99.0.100')) !== 0);
    powerCut(host);
    await tandem.process.exited;
    const tables = async (): Promise<string> => (await host.run(['nft', 'list', 'tables'])).stdout;
    expect(await tables()).toContain('tandem_group_vrid_2d_51_4');
    // the next start cleans up, whatever is configured now
    const next = await start(toml(''));
    await next.waitState('Active');
    expect(await tables()).toBe('');
    expect(await ping('10.99.0.100')).toBe(0);
  });

  test('an interface that is flushed, or set down and up: the addresses come back with its own one', async () => {
    const six = (): void => void host.ip('addr', 'add', '2001:db8:99::1/64', 'dev', 'eth0', 'nodad');
    const tandem = await start(toml('excluded_addresses = ["10.99.0.101/24"]'));
    await tandem.waitState('Active');
    host.ip('addr', 'flush', 'dev', 'eth0', 'scope', 'global');
    await tandem.waitState('Initialize');
    expect((await tandem.router()).explanation).toContain('has no IPv4 address of its own');
    expect(host.holds('10.99.0.100')).toBe(false);
    host.ip('addr', 'add', '10.99.0.1/24', 'dev', 'eth0');
    six();
    await tandem.waitState('Active');
    for (const address of ['10.99.0.100', '10.99.0.101']) expect(host.holds(address)).toBe(true);
    host.ip('link', 'set', 'eth0', 'down');
    await tandem.waitState('Initialize');
    expect(host.holds('10.99.0.100')).toBe(false);
    host.ip('link', 'set', 'eth0', 'up');
    six();
    await tandem.waitState('Active');
    for (const address of ['10.99.0.100', '10.99.0.101']) expect(host.holds(address)).toBe(true);
  });
});
