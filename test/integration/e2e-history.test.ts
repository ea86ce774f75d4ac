/** What two nodes tell about crashes, commands, stalls and restarts of the agent (topology: test/support/pair.ts). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FailoverHistory, failoverHistory, type TransitionEntry } from '../../src/admin/contract.ts';
import { eventually } from '../support/netns.ts';
import { createPair, type Pair, pairToml, VIP4 } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const SERVICE = `
[[service]]
name = "web"
listen = ["${VIP4}:80"]
[[service.backend]]
address = "10.98.0.11:80"
`;

describe('failover history and explain', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;

  const startA = (): Promise<Tandem> =>
    Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE, 'preempt = false'));

  async function historyOf(node: Tandem): Promise<FailoverHistory['transitions']> {
    const { stdout } = await node.tandem('failover', 'history', '--json');
    return failoverHistory.parse(JSON.parse(stdout)).transitions.filter(({ family }) => family === 4);
  }

  async function lastOf(node: Tandem, to: TransitionEntry['to']): Promise<TransitionEntry> {
    const last = (await historyOf(node)).at(-1);
    expect(last?.to).toBe(to);
    if (last === undefined) throw new Error('no history');
    return last;
  }

  beforeAll(async () => {
    pair = createPair('hist');
    a = await startA();
    await a.waitState('Active');
    b = await Tandem.start(pair.lab, pair.hostB, pairToml('lb-b', SERVICE, 'preempt = false'));
    await b.waitState('Backup');
  });
  afterAll(() => pair.lab.destroy());

  test('the beginning, and why things are as they are', async () => {
    const moves = (await historyOf(a)).map(({ from, to, reason }) => `${from} ${to} ${reason}`);
    expect(moves).toEqual(['Initialize Backup startup', 'Backup Active active-down-expired']);
    await eventually('lb-b has heard lb-a', async () => (await b.router()).peer !== null);
    const { stdout } = await b.tandem('failover', 'explain');
    expect(stdout).toMatch(/Backup: 10\.98\.0\.1 advertises priority 200 > 100, last heard \d+ms ago\n/);
    // 3 x 100 ms + 156/256 x 100 ms
    expect(stdout).toContain('would become Active 360.9ms after its last advertisement');
    expect(stdout).toMatch(/since .*: started\n/);
  });

  test('kill -9 of the peer: its last advertisement, the deadline, and how it was kept', async () => {
    await a.crash();
    await b.waitState('Active');
    const entry = await lastOf(b, 'Active');
    expect(entry).toMatchObject({ reason: 'active-down-expired', from: 'Backup', priority: 100 });
    expect(entry.peer).toMatchObject({ address: '10.98.0.1', priority: 200, intervalMillis: 100 });
    expect(entry.peer?.ageMillis).toBeGreaterThan(360);
    expect(entry.activeDown?.intervalMillis).toBeCloseTo(360.9, 0);
    expect(entry.activeDown?.lateMillis).toBeGreaterThanOrEqual(0);
    const { stdout } = await b.tandem('failover', 'history');
    expect(stdout).toMatch(/10\.98\.0\.1 \(priority 200, every 100ms\) was last heard \d+(\.\d)?ms before;/);
    const metrics = await b.metrics();
    expect(metrics).toMatch(
      /tandem_vrrp_transitions_total\{[^}]*family="4"[^}]*to="Active",reason="active-down-expired"\} 1/,
    );
    expect(metrics).toMatch(/tandem_vrrp_lease_refresh_age_seconds\{[^}]*family="4"[^}]*\} 0\.\d+/);
    a = await startA();
    await a.waitState('Backup');
  });

  test('a stall of the Active agent: how long it was, and who took over meanwhile', async () => {
    // both processes: a supervisor that runs would end an agent that is stopped
    await b.signalAll('SIGSTOP');
    try {
      await a.waitState('Active');
      await new Promise((resolve) => setTimeout(resolve, 300));
    } finally {
      b.resume();
    }
    await b.waitState('Backup');
    const entry = await lastOf(b, 'Backup');
    expect(entry.stall?.millis).toBeGreaterThan(300);
    expect(entry.stall?.ageMillis).toBeLessThan(1_000);
    expect(entry.peer).toMatchObject({ address: '10.98.0.1', priority: 200 });
    expect(entry.cause).toMatch(/ not (run|had run) for|did not run for/);
    expect(await b.metrics()).toMatch(/^tandem_failover_stalls_total [1-9]/m);
  });

  test('a handover says who asked', async () => {
    await a.tandem('failover', 'handover');
    await b.waitState('Active');
    const entry = (await historyOf(a)).find(({ reason }) => reason === 'handover');
    expect(entry?.requestedBy).toMatch(/ on the command line$/);
    expect((await lastOf(b, 'Active')).reason).toBe('peer-priority-zero');
  });

  test('the history outlives a replaced agent and a killed one', async () => {
    const before = await historyOf(b);
    expect((await b.tandem('failover', 'restart-agent')).status).toBe(0);
    await b.waitState('Active');
    expect((await historyOf(b)).slice(0, before.length)).toEqual(before);
    expect((await lastOf(b, 'Active')).reason).toBe('resumed');
    process.kill(await b.agentPid(), 'SIGKILL');
    await b.waitState('Backup');
    const after = await historyOf(b);
    expect(after.slice(0, before.length)).toEqual(before);
    const lost = after.find(({ reason }) => reason === 'agent-lost');
    expect(lost).toMatchObject({ from: 'Active', to: 'Initialize' });
    expect(lost?.cause).toContain('SIGKILL');
  });
});
