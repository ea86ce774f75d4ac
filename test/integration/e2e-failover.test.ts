/**
 * The active node dies, hangs or leaves; the other serves (topology: test/support/pair.ts). Preemption is
 * off, so that every test ends with the roles exchanged and the next one begins from there.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually, type Host, missing } from '../support/netns.ts';
import {
  createPair,
  type Pair,
  pairToml,
  startNginx,
  VIP4,
  VIP6,
  VIPS,
  webService,
} from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing('nginx', 'curl');

describe.skipIf(unable !== null)('failover of the pair', () => {
  let pair: Pair;
  let active: Tandem;
  let standby: Tandem;

  const start = (host: Host, group = 'preempt = false'): Promise<Tandem> =>
    Tandem.start(pair.lab, host, pairToml(host === pair.hostA ? 'lb-a' : 'lb-b', webService(), group));

  const serves = async (): Promise<boolean> => {
    for (const { host } of VIPS) {
      const got = await pair.client.run(['curl', '-sf', '-m', '1', `http://${host}/`]);
      if (got.status !== 0) return false;
    }
    return true;
  };

  const holdsAny = (host: Host): boolean => host.holds(VIP4) || host.holds(VIP6);

  /** The standby has taken over: it serves, and the other lets go within the lease. */
  async function tookOver(): Promise<void> {
    await standby.waitState('Active', 10_000);
    await eventually('the service answers on both addresses', serves, 10_000);
    expect(VIPS.every(({ address }) => standby.host.holds(address))).toBe(true);
    await eventually('the old node has let go of the addresses', () => !holdsAny(active.host), 10_000);
    expect(await serves()).toBe(true);
  }

  /** The next test finds a standby again. */
  async function exchange(replacement: Tandem): Promise<void> {
    active = standby;
    standby = replacement;
    await standby.waitState('Backup');
  }

  beforeAll(async () => {
    pair = createPair('fail');
    for (const host of pair.backends) await startNginx(pair.lab, host, '/dev/null');
    active = await start(pair.hostA);
    await active.waitState('Active');
    standby = await start(pair.hostB);
    await standby.waitState('Backup');
  });
  beforeEach(async () => {
    for (const node of [active, standby]) await node.waitEligible('web', ['be-1', 'be-2', 'be-3']);
    await active.waitState('Active');
    await standby.waitState('Backup');
    expect(await serves()).toBe(true);
  });
  afterAll(() => pair.lab.destroy());

  test('a graceful stop hands the addresses over and exits with 0', async () => {
    await active.stop();
    expect(await active.process.exited).toEqual({ code: 0, signal: null });
    // it let go itself: no lease has to run out
    expect(holdsAny(active.host)).toBe(false);
    await tookOver();
    expect((await standby.router()).reason).toBe('peer-priority-zero');
    await exchange(await start(active.host));
  });

  test('kill -9 of supervisor and agent', async () => {
    await active.crash();
    await tookOver();
    expect((await standby.router()).reason).toBe('active-down-expired');
    await exchange(await start(active.host));
  });

  test('kill -9 of the supervisor: its agent leaves on its behalf', async () => {
    const agent = await active.agentPid();
    active.process.kill('SIGKILL');
    await tookOver();
    await eventually('the agent has ended', () => !alive(agent), 10_000);
    await exchange(await start(active.host));
  });

  test('SIGSTOP of the whole daemon: the kernel takes the addresses off, and waking up ends with one owner', async () => {
    await active.signalAll('SIGSTOP');
    await tookOver();
    active.resume();
    await eventually(
      'one node is Active and the other is Backup',
      async () => {
        const states = [(await active.router()).state, (await standby.router()).state];
        return states.sort().join() === 'Active,Backup' && holdsAny(active.host) !== holdsAny(standby.host);
      },
      15_000,
    );
    await eventually('the service answers on both addresses', serves, 5_000);
    if ((await standby.router()).state === 'Active') [active, standby] = [standby, active];
  });

  test('kill -9 of the agent: the addresses never stay without an owner', async () => {
    const agent = await active.agentPid();
    process.kill(agent, 'SIGKILL');
    await eventually('the agent is gone', () => !alive(agent));
    await eventually(
      'a new agent runs, and one node alone is Active and holds the addresses',
      async () => {
        const { failover } = await active.status();
        if (failover?.agent !== 'running' || failover.agentPid === agent) return false;
        const states = [(await active.router()).state, (await standby.router()).state];
        return states.sort().join() === 'Active,Backup' && holdsAny(active.host) !== holdsAny(standby.host);
      },
      15_000,
    );
    await eventually('the service answers on both addresses', serves, 5_000);
    if ((await standby.router()).state === 'Active') [active, standby] = [standby, active];
  });

  test('the cable of the active node is pulled', async () => {
    active.host.setCable('eth0', false);
    await tookOver();
    active.host.setCable('eth0', true);
    await active.waitState('Backup');
    [active, standby] = [standby, active];
  });

  test('a handover by command', async () => {
    const done = await active.tandem('failover', 'handover');
    expect(done.status, done.stderr).toBe(0);
    await tookOver();
    await active.waitState('Backup');
    [active, standby] = [standby, active];
  });

  test('with preemption the node of higher priority takes the addresses back', async () => {
    if (active.host === pair.hostA) {
      await active.crash();
      await tookOver();
      await exchange(await start(pair.hostA));
    }
    await standby.stop();
    standby = await start(pair.hostA, 'preempt = true');
    await standby.waitState('Active');
    await eventually('lb-b has let go', () => !holdsAny(pair.hostB));
    await active.waitState('Backup');
    await eventually('the service answers on both addresses', serves, 5_000);
    [active, standby] = [standby, active];
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
