import { describe, expect, it } from 'vitest';
import { failed, type Probe, type ProbeOutcome, passed } from '../../../../src/control-path/health/probe.ts';
import { ProbeGate } from '../../../../src/control-path/health/probe-gate.ts';
import { Prober } from '../../../../src/control-path/health/prober.ts';
import type { NextInterval } from '../../../../src/control-path/health/tracker.ts';
import { type Instant, millis, seconds } from '../../../../src/lib/duration.ts';
import type { HealthSpec, ProbeResult } from '../../../../src/model/health.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { backendSpec, endpoint, healthSpec } from '../../../support/specs.ts';

interface Running {
  readonly address: string;
  readonly at: Instant;
  readonly signal: AbortSignal;
  progress(text: string): void;
  end(outcome: ProbeOutcome): void;
  fail(error: Error): void;
}

/** A prober whose probes the test ends by hand. */
function bench(options: { max?: number; random?: () => number; next?: () => NextInterval } = {}) {
  const clock = new ManualClock();
  const began = clock.now();
  const probes: Running[] = [];
  const results: { id: string; result: ProbeResult; at: number }[] = [];
  const gate = new ProbeGate(options.max ?? 100);
  const probe: Probe = (_spec, target, signal, progress = () => undefined) =>
    new Promise((resolve, reject) => {
      const address = `${target.address.text}:${target.port}`;
      probes.push({ address, at: clock.now(), signal, progress, end: resolve, fail: reject });
    });
  const prober = new Prober({
    clock,
    random: options.random ?? (() => 0.5),
    probe,
    gate,
    onResult: (id, result) => {
      results.push({ id, result, at: (clock.now() - began) / 1_000 });
      return options.next?.() ?? 'normal';
    },
  });
  const ms = (n: number): Promise<void> => clock.advanceAsync(millis(n));
  const startedAt = (): number[] => probes.map((p) => (p.at - began) / 1_000);
  return { clock, prober, gate, probes, results, ms, startedAt };
}

const backends = (n: number) =>
  Array.from({ length: n }, (_, i) => backendSpec(`b${i}`, { endpoint: endpoint(`10.0.1.${i + 1}:80`) }));

describe('the schedule', () => {
  it('asks the first backend at once and spreads the others over a short while', async () => {
    const b = bench();
    b.prober.configure(healthSpec(), backends(5));
    await b.ms(400);
    expect(b.startedAt()).toEqual([0, 50, 100, 150, 200]);
  });

  it('spreads over half an interval where that is shorter', async () => {
    const b = bench();
    b.prober.configure(healthSpec({ interval: millis(20) }), backends(2));
    await b.ms(19);
    expect(b.startedAt()).toEqual([0, 5]);
  });

  it('counts the interval from start to start, the fast one when asked', async () => {
    let next: NextInterval = 'normal';
    const b = bench({ next: () => next });
    b.prober.configure(healthSpec(), backends(1));
    await b.ms(300);
    b.probes[0]?.end(passed('ok'));
    await b.ms(1_700);
    expect(b.startedAt()).toEqual([0, 2_000]);
    next = 'fast';
    b.probes[1]?.end(failed('refused', 'no'));
    await b.ms(500);
    expect(b.startedAt()).toEqual([0, 2_000, 2_500]);
  });

  it('stretches and shrinks by the jitter', async () => {
    for (const [random, expected] of [
      [0, 1_600],
      [0.5, 2_000],
      [0.999_999, 2_400],
    ] as const) {
      const b = bench({ random: () => random });
      b.prober.configure(healthSpec({ jitter: 0.2 }), backends(1));
      await b.ms(0);
      b.probes[0]?.end(passed('ok'));
      await b.ms(2_500);
      expect(b.startedAt()[1]).toBeCloseTo(expected, 0);
    }
  });

  it('probes the port of the check when it has one', async () => {
    const b = bench();
    b.prober.configure(healthSpec({ port: 8_081 }), backends(1));
    await b.ms(0);
    expect(b.probes[0]?.address).toBe('10.0.1.1:8081');
  });
});

