import { describe, expect, it } from 'vitest';
import type { BackendStatus } from '../../../src/admin/contract.ts';
import { markOf, notesOf, shownBackends } from '../../../src/page/backend-marks.ts';
import { areaPath, linePath, niceMax, runsOf, sampleAt } from '../../../src/page/chart.ts';
import { formatAge, formatBytes, formatRate } from '../../../src/page/format.ts';
import { peerCard, roleOf, selfCard } from '../../../src/page/pair-model.ts';
import { RateSeries, rateOf, Series, WINDOW_MS } from '../../../src/page/series.ts';
import { SseParser } from '../../../src/page/sse-parser.ts';
import { entriesOf, lanesOf } from '../../../src/page/timeline-model.ts';
import { Traffic } from '../../../src/page/traffic.ts';
import { backendStatusOf, drillOf, statusOf, transitionOf } from '../../support/fake-admin.ts';

describe('server-sent events', () => {
  const text =
    ': comment\nevent: a\nid: 1\ndata: one\n\ndata: two\ndata:three\r\n\r\nevent: empty\n\nretry: 5\ndata\n\n';

  it.each([1, 2, 3, 7, 1_000])('are the same in pieces of %i characters', (size) => {
    const parser = new SseParser();
    const messages = [];
    for (let i = 0; i < text.length; i += size) messages.push(...parser.push(text.slice(i, i + size)));
    expect(messages).toEqual([
      { event: 'a', data: 'one', id: '1' },
      { event: 'message', data: 'two\nthree', id: '1' },
      { event: 'message', data: '', id: '1' },
    ]);
  });
});

describe('rates', () => {
  it('are not made up over a gap, a restart or a clock that went back', () => {
    const before = { at: 1_000, value: 100 };
    expect(rateOf(before, { at: 3_000, value: 200 })).toBe(50);
    expect(rateOf(undefined, { at: 3_000, value: 200 })).toBeNull();
    expect(rateOf(before, { at: 3_000, value: 99 })).toBeNull();
    expect(rateOf(before, { at: 60_000, value: 200 })).toBeNull();
    expect(rateOf(before, { at: 1_000, value: 200 })).toBeNull();
  });

  it('are kept for five minutes, and anew after the clock was set back', () => {
    const series = new Series();
    for (let at = 1_000; at <= 2 * WINDOW_MS; at += 1_000) series.push(at, at);
    expect(series.samples).toHaveLength(300);
    expect(series.samples[0]?.at).toBe(WINDOW_MS + 1_000);
    series.push(5_000, 7);
    expect(series.samples).toEqual([{ at: 5_000, value: 7 }]);
  });

  it('begin with the second reading', () => {
    const rates = new RateSeries();
    for (const [at, total] of [
      [0, 5],
      [1_000, 15],
      [2_000, 3],
      [3_000, 6],
    ] as const)
      rates.push(at, total);
    expect(rates.rates.samples).toEqual([
      { at: 1_000, value: 10 },
      { at: 3_000, value: 3 },
    ]);
  });

  it('of a service that is gone are forgotten, and all of a daemon that was replaced', () => {
    const traffic = new Traffic();
    const status = statusOf();
    traffic.observe(1_000, status);
    traffic.observe(2_000, {
      ...status,
      services: status.services.map((s) => ({ ...s, accepted: s.accepted + 5 })),
    });
    expect(traffic.of('web').accepts.rates.last).toBe(5);
    traffic.observe(3_000, { ...status, pid: status.pid + 1 });
    expect(traffic.of('web').accepts.rates.last).toBeNull();
    traffic.observe(4_000, { ...status, pid: status.pid + 1, services: [] });
    expect(traffic.of('web').connections.last).toBeNull();
  });
});

describe('a chart', () => {
  const frame = { width: 300, height: 40, now: 300_000, max: 10 };
  const samples = [298_000, 299_000, 300_000].map((at) => ({ at, value: 5 }));

  it('has its own time at the right edge and draws no line over a gap', () => {
    expect(linePath(samples, frame)).toBe('M298 20L299 20L300 20');
    const gap = [{ at: 200_000, value: 0 }, ...samples];
    expect(runsOf(gap)).toHaveLength(2);
    expect(linePath(gap, frame)).toBe('M200 39h1M298 20L299 20L300 20');
    expect(areaPath(gap, frame)).toBe('M298 40L298 20L299 20L300 20L300 40Z');
  });

  it('finds the sample at the pointer', () => {
    expect(sampleAt(samples, 299.2, frame)).toEqual({ at: 299_000, value: 5 });
    expect(sampleAt(samples, 100, frame)).toBeUndefined();
  });

  it.each([
    [0, 1],
    [1, 1],
    [1.5, 2],
    [2, 2],
    [3, 5],
    [7, 10],
    [10, 10],
    [11, 20],
    [999, 1_000],
  ])('scales %d to %d', (value, max) => {
    expect(niceMax(value)).toBe(max);
  });
});

