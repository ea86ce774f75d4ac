import { describe, expect, it } from 'vitest';
import { explainLines, historyLines } from '../../../src/cli/history-view.ts';
import { styleOf } from '../../../src/cli/output.ts';
import { drillOf, statusOf, transitionOf } from '../../support/fake-admin.ts';

const VIEW = { style: styleOf(false), now: 960_000 };
const failover = statusOf().failover;
if (failover === null) throw new Error('no failover');

describe('historyLines', () => {
  it('gives each transition its time, its cause and its figures', () => {
    const entry = transitionOf({ heartbeatsLost: 3, supervisorSilenceMillis: 400 });
    expect(historyLines({ transitions: [entry], drills: [] }, VIEW)).toEqual([
      '1970-01-01T00:15:00.000Z  (1m00s ago)  main IPv4: Backup -> Active (active-down-expired)',
      '    10.0.0.2 (priority 250, every 100ms) was last heard 322ms before',
      '    priority 200; heard 10.0.0.2: priority 250, every 100ms, 322ms before; supervisor silent for 400ms, 3 heartbeats lost',
    ]);
  });

  it('shows drills where they belong in time', () => {
    const lines = historyLines(
      {
        transitions: [transitionOf({ time: 940_000 })],
        drills: [drillOf(), drillOf({ time: 950_000, passed: false })],
      },
      VIEW,
    );
    expect(lines[0]).toBe(
      '1970-01-01T00:15:30.000Z  (30s ago)  drill (planned) passed: gap 12 ms (target 500 ms); by tester on the command line',
    );
    expect(lines[1]).toContain('Backup -> Active');
    expect(lines.at(-1)).toContain('drill (planned) FAILED');
  });

  it('says so when nothing has happened', () => {
    expect(historyLines({ transitions: [], drills: [] }, VIEW)).toEqual(['no transition yet']);
  });
});

describe('explainLines', () => {
  const history = {
    transitions: [transitionOf({ time: 100_000, cause: 'older' }), transitionOf()],
    drills: [],
  };

  it('says why, what would change it, and since when', () => {
    expect(explainLines(failover, history, VIEW)).toEqual([
      'main  IPv4, vrid 51 on eth0, priority 200',
      // 31 ms at the heartbeat, which came 40 ms ago
      '  Active: highest priority heard; 10.0.0.2 last heard 71ms ago',
      '  - would become Backup when another router advertises a priority above 200',
      '  since 1m00s: 10.0.0.2 (priority 250, every 100ms) was last heard 322ms before',
    ]);
  });

  it('does not pass an old state off as fresh', () => {
    const [first] = explainLines(
      { ...failover, agent: 'hung', ageMillis: 1_600, stale: true },
      history,
      VIEW,
    );
    expect(first).toBe('the agent was last heard 1.6s ago (hung); what follows is as old');
  });
});