describe('a probe that does not end', () => {
  it('is a failure at its timeout and is told to let go; the next waits until it has', async () => {
    const b = bench();
    b.prober.configure(healthSpec({ interval: millis(1_500) }), backends(1));
    await b.ms(1_000);
    expect(b.results).toMatchObject([
      { result: { ok: false, reason: 'timeout', detail: 'timed out after 1s' }, at: 1_000 },
    ]);
    expect(b.probes[0]?.signal.aborted).toBe(true);
    b.probes[0]?.end(passed('too late'));
    await b.ms(500);
    expect(b.results).toHaveLength(1);
    expect(b.startedAt()).toEqual([0, 1_500]);
  });

  it('says how far it got', async () => {
    const b = bench();
    b.prober.configure(healthSpec(), backends(1));
    await b.ms(500);
    b.probes[0]?.progress('step 1 of 2');
    await b.ms(500);
    expect(b.results).toMatchObject([{ result: { detail: 'timed out after 1s; step 1 of 2' } }]);
  });

  it('fails again each interval while it holds on, and no second one is started', async () => {
    const b = bench();
    b.prober.configure(healthSpec(), backends(1));
    await b.ms(5_500);
    expect(b.results.map((r) => r.at)).toEqual([1_000, 3_000, 5_000]);
    expect(b.results.every((r) => !r.result.ok)).toBe(true);
    expect(b.probes).toHaveLength(1);
    b.probes[0]?.end(passed('at last'));
    await b.ms(0);
    expect(b.results).toHaveLength(3);
    expect(b.probes).toHaveLength(2); // overdue: at once
  });

  it('that breaks is not held against the backend', async () => {
    const b = bench();
    b.prober.configure(healthSpec(), backends(1));
    await b.ms(0);
    b.probes[0]?.fail(new Error('a defect'));
    await b.ms(0);
    expect(b.results[0]?.result).toMatchObject({
      ok: false,
      reason: 'local',
      detail: 'probe failed: a defect',
    });
  });
});

describe('concurrency', () => {
  it('never runs more than the gate lets in, and serves the waiting in turn', async () => {
    const b = bench({ max: 2 });
    b.prober.configure(healthSpec({ timeout: seconds(30), interval: seconds(60) }), backends(5));
    await b.ms(300);
    expect(b.probes.map((p) => p.address)).toEqual(['10.0.1.1:80', '10.0.1.2:80']);
    b.probes[1]?.end(passed('ok'));
    await b.ms(0);
    expect(b.probes.map((p) => p.address).slice(2)).toEqual(['10.0.1.3:80']);
    b.probes[0]?.end(passed('ok'));
    b.probes[2]?.end(passed('ok'));
    await b.ms(0);
    expect(b.probes).toHaveLength(5);
    expect(b.gate.running).toBe(2);
  });

  it('gives its places and its turn back when it stops', async () => {
    const gate = bench({ max: 1 });
    gate.prober.configure(healthSpec(), backends(3));
    await gate.ms(300);
    gate.prober.stop();
    expect(gate.probes[0]?.signal.aborted).toBe(true);
    gate.probes[0]?.end(passed('too late'));
    await gate.ms(10_000);
    expect(gate.probes).toHaveLength(1);
    expect(gate.gate.running).toBe(0);
    expect(gate.results).toEqual([]);
  });
});

describe('stop and change', () => {
  it('leaves no timer behind', async () => {
    const b = bench();
    b.prober.configure(healthSpec(), backends(4));
    await b.ms(100);
    b.prober.stop();
    expect(b.clock.pending).toBe(0);
    b.prober.stop();
    b.prober.configure(null, backends(4));
    expect(b.clock.pending).toBe(0);
  });

  it('leaves backends that stay alone, begins with new ones and drops those that go or move', async () => {
    const b = bench();
    const health: HealthSpec = healthSpec();
    b.prober.configure(health, backends(2));
    await b.ms(200);
    for (const p of b.probes) p.end(passed('ok'));
    await b.ms(0);
    const [first] = backends(1);
    b.prober.configure(healthSpec({ interval: seconds(5) }), [
      first!,
      backendSpec('b1', { endpoint: endpoint('10.0.1.9:80') }),
    ]);
    await b.ms(0);
    expect(b.probes[2]?.address).toBe('10.0.1.9:80');
    await b.ms(1_800);
    expect(b.startedAt().slice(3)).toEqual([2_000]); // the first backend's own time, the old second's never
    expect(b.probes[3]?.address).toBe('10.0.1.1:80');
    b.probes[3]?.end(passed('ok'));
    await b.ms(4_999);
    expect(b.probes.filter((p) => p.address === '10.0.1.1:80')).toHaveLength(2);
    await b.ms(1);
    expect(b.probes.filter((p) => p.address === '10.0.1.1:80')).toHaveLength(3);
  });
});