describe('numbers', () => {
  it.each([
    [formatBytes(0), '0 B'],
    [formatBytes(999), '999 B'],
    [formatBytes(999.7), '1 kB'],
    [formatBytes(1_234_567), '1.23 MB'],
    [formatRate(0.5), '0.5/s'],
    [formatRate(12_345), '12.3 k/s'],
    [formatAge(59_999), '59s'],
    [formatAge(3_600_000), '1h 0m'],
    [formatAge(-5), '0s'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});

const agentOf = (changes: Partial<NonNullable<BackendStatus['agent']>>) => ({
  admin: 'ready' as const,
  up: true,
  weightPercent: 100,
  maxConnections: null,
  said: 'up',
  fault: null,
  ...changes,
});

describe('a backend', () => {
  it.each([
    [{}, 'up'],
    [{ health: 'down', eligible: false }, 'down'],
    [{ admin: 'draining', eligible: false }, 'draining'],
    [{ admin: 'draining', health: 'down', eligible: false }, 'down'],
    [{ admin: 'maintenance', health: 'down', eligible: false }, 'maintenance'],
    [{ ejected: true, eligible: false }, 'ejected'],
    [{ backup: true, eligible: false }, 'standby'],
    [{ health: 'checking', eligible: false }, 'checking'],
    [{ health: 'unchecked' }, 'unchecked'],
    [{ agent: agentOf({ up: false }) }, 'down by agent'],
    [{ agent: agentOf({ up: false }), health: 'down' }, 'down'],
    [{ agent: agentOf({ admin: 'draining' }) }, 'draining by agent'],
    [{ agent: agentOf({}) }, 'up'],
  ] as const)('%o is %s', (changes, word) => {
    expect(markOf(backendStatusOf('a', changes)).word).toBe(word);
  });

  it('says the rest beside it', () => {
    const backend = backendStatusOf('a', { health: 'down', admin: 'draining', backup: true, ejected: true });
    expect(notesOf(backend)).toEqual(['backup', 'draining', 'ejected']);
  });

  it('in trouble is among those that are shown of many', () => {
    const backends = Array.from({ length: 100 }, (_, i) =>
      backendStatusOf(`b${i}`, i === 90 ? { health: 'down' } : {}),
    );
    expect(shownBackends(backends, 10).map(({ id }) => id)).toEqual([
      'b90',
      ...backends.slice(0, 9).map(({ id }) => id),
    ]);
    expect(shownBackends(backends, 100)).toBe(backends);
  });
});

describe('the pair', () => {
  const failover = statusOf().failover!;
  const router = failover.routers[0]!;

  it('has a role as a whole', () => {
    expect(roleOf(null).word).toBe('balancer alone');
    expect(roleOf(failover).word).toBe('Active');
    expect(roleOf({ ...failover, routers: [router, { ...router, state: 'Backup' }] }).word).toBe(
      'Active for 1 of 2',
    );
    expect(roleOf({ ...failover, agent: 'hung' }).word).toBe('agent hung');
    expect(roleOf({ ...failover, stale: true }).word).toBe('agent not heard');
  });

  const peerWord = (changes: Partial<typeof failover>): string | undefined =>
    peerCard(statusOf({ failover: { ...failover, ...changes } }))?.role.word;
  const silent = { reportAgeMillis: 60_000, reaches: 2, peerReaches: 2, yields: null };

  it('sees its peer by its reports and its advertisements', () => {
    expect(peerWord({})).toBe('Backup');
    expect(peerWord({ peer: silent })).toBe('peer not heard');
    expect(peerWord({ peer: null })).toBe('peer not heard');
    expect(peerWord({ peer: silent, routers: [{ ...router, state: 'Backup' }] })).toBe('Active');
    const gone = { ...router, state: 'Backup' as const, peer: { ...router.peer!, ageMillis: 9_000 } };
    expect(peerWord({ peer: silent, routers: [gone] })).toBe('peer not heard');
    expect(peerCard(statusOf({ failover: null }))).toBeNull();
  });

  it('tells what an operator should know', () => {
    expect(selfCard(statusOf(), 1_000_000).notes).toEqual([
      { label: 'Tracker uplink', value: 'down, priority -50: eth1 has no carrier', tone: 'warn' },
    ]);
  });
});

describe('the timeline', () => {
  const hour = 3_600_000;
  const now = 10 * hour;
  const transitions = [
    transitionOf({ time: now - hour / 2, from: 'Initialize', to: 'Backup', reason: 'startup' }),
    transitionOf({ time: now - hour / 4, family: 4 }),
    transitionOf({ time: now - hour / 4 + 3, family: 6 }),
  ];

  it('has a lane for each virtual router', () => {
    const { from, lanes } = lanesOf({ transitions, drills: [] }, now);
    expect(from).toBe(now - hour / 2);
    expect(lanes.map(({ name }) => name)).toEqual(['main IPv4', 'main IPv6']);
    expect(lanes[0]?.spans).toEqual([
      { state: 'Backup', from: 0, to: 0.5 },
      { state: 'Active', from: 0.5, to: 1 },
    ]);
  });

  it('says once what both families did, newest first, drills among it', () => {
    const drills = [drillOf({ time: now - 5, passed: false })];
    const entries = entriesOf({ transitions, drills }, 10);
    expect(entries.map(({ title }) => title)).toEqual([
      'Drill, planned: failed',
      'main, IPv4 and IPv6: Backup to Active',
      'main, IPv4: Initialize to Backup',
    ]);
    expect(new Set(entries.map(({ key }) => key)).size).toBe(3);
    expect(entriesOf({ transitions, drills }, 1)).toHaveLength(1);
  });
});
