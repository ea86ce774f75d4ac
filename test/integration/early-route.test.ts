/**
 * A new IPv6 address while the kernel has no time for its route to it: on every processor, a program under
 * SCHED_FIFO keeps out whatever is less urgent, as is the kernel's work item. lb-a dies at that moment.
 *
 *   lb-a eth0 2001:db8:99::1 ──┐
 *   lb-b eth0 2001:db8:99::2 ──┼── lan       virtual: 2001:db8:99::100
 *   client eth0 2001:db8:99::9 ┘
 */
import { cpus } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FailoverNode } from '../support/failover-node.ts';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';

const VIP6 = '2001:db8:99::100';
/** Milliseconds; under the second after which the kernel gives the less urgent their share. */
const BUSY = 850;

const unable = missing('ping', 'tcpdump', 'chrt', 'taskset', 'timeout');

describe.skipIf(unable !== null)('the route to a new IPv6 address', () => {
  let lab: Lab;
  let hostA: Host;
  let hostB: Host;
  let client: Host;

  const start = (host: Host, priority: number): Promise<FailoverNode> =>
    FailoverNode.start(lab, host, {
      groups: [{ priority, addresses: [`${VIP6}/64`], preempt: false }],
      realtimePriority: 50,
    });

  beforeAll(() => {
    lab = Lab.create('early');
    const lan = lab.bridge('lan');
    [hostA, hostB, client] = ['lb-a', 'lb-b', 'client'].map((name) => lab.host(name)) as [Host, Host, Host];
    hostA.join(lan, 'eth0', ['2001:db8:99::1/64']);
    hostB.join(lan, 'eth0', ['2001:db8:99::2/64']);
    client.join(lan, 'eth0', ['2001:db8:99::9/64']);
  });
  afterAll(() => lab.destroy());

  /** When `ip monitor` saw a local route to the address come, in milliseconds as Date has them; NaN: not yet. */
  const seen = (log: string, protocol: string): number => {
    const line = log
      .split('\n')
      .find(
        (one) =>
          one.includes(`local ${VIP6} `) && one.includes(`proto ${protocol} `) && !one.includes('Deleted'),
      );
    return Date.parse(/^\[(\S+)\]/.exec(line ?? '')?.[1] ?? '');
  };

  test('does not wait for the kernel: what comes after the announcement is answered', async () => {
    const a = await start(hostA, 200);
    await a.waitState('Active', 6);
    const b = await start(hostB, 100);
    await b.waitState('Backup', 6);
    await eventually('b hears a', async () => ((await b.router(6))?.advertisementsReceived ?? 0) > 2);
    const monitor = hostB.spawn('monitor', ['chrt', '-f', '3', 'ip', '-ts', 'monitor', 'route']);
    const ping = client.spawn('ping', ['chrt', '-f', '2', 'ping', '-D', '-i', '0.01', VIP6]);
    await eventually('the address answers', () => ping.log().includes('icmp_seq=20'));
    const victims = `${await a.agentPid()} ${a.process.pid}`;
    const crowd = cpus().map((_, index) =>
      hostB.spawn('crowd', [
        ...['taskset', '-c', `${index}`, 'timeout', `${BUSY / 1_000}`, 'chrt', '-f', '1'],
        ...['sh', '-c', `kill -9 ${victims} 2>/dev/null; while :; do :; done`],
      ]),
    );
    await Promise.all(crowd.map(({ exited }) => exited));
    await b.waitState('Active', 6);
    await eventually('the kernel has made its route', () => !Number.isNaN(seen(monitor.log(), 'kernel')));
    await ping.stop();
    const [early, kernel] = [seen(monitor.log(), '112'), seen(monitor.log(), 'kernel')];
    // otherwise nothing was tested
    expect(kernel - early, monitor.log()).toBeGreaterThan(200);
    const meanwhile = answers(ping.log()).filter((at) => at > early && at < kernel);
    // a hundred a second are asked
    expect(meanwhile.length, ping.log()).toBeGreaterThan((kernel - early) / 10 / 2);
    await b.stop();
    expect(hostB.ip('-6', 'route', 'show', 'table', 'local')).not.toContain(VIP6);
  }, 30_000);

  test('the same without it: nothing is answered until the kernel has its route', async () => {
    const monitor = hostB.spawn('monitor', ['chrt', '-f', '3', 'ip', '-ts', 'monitor', 'route']);
    const ping = client.spawn('ping', ['chrt', '-f', '2', 'ping', '-D', '-i', '0.01', VIP6]);
    // first, for this process has no turn while the crowd is there
    const add = `sleep 0.3; date +%s%3N; exec ip -6 addr add ${VIP6}/64 dev eth0 nodad`;
    const adder = hostB.spawn('add', ['chrt', '-f', '3', 'sh', '-c', add]);
    const crowd = cpus().map((_, index) =>
      hostB.spawn('crowd', [
        ...['taskset', '-c', `${index}`, 'timeout', `${BUSY / 1_000}`, 'chrt', '-f', '1'],
        ...['sh', '-c', 'while :; do :; done'],
      ]),
    );
    await adder.exited;
    await Promise.all(crowd.map(({ exited }) => exited));
    await eventually('the kernel has made its route', () => !Number.isNaN(seen(monitor.log(), 'kernel')));
    const kernel = seen(monitor.log(), 'kernel');
    await eventually('then it is answered', () => answers(ping.log()).some((at) => at > kernel));
    await ping.stop();
    hostB.ip('-6', 'addr', 'del', `${VIP6}/64`, 'dev', 'eth0');
    expect(kernel - Number(adder.log()), monitor.log()).toBeGreaterThan(200);
    // 'ip monitor' sees the route a moment after it is there
    expect(answers(ping.log()).filter((at) => at < kernel - 50)).toEqual([]);
  }, 30_000);
});

/** When ping had its answers, in milliseconds as Date has them. */
const answers = (log: string): number[] =>
  [...log.matchAll(/^\[([\d.]+)\].* icmp_seq=\d+ ttl=/gm)].map(([, at]) => Number(at) * 1_000);
