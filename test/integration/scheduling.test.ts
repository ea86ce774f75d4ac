/** The agent's place among all that wants a CPU, as the kernel has it: SCHED_FIFO, or the next best, and the rest is told. */
import { readFileSync, rmdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FailoverNode } from '../support/failover-node.ts';
import { flood, runs, wedge } from '../support/faults.ts';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';

const unable = missing('setpriv', 'prlimit');

const WITHOUT_FIFO = fileURLToPath(new URL('../support/without-fifo.sh', import.meta.url));
const WITHOUT_EITHER = ['prlimit', '--rtprio=0', '--nice=0', 'setpriv', '--bounding-set=-sys_nice'];

describe.skipIf(unable !== null)('scheduling of the failover agent', () => {
  let lab: Lab;
  let host: Host;
  let node: FailoverNode;

  beforeAll(() => {
    lab = Lab.create('sched');
    host = lab.host('lb-a');
    host.join(lab.bridge('lan'), 'eth0', ['10.99.0.1/24']);
  });
  afterEach(() => node.process.stop());
  afterAll(async () => {
    await lab.destroy();
    try {
      rmdirSync('/sys/fs/cgroup/cpu/tdt-without-fifo');
    } catch {
      // it was not needed
    }
  });

  async function start(
    prefix: readonly string[],
  ): Promise<{ policy: number; priority: number; nice: number }> {
    const groups = [{ addresses: ['10.99.0.100/24'], priority: 200 }];
    node = await FailoverNode.start(lab, host, { realtimePriority: 50, groups }, prefix);
    await node.waitState('Active');
    const pid = await node.agentPid();
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { policy: fields[38] ?? -1, priority: fields[37] ?? -1, nice: fields[16] ?? -1 };
  }

  const SCHED_OTHER = 0;
  const SCHED_FIFO = 1;

  test('with CAP_SYS_NICE: SCHED_FIFO, and nothing to tell', async () => {
    expect(await start([])).toMatchObject({ policy: SCHED_FIFO, priority: 50 });
    expect((await node.status()).realtime).toBe(true);
    expect(node.events('failover.realtime')).toEqual([]);
  });

  test('an endless loop at that priority is ended by the kernel when nobody else is there to do it', async () => {
    await start([]);
    const agent = await node.agentPid();
    await wedge(host, agent);
    node.process.kill('SIGSTOP');
    await eventually('the agent is gone', () => !runs(agent));
    node.process.kill('SIGCONT');
    await eventually('it is told', () => node.hasEvent('failover.agent-exited'));
    expect(node.events('failover.agent-exited')[0]?.fields).toMatchObject({ signal: 'SIGKILL' });
  });

  test('an event loop that turns without a pause is not: it is busy', async () => {
    await start([]);
    const agent = await node.agentPid();
    await flood(host, agent);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await node.status()).toMatchObject({ pid: agent, state: 'running' });
    expect((await node.router())?.state).toBe('Active');
  });

  test('SCHED_FIFO refused, niceness not: nice -20, told once', async () => {
    expect(await start(['sh', WITHOUT_FIFO])).toMatchObject({ policy: SCHED_OTHER, nice: -20 });
    expect((await node.status()).realtime).toBe(false);
    await node.request({
      do: 'configure',
      spec: { realtimePriority: 50, groups: [{ addresses: ['10.99.0.101/24'], priority: 210 }] },
    });
    await node.waitState('Active');
    expect(node.events('failover.realtime')).toHaveLength(1);
    expect(node.events('failover.realtime')[0]).toMatchObject({
      level: 'warn',
      message: expect.stringContaining('nice -20 instead'),
      fields: { priority: 50, errno: 'EPERM', nice: -20 },
    });
  });

  test('both refused: the agent runs as everything else does, and says so', async () => {
    expect(await start(WITHOUT_EITHER)).toMatchObject({ policy: SCHED_OTHER, nice: 0 });
    expect(node.events('failover.realtime')[0]).toMatchObject({
      level: 'warn',
      message: expect.stringContaining('nor at nice -20'),
      fields: { priority: 50, errno: 'EPERM', nice: null },
    });
  });
});
