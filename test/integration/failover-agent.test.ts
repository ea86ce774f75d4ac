/**
 * The failover agent and its supervisor's side, without the rest of the daemon:
 *
 *   lb-a eth0 10.99.0.1, 2001:db8:99::1 ──┐
 *   lb-b eth0 10.99.0.2, 2001:db8:99::2 ──┼── lan (switch)      virtual: 10.99.0.100, 2001:db8:99::100
 *   client eth0 10.99.0.9, 2001:db8:99::9 ┘
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { VrrpState } from '../../src/model/failover.ts';
import { FailoverNode, type GroupInput, type SpecInput } from '../support/failover-node.ts';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';

const VIP4 = '10.99.0.100';
const VIP6 = '2001:db8:99::100';

const unable = missing('ping', 'tcpdump', 'setpriv');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(unable !== null)('failover agent', () => {
  let lab: Lab;
  let hostA: Host;
  let hostB: Host;
  let client: Host;
  let nodes: FailoverNode[] = [];
  let captures: HostProcess[] = [];

  const spec = (priority: number, more: Partial<GroupInput> = {}): SpecInput => ({
    groups: [{ priority, addresses: [`${VIP4}/24`], ...more }],
  });

  async function start(host: Host, input: SpecInput, prefix: readonly string[] = []): Promise<FailoverNode> {
    const node = await FailoverNode.start(lab, host, input, prefix);
    nodes.push(node);
    return node;
  }

  /** A is Active, B is Backup. */
  async function startPair(more: Partial<GroupInput> = {}): Promise<{ a: FailoverNode; b: FailoverNode }> {
    const a = await start(hostA, spec(200, more));
    await a.waitState('Active');
    const b = await start(hostB, spec(100, more));
    await b.waitState('Backup');
    await eventually('b hears a', async () => ((await b.router())?.advertisementsReceived ?? 0) > 2);
    return { a, b };
  }

  /** Every VRRP message on the link, as tcpdump words it. */
  async function capture(): Promise<HostProcess> {
    const dump = client.spawn('tcpdump', ['tcpdump', '-lnvv', '-i', 'eth0', 'ip proto 112 or ip6 proto 112']);
    captures.push(dump);
    await eventually('tcpdump listens', () => dump.log().includes('listening on'));
    return dump;
  }

  /** Pings the virtual address a hundred times a second; returns how many were sent and how many lost. */
  function pinging(address: string, seconds: number): Promise<{ sent: number; lost: number }> {
    const count = String(seconds * 100);
    return client.run(['ping', '-q', '-i', '0.01', '-c', count, '-W', '1', address]).then(({ stdout }) => {
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
      return { sent: Number(sent), lost: Number(sent) - Number(received) };
    });
  }

  const claimed = async (by: Host, not: Host): Promise<void> => {
    await eventually(`${by.name} alone holds the address`, () => by.holds(VIP4) && !not.holds(VIP4));
  };

  beforeAll(() => {
    lab = Lab.create('agent');
    const lan = lab.bridge('lan');
    hostA = lab.host('lb-a');
    hostB = lab.host('lb-b');
    client = lab.host('client');
    hostA.join(lan, 'eth0', ['10.99.0.1/24', '2001:db8:99::1/64']);
    hostB.join(lan, 'eth0', ['10.99.0.2/24', '2001:db8:99::2/64']);
    client.join(lan, 'eth0', ['10.99.0.9/24', '2001:db8:99::9/64']);
  });
  afterEach(async () => {
    await Promise.all([...nodes.map((node) => node.process), ...captures].map((process) => process.stop()));
    nodes = [];
    captures = [];
    for (const host of [hostA, hostB]) host.setCable('eth0', true);
    await eventually('no address is left', () => [hostA, hostB].every((host) => !host.holds(VIP4)));
  });
  afterAll(() => lab.destroy());

  test('election: the higher priority is Active and holds the address with a lifetime', async () => {
    const { a, b } = await startPair();
    expect(hostA.holds(VIP4)).toBe(true);
    expect(hostB.holds(VIP4)).toBe(false);
    expect(hostA.ip('addr', 'show', 'dev', 'eth0')).toMatch(/10\.99\.0\.100\/24.*\n\s+valid_lft [12]sec/);
    const router = await b.router();
    expect(router?.peer).toMatchObject({ address: '10.99.0.1', priority: 200, checksum: 'rfc5798' });
    expect(router?.explanation).toContain('10.99.0.1 advertises priority 200 > 100');
    expect((await a.router())?.holdsAddresses).toBe(true);
    // far longer than the lease: it is refreshed, not just set
    await pause(3_000);
    expect(hostA.holds(VIP4)).toBe(true);
    expect((await a.router())?.transitions).toBe(2);
  });

  test('preemption: the better node takes over from the worse, and clients hardly notice', async () => {
    const b = await start(hostB, spec(100));
    await b.waitState('Active');
    const ping = pinging(VIP4, 3);
    const a = await start(hostA, spec(200));
    await a.waitState('Active');
    await b.waitState('Backup');
    expect((await a.router())?.reason).toBe('preempt');
    expect((await b.router())?.reason).toBe('higher-priority-seen');
    await claimed(hostA, hostB);
    expect((await ping).lost).toBeLessThanOrEqual(50);
  });

  test('no preemption: a better node that comes later stays Backup', async () => {
    const b = await start(hostB, spec(100, { preempt: false }));
    await b.waitState('Active');
    const a = await start(hostA, spec(200, { preempt: false }));
    await eventually('a hears b', async () => ((await a.router())?.advertisementsReceived ?? 0) > 10);
    expect((await a.router())?.state).toBe('Backup');
    expect((await a.router())?.explanation).toContain('preemption is off');
  });

  test('a graceful stop sends priority 0, the peer waits a Skew_Time only, and until then the address stays', async () => {
    const { a, b } = await startPair({ advertiseMillis: 600 });
    await a.stop();
    // whoever stops goes when the other has it: with nobody there, a quarter of a second later than this peer
    expect([hostA.holds(VIP4), hostB.holds(VIP4)]).toEqual([false, true]);
    await b.waitState('Active');
    expect((await b.router())?.reason).toBe('peer-priority-zero');
    expect(await a.process.exited).toEqual({ code: 0, signal: null });
  });

  test('kill -9 of the agent: the supervisor takes the address off, says priority 0 and starts a new agent', async () => {
    const { a, b } = await startPair({ advertiseMillis: 300, leaseSeconds: 60 });
    const pid = await a.agentPid();
    process.kill(pid, 'SIGKILL');
    await b.waitState('Active');
    expect((await b.router())?.reason).toBe('peer-priority-zero');
    expect(a.events('failover.cleanup')[0]?.fields).toMatchObject({ removed: `${VIP4}/24`, resigned: true });
    expect(a.events('failover.agent-exited')[0]?.fields).toMatchObject({ signal: 'SIGKILL' });
    await eventually('a new agent runs', async () => {
      const status = await a.status();
      return status.state === 'running' && status.pid !== pid;
    });
    // it preempts, and the pair is as before
    await a.waitState('Active');
    await claimed(hostA, hostB);
  });

  test('a hung agent (SIGSTOP) is ended and cleaned up after', async () => {
    const { a, b } = await startPair({ leaseSeconds: 60 });
    const pid = await a.agentPid();
    process.kill(pid, 'SIGSTOP');
    await b.waitState('Active');
    await eventually('the agent was declared hung', () => a.hasEvent('failover.agent-hung'));
    await eventually('the address is gone', () => a.hasEvent('failover.cleanup'));
    await eventually('a new agent runs', async () => {
      const status = await a.status();
      return status.state === 'running' && status.pid !== pid;
    });
  });

  test('an agent that starts slowly gets more time at each attempt, and what was enough is kept', async () => {
    const slow = join(lab.dir, 'slow.mjs');
    // of the processes that load it, the agent is the one with a channel to its parent
    writeFileSync(
      slow,
      'if (process.send) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);',
    );
    const a = await start(hostA, { ...spec(200), startLimitMillis: 500 }, [
      'env',
      `NODE_OPTIONS=--import=${slow}`,
    ]);
    const ended = a.events('failover.agent-hung').map(({ fields }) => Number(fields?.['silenceMillis']));
    // 500 and 1,000 ms are too short for it, 4,000 are enough
    expect(ended.length).toBeGreaterThanOrEqual(2);
    expect(ended.length).toBeLessThanOrEqual(3);
    ended.forEach((silence, attempt) => {
      expect(silence).toBeGreaterThanOrEqual(500 * 2 ** attempt);
    });
    await a.waitState('Active');
    const pid = await a.agentPid();
    process.kill(pid, 'SIGKILL');
    await eventually('a new agent runs', async () => {
      const status = await a.status();
      return status.state === 'running' && status.pid !== pid;
    });
    expect(a.events('failover.agent-hung')).toHaveLength(ended.length);
  });

  test('kill -9 of the supervisor: the agent takes the address off, says priority 0 and ends', async () => {
    const { a, b } = await startPair({ advertiseMillis: 300, leaseSeconds: 60 });
    const pid = await a.agentPid();
    a.process.kill('SIGKILL');
    await b.waitState('Active');
    expect((await b.router())?.reason).toBe('peer-priority-zero');
    expect(hostA.holds(VIP4)).toBe(false);
    await eventually('the agent has ended', () => !alive(pid));
  });

  test('kill -9 of both: the kernel takes the address off when the lease ends', async () => {
    const { a, b } = await startPair({ leaseSeconds: 2 });
    const pid = await a.agentPid();
    process.kill(pid, 'SIGSTOP');
    a.process.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    expect(hostA.holds(VIP4)).toBe(true);
    await b.waitState('Active');
    await eventually('the lease ends', () => !hostA.holds(VIP4), 8_000);
    expect((await b.router())?.reason).toBe('active-down-expired');
  });

  test('SIGSTOP of both: the lease ends, and waking up ends with one Active that announces again', async () => {
    const { a, b } = await startPair({ leaseSeconds: 1 });
    const pid = await a.agentPid();
    for (const one of [pid, a.process.pid]) process.kill(one, 'SIGSTOP');
    await b.waitState('Active');
    await eventually('the lease ends', () => !hostA.holds(VIP4));
    for (const one of [pid, a.process.pid]) process.kill(one, 'SIGCONT');
    await eventually('the stall is told', () => a.hasEvent('failover.stall'));
    await b.waitState('Backup');
    await claimed(hostA, hostB);
    // neither side took the other's stillness for its death
    expect(a.hasEvent('failover.agent-hung')).toBe(false);
    expect(await a.agentPid()).toBe(pid);
    expect((await client.run(['ping', '-c1', '-W1', VIP4])).status).toBe(0);
  });

  test('SIGSTOP of the supervisor: its workers serve nobody, so the agent resigns until it is back', async () => {
    const { a, b } = await startPair({ leaseSeconds: 60 });
    process.kill(a.process.pid, 'SIGSTOP');
    await b.waitState('Active');
    expect((await b.router())?.reason).toBe('peer-priority-zero');
    expect(hostA.holds(VIP4)).toBe(false);
    process.kill(a.process.pid, 'SIGCONT');
    await a.waitState('Active');
    expect(a.events('failover.supervisor-lost')).toHaveLength(1);
    expect(a.events('failover.supervisor-returned')).toHaveLength(1);
  });

  test('without preemption an Active that overslept its lease leaves the addresses to its successor', async () => {
    const { a, b } = await startPair({ leaseSeconds: 1, preempt: false });
    const pid = await a.agentPid();
    for (const one of [pid, a.process.pid]) process.kill(one, 'SIGSTOP');
    await b.waitState('Active');
    await eventually('the lease ends', () => !hostA.holds(VIP4));
    for (const one of [pid, a.process.pid]) process.kill(one, 'SIGCONT');
    await a.waitState('Backup');
    expect((await a.router())?.reason).toBe('lease-expired');
    await pause(1_000);
    expect(await b.router()).toMatchObject({ state: 'Active', transitions: 2 });
    expect(hostA.holds(VIP4)).toBe(false);
    expect(hostB.holds(VIP4)).toBe(true);
  });

  test('a Backup that was stopped reads what it received before it believes that the Active is gone', async () => {
    const { a, b } = await startPair();
    const pid = await b.agentPid();
    for (const one of [pid, b.process.pid]) process.kill(one, 'SIGSTOP');
    await pause(1_000);
    for (const one of [pid, b.process.pid]) process.kill(one, 'SIGCONT');
    await eventually('the stall is told', () => b.hasEvent('failover.stall'));
    await pause(500);
    expect((await b.router())?.state).toBe('Backup');
    expect((await b.router())?.transitions).toBe(1);
    expect((await a.router())?.transitions).toBe(2);
  });

  test('a planned restart of the agent keeps the role: no priority 0, no ping lost, address never absent', async () => {
    const { a, b } = await startPair();
    const before = await a.agentPid();
    const dump = await capture();
    const ping = pinging(VIP4, 2);
    await a.restartAgent();
    await eventually('the new agent is Active', async () => {
      const status = await a.status();
      return status.state === 'running' && status.routers[0]?.reason === 'resumed';
    });
    expect(await a.agentPid()).not.toBe(before);
    expect((await ping).lost).toBe(0);
    expect(await a.router()).toMatchObject({ state: 'Active', holdsAddresses: true });
    expect((await b.router())?.transitions).toBe(1);
    expect(dump.log()).toContain('prio 200');
    expect(dump.log()).not.toContain('prio 0,');
    expect(a.hasEvent('failover.address-restored')).toBe(false);
    expect(a.hasEvent('failover.address-removed')).toBe(false);
  });

  test('fifty groups of both families: they come up, and a replaced agent keeps the roles of all', async () => {
    const groups = (priority: number): SpecInput => ({
      groups: Array.from({ length: 50 }, (_, i) => ({
        name: `g${i + 1}`,
        vrid: i + 1,
        priority,
        addresses: [`10.99.0.${101 + i}/24`, `2001:db8:99::${101 + i}/64`],
        leaseSeconds: 4,
      })),
    });
    const allAre = async (node: FailoverNode, state: VrrpState): Promise<boolean> => {
      const { routers } = await node.status();
      return routers.length === 100 && routers.every((router) => router.state === state);
    };
    const a = await start(hostA, groups(200));
    await eventually('a is Active for all', () => allAre(a, 'Active'), 30_000);
    const b = await start(hostB, groups(100));
    await eventually('b is Backup for all', () => allAre(b, 'Backup'), 30_000);
    await a.restartAgent();
    await eventually('the new agent is Active for all', () => allAre(a, 'Active'), 30_000);
    expect((await a.status()).routers.every(({ reason }) => reason === 'resumed')).toBe(true);
    expect((await b.status()).routers.every(({ transitions }) => transitions === 1)).toBe(true);
    for (const node of [a, b]) expect(node.hasEvent('failover.agent-exited')).toBe(false);
  }, 120_000);

  test('another host that has an address is told and contradicted, a preempting router is neither', async () => {
    const groups = [{ priority: 100, addresses: [`${VIP4}/24`, `${VIP6}/64`] }];
    const b = await start(hostB, { groups });
    for (const family of [4, 6] as const) await b.waitState('Active', family);
    const a = await start(hostA, { groups: groups.map((group) => ({ ...group, priority: 200 })) });
    for (const family of [4, 6] as const) await b.waitState('Backup', family);
    const what = '(arp host 10.99.0.100) or (icmp6 and ip6[40] == 136)';
    const dump = client.spawn('arp', ['tcpdump', '-lnne', '-i', 'eth0', what]);
    captures.push(dump);
    await eventually('tcpdump listens', () => dump.log().includes('listening on'));
    // the first announcements are over
    await pause(1_500);
    const before = dump.log().length;
    const announced = await client.run([
      process.execPath,
      '--input-type=module',
      '-e',
      `import { loadNative } from '${DIST}/native/index.js';
       import { gratuitousArp } from '${DIST}/vrrp/arp.js';
       import { unsolicitedNeighbourAdvertisement } from '${DIST}/vrrp/ndp.js';
       import { parseIp } from '${DIST}/lib/ip.js';
       const native = loadNative();
       const { index, mac } = native.listLinks().find(({ name }) => name === 'eth0');
       const socket = native.openPacketSocket(index, 0, null);
       socket.send(gratuitousArp(mac, parseIp('${VIP4}')));
       socket.send(unsolicitedNeighbourAdvertisement(mac, parseIp('${VIP6}')));`,
    ]);
    expect(announced.status, announced.stderr).toBe(0);
    const macOf = (host: Host): string =>
      /link\/ether (\S+)/.exec(host.ip('link', 'show', 'eth0'))?.[1] ?? 'no MAC address';
    const told = (): unknown[] =>
      a.events('failover.duplicate-address').map(({ fields }) => [fields['address'], fields['mac']]);
    await eventually('both are told', () => told().length === 2);
    expect(told().sort()).toEqual([
      [VIP4, macOf(client)],
      [VIP6, macOf(client)],
    ]);
    await eventually('a announces both again', () => {
      const lines = dump.log().slice(before).split('\n');
      const again = lines.filter((line) => line.includes(` ${macOf(hostA)} > `));
      return ['ARP', 'neighbor advertisement'].every((word) => again.some((line) => line.includes(word)));
    });
    expect((await a.router(6))?.duplicates.last).toMatchObject({ address: VIP6, mac: macOf(client) });
    for (const node of [a, b]) expect(node.events('failover.conflict')).toEqual([]);
    // the preempting router announced before it advertised
    expect(b.events('failover.duplicate-address')).toEqual([]);
  });

  test('an address that another program deletes is back at once', async () => {
    const { a } = await startPair({ leaseSeconds: 60 });
    hostA.ip('addr', 'del', `${VIP4}/24`, 'dev', 'eth0');
    // a refresh would come only every twelve seconds
    await eventually('the address is back', () => hostA.holds(VIP4), 1_000, 5);
    await eventually('it is told', () => a.hasEvent('failover.address-restored'));
    expect((await a.router())?.state).toBe('Active');
  });

  test('the cable is pulled and plugged again', async () => {
    const { a, b } = await startPair();
    hostA.setCable('eth0', false);
    await a.waitState('Initialize');
    expect((await a.router())?.explanation).toBe('Initialize: interface eth0 has no carrier');
    expect(hostA.holds(VIP4)).toBe(false);
    await b.waitState('Active');
    hostA.setCable('eth0', true);
    await a.waitState('Active');
    await b.waitState('Backup');
    await claimed(hostA, hostB);
    expect(a.events('failover.link').map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  test('handover and takeover', async () => {
    const { a, b } = await startPair();
    expect(await b.command('handover')).toMatchObject({ ok: false });
    expect(await a.command('handover')).toMatchObject({ ok: true });
    await b.waitState('Active');
    await claimed(hostB, hostA);
    // a's priority is higher and preemption is on; it has handed over all the same
    await pause(1_000);
    expect(await a.router()).toMatchObject({ state: 'Backup', reason: 'handover' });
    expect((await a.router())?.explanation).toContain('handed over');
    expect(await a.command('takeover')).toMatchObject({ ok: true });
    await b.waitState('Backup');
    expect(await b.command('takeover')).toMatchObject({ ok: true });
    await a.waitState('Backup');
    expect((await b.router())?.effectivePriority).toBe(201);
    // an agent restart keeps the raised priority, too
    await b.restartAgent();
    await b.waitState('Active');
    expect((await b.router())?.effectivePriority).toBe(201);
    await claimed(hostB, hostA);
  });

  const unfit = { fault: null, weight: -254, reason: 'this node is not fit to serve: its worker is dead' };
  const fit = { fault: null, weight: 0, reason: null };

  test('a node that must not take part is in Initialize', async () => {
    const { a, b } = await startPair();
    await a.request({ do: 'standing', standing: { ...fit, fault: 'the uplink is down' } });
    await b.waitState('Active');
    expect(await a.router()).toMatchObject({
      state: 'Initialize',
      reason: 'unfit',
      explanation: 'Initialize: the uplink is down',
    });
    await a.request({ do: 'standing', standing: fit });
    await a.waitState('Active');
  });

  test.each([true, false])('an unfit node yields to a fit one, preempt = %s', async (preempt) => {
    const { a, b } = await startPair({ preempt });
    const ping = pinging(VIP4, 2);
    await a.request({ do: 'standing', standing: unfit });
    await b.waitState('Active');
    await a.waitState('Backup');
    await claimed(hostB, hostA);
    expect(await b.router()).toMatchObject({ reason: 'peer-priority-zero' });
    expect(await a.router()).toMatchObject({ reason: 'higher-priority-seen', effectivePriority: 1 });
    // the one let go after the other had taken
    expect((await ping).lost).toBeLessThanOrEqual(20);
    expect(await a.command('takeover')).toMatchObject({ ok: false });
    await a.request({ do: 'standing', standing: fit });
    if (preempt) await a.waitState('Active');
    else {
      await pause(1_000);
      await b.waitState('Active');
    }
  });

  test('of two unfit nodes one serves on, and so does one that is alone', async () => {
    const { a, b } = await startPair();
    await b.request({ do: 'standing', standing: unfit });
    const ping = pinging(VIP4, 3);
    await a.request({ do: 'standing', standing: unfit });
    await pause(1_500);
    expect(await a.router()).toMatchObject({
      state: 'Active',
      transitions: 2,
      explanation: expect.stringContaining('with priority 1 instead of 200 (this node is not fit to serve'),
    });
    expect((await b.router())?.state).toBe('Backup');
    await b.stop();
    expect((await ping).lost).toBeLessThanOrEqual(20);
    expect((await a.router())?.transitions).toBe(2);
    expect(hostA.holds(VIP4)).toBe(true);
  });

  test('a changed configuration keeps state and adds and removes addresses', async () => {
    const { a, b } = await startPair();
    const addresses = ['10.99.0.101/24', '10.99.0.102/24'];
    await a.request({ do: 'configure', spec: spec(210, { addresses }) });
    await eventually('the addresses changed', () => hostA.holds('10.99.0.101') && !hostA.holds(VIP4));
    await eventually('b hears 210', async () => (await b.router())?.peer?.priority === 210);
    expect((await a.router())?.transitions).toBe(2);
    expect((await client.run(['ping', '-c1', '-W1', '10.99.0.102'])).status).toBe(0);
  });

  test('IPv6 beside IPv4: one state machine each, a derived link-local address first', async () => {
    const { a, b } = await startPair({ addresses: [`${VIP4}/24`, `${VIP6}/64`] });
    await a.waitState('Active', 6);
    await b.waitState('Backup', 6);
    expect((await a.router(6))?.addresses).toEqual(['fe80::200:5eff:fe00:233/128', `${VIP6}/64`]);
    expect((await b.router(6))?.peer?.address).toMatch(/^fe80::/);
    expect((await client.run(['ping', '-c1', '-W1', VIP6])).status).toBe(0);
    // never the source of a connection of the host's own
    expect(hostA.ip('-6', 'route', 'get', '2001:db8:99::9')).toContain('src 2001:db8:99::1 ');
    await a.stop();
    await b.waitState('Active', 6);
    expect(hostA.holds(VIP6)).toBe(false);
    await eventually('the client reaches b', async () => {
      return (await client.run(['ping', '-c1', '-W1', VIP6])).status === 0;
    });
    // the host's own route to the subnet has not inherited the lease's end
    await pause(2_500);
    expect(hostA.ip('-6', 'route', 'show', '2001:db8:99::/64')).not.toContain('expires');
    expect(hostA.ip('-6', 'route', 'show', '2001:db8:99::/64')).toContain('dev eth0');
  });

  test('unicast, both families', async () => {
    const group = (peer4: string, peer6: string): Partial<GroupInput> => ({
      addresses: [`${VIP4}/24`, `${VIP6}/64`],
      unicast: { peers: [peer4, peer6] },
    });
    const a = await start(hostA, spec(200, group('10.99.0.2', '2001:db8:99::2')));
    const b = await start(hostB, spec(100, group('10.99.0.1', '2001:db8:99::1')));
    for (const family of [4, 6] as const) {
      await a.waitState('Active', family);
      await b.waitState('Backup', family);
      await eventually('b hears a', async () => ((await b.router(family))?.advertisementsReceived ?? 0) > 3);
    }
    expect((await b.router(6))?.peer?.address).toBe('2001:db8:99::1');
  });

  test('version 2 with a password: it works, is warned of, and the password is nowhere to be read', async () => {
    const { a, b } = await startPair({ version: 2, advertiseMillis: 1_000, authPass: 'hunter22' });
    expect((await b.router())?.peer).toMatchObject({ priority: 200, checksum: null });
    await b.request({ do: 'configure', spec: spec(100, { version: 2, advertiseMillis: 1_000 }) });
    await eventually('the password is missed', async () => {
      return ((await b.router())?.discarded['auth-type'] ?? 0) > 0;
    });
    expect(a.events('failover.auth-warning')).toHaveLength(1);
    for (const node of [a, b]) expect(node.process.log()).not.toContain('hunter22');
  });

  test('an interface that does not exist is waited for', async () => {
    const a = await start(hostA, spec(200, { interface: 'late7', addresses: ['10.97.0.100/24'] }));
    expect((await a.router())?.explanation).toBe('Initialize: interface late7 does not exist');
    hostA.ip('link', 'add', 'late7', 'type', 'veth', 'peer', 'name', 'late7peer');
    hostA.ip('link', 'set', 'late7peer', 'up');
    hostA.ip('link', 'set', 'late7', 'up');
    await eventually('it says what is missing', async () => {
      return (await a.router())?.explanation === 'Initialize: interface late7 has no IPv4 address of its own';
    });
    hostA.ip('addr', 'add', '10.97.0.1/24', 'dev', 'late7');
    await a.waitState('Active');
    hostA.ip('link', 'del', 'late7');
    await eventually('it waits again', async () => {
      return (await a.router())?.explanation === 'Initialize: interface late7 does not exist';
    });
    expect(await a.status()).toMatchObject({ state: 'running' });
  });

  test('missing privileges are told, and the agent goes on', async () => {
    const a = await start(hostA, spec(200), ['setpriv', '--bounding-set=-net_raw']);
    await eventually('the error is told', () => a.hasEvent('failover.error'));
    expect(a.events('failover.error')[0]).toMatchObject({
      level: 'error',
      fields: { hint: 'the failover agent needs CAP_NET_RAW and CAP_NET_ADMIN' },
    });
    expect((await a.router())?.state).toBe('Initialize');
    expect((await a.router())?.explanation).toContain('no raw socket');
  });

  test('a node that may not add addresses does not make the working one let go', async () => {
    const b = await start(hostB, spec(100));
    await b.waitState('Active');
    const a = await start(hostA, spec(200), ['setpriv', '--bounding-set=-net_admin']);
    await eventually('it says why', async () => {
      return (await a.router())?.explanation.includes('the addresses cannot be added') === true;
    });
    expect(await a.router()).toMatchObject({ state: 'Initialize', reason: 'unfit' });
    await pause(1_000);
    expect(await b.router()).toMatchObject({ state: 'Active', transitions: 2, holdsAddresses: true });
  });

  test('an address that the host holds for good is neither leased nor removed', async () => {
    hostA.ip('addr', 'add', '10.99.0.110/24', 'dev', 'eth0');
    const a = await start(hostA, spec(255, { addresses: ['10.99.0.110/24'] }));
    await a.waitState('Active');
    expect((await a.router())?.reason).toBe('address-owner');
    await a.stop();
    expect(hostA.ip('addr', 'show', 'dev', 'eth0')).toMatch(/10\.99\.0\.110\/24.*\n\s+valid_lft forever/);
    hostA.ip('addr', 'del', '10.99.0.110/24', 'dev', 'eth0');
  });

  test('junk a thousand times a second changes no role and delays no advertisement', async () => {
    const { a, b } = await startPair();
    const junk = client.spawn('junk', [process.execPath, JUNK, '51', '10.99.0.9']);
    captures.push(junk);
    await pause(500);
    const first = await b.router();
    await pause(3_000);
    const second = await b.router();
    expect(await a.router()).toMatchObject({ state: 'Active', transitions: 2 });
    expect(second).toMatchObject({ state: 'Backup', transitions: 1 });
    const received = (second?.advertisementsReceived ?? 0) - (first?.advertisementsReceived ?? 0);
    expect(received).toBeGreaterThanOrEqual(20);
    const dropped = (reason: 'checksum' | 'ttl' | 'truncated' | 'count-zero'): number =>
      second?.discarded[reason] ?? 0;
    expect(dropped('checksum')).toBeGreaterThan(100);
    expect(dropped('ttl')).toBeGreaterThan(100);
    expect(dropped('truncated')).toBeGreaterThan(100);
    expect(dropped('count-zero')).toBeGreaterThan(100);
  });
});

const DIST = new URL('../../dist', import.meta.url).href;
const JUNK = new URL('../support/vrrp-junk.mjs', import.meta.url).pathname;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
