import { describe, expect, it } from 'vitest';
import { judge, type Measured, targetsOf, unhealthy } from '../../../src/cli/drill/plan.ts';
import { Tally } from '../../../src/cli/drill/tally.ts';
import { formatTarget, parseTarget } from '../../../src/cli/drill/target.ts';
import { statusOf } from '../../support/fake-admin.ts';

describe('the tally of a target', () => {
  it('has the longest silence between answers, and when it began', () => {
    const tally = new Tally('x');
    for (const at of [10, 20, 30, 330, 340]) {
      tally.sent();
      tally.answer(at, 1_000 + at);
    }
    tally.sent();
    expect(tally.report(350, 1_350)).toEqual({ target: 'x', sent: 6, lost: 1, gapMillis: 300, gapAt: 1_030 });
  });

  it('counts a silence to the end, and none before the first answer', () => {
    const tally = new Tally('x');
    tally.sent();
    expect(tally.report(500, 500)).toMatchObject({ lost: 1, gapMillis: null, gapAt: null });
    tally.answer(600, 600);
    expect(tally.report(2_600, 2_600)).toMatchObject({ gapMillis: 2_000, gapAt: 600 });
  });

  it('takes answers in any order', () => {
    const tally = new Tally('x');
    for (const at of [100, 90, 120]) tally.answer(at, at);
    expect(tally.report(121, 121)).toMatchObject({ lost: 0, gapMillis: 20 });
  });
});

describe('targets', () => {
  it.each([
    ['10.0.0.1:80', 'tcp://10.0.0.1:80'],
    ['tcp://[2001:db8::1]:80', 'tcp://[2001:db8::1]:80'],
    ['udp://10.0.0.1:53', 'udp://10.0.0.1:53'],
  ])('%s', (text, shown) => {
    expect(formatTarget(parseTarget(text))).toBe(shown);
  });

  it.each(['10.0.0.1', 'http://10.0.0.1:80', '', ':80', '10.0.0.1:0'])('%s is none', (text) => {
    expect(() => parseTarget(text)).toThrow('is no address and port');
  });

  it('are the services on the virtual addresses, those on all addresses included', () => {
    const status = statusOf();
    const names = (listen: string[]): string[] => {
      const [web] = status.services;
      return targetsOf({ ...status, services: [{ ...web!, listen }] }, undefined).map(formatTarget);
    };
    expect(names(['10.0.0.100:80', '10.0.0.9:80'])).toEqual(['tcp://10.0.0.100:80']);
    expect(names(['0.0.0.0:80', '[::]:80'])).toEqual(['tcp://10.0.0.100:80']);
    expect(names(['10.0.0.9:80'])).toEqual([]);
  });
});

describe('a drill may begin', () => {
  const failover = statusOf().failover!;
  const status = (changes: Partial<typeof failover>) => statusOf({ failover: { ...failover, ...changes } });
  it('on an Active node that is well', () => {
    expect(unhealthy(statusOf(), undefined)).toBeNull();
    expect(unhealthy(statusOf(), 'main')).toBeNull();
  });

  const [router] = failover.routers;
  it.each([
    [statusOf({ failover: null }), undefined, 'no [failover] section'],
    [status({ agent: 'hung' }), undefined, 'the failover agent is hung'],
    [status({ stale: true }), undefined, 'has not been heard'],
    [status({ routers: [] }), undefined, 'no group runs here'],
    [status({ routers: [{ ...router!, state: 'Backup' }] }), undefined, 'main is Backup here, not Active'],
    [
      status({ drains: [{ group: 'main', role: 'giver', connections: 1, initially: 1, endsInMillis: 9 }] }),
      undefined,
      'the drain of an earlier handover is not over',
    ],
  ])('not otherwise', (of, group, why) => {
    expect(unhealthy(of, group)).toContain(why);
  });
});

describe('the verdict', () => {
  const measured = (changes: Partial<Measured> = {}, gaps: (number | null)[] = [12.34, 30.06]): Measured => ({
    kind: 'planned',
    probes: {
      targets: gaps.map((gapMillis, n) => ({ target: `t${n}`, sent: 100, lost: n, gapMillis, gapAt: 0 })),
      unmeasured: [],
      connectionsKept: 9,
      connectionsLost: 1,
    },
    targetMillis: 500,
    connectionsPromised: false,
    activeBefore: 'lb-a',
    activeAfter: 'lb-a',
    by: 'tester',
    faults: [],
    ...changes,
  });

  it('is of the worst target', () => {
    expect(judge(measured())).toMatchObject({
      passed: true,
      gapMillis: 30.1,
      probesSent: 200,
      probesLost: 1,
      summary: 'gap 30.1 ms (target 500 ms), 1 of 200 probes lost, 9 connections kept, 1 lost',
    });
  });

  it.each<[string, Measured, string]>([
    ['a gap above the target', measured({ targetMillis: 30 }), 'the gap is above the target'],
    ['no answer at all', measured({}, [null]), 'nothing was answered'],
    ['a promise that was not kept', measured({ connectionsPromised: true }), 'were to be kept'],
    ['something else', measured({ faults: ['it rained'] }), 'it rained'],
  ])('fails with %s', (_name, of, why) => {
    const report = judge(of);
    expect(report.passed).toBe(false);
    expect(report.summary).toContain(why);
  });
});
