import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER, Timed, TimerWheel } from '../../../../src/data-path/forward/timer-wheel.ts';
import { type Instant, instant, millis } from '../../../../src/lib/duration.ts';

const TICK = millis(50);
const at = (ms: number): Instant => instant(ms * 1_000);

class Probe extends Timed {
  readonly fired: Instant[] = [];
  onExpire: () => void = () => undefined;

  override expire(now: Instant): void {
    this.fired.push(now);
    this.onExpire();
  }
}

const wheelOf = (slots = 8): TimerWheel => new TimerWheel({ tick: TICK, slots, now: at(0) });

describe('TimerWheel', () => {
  it('fires at or at most one tick after the deadline, and once', () => {
    const wheel = wheelOf();
    const probe = new Probe();
    wheel.schedule(probe, at(120));
    for (let ms = 10; ms <= 1_000; ms += 10) wheel.advance(at(ms));
    expect(probe.fired).toEqual([at(150)]);
    expect(wheel.size).toBe(0);
  });

  it('waits for a deadline beyond its horizon', () => {
    const wheel = wheelOf(4); // horizon 200 ms
    const probe = new Probe();
    wheel.schedule(probe, at(1_010));
    for (let ms = 50; ms <= 1_000; ms += 50) wheel.advance(at(ms));
    expect(probe.fired).toEqual([]);
    wheel.advance(at(1_050));
    expect(probe.fired).toEqual([at(1_050)]);
  });

  it('honours a deadline that was moved later without telling it', () => {
    const wheel = wheelOf();
    const probe = new Probe();
    wheel.schedule(probe, at(100));
    probe.deadline = at(300);
    for (let ms = 50; ms < 300; ms += 50) wheel.advance(at(ms));
    expect(probe.fired).toEqual([]);
    wheel.advance(at(300));
    expect(probe.fired).toHaveLength(1);
  });

  it('never fires what was cancelled, also by another entry of the same slot', () => {
    const wheel = wheelOf();
    const [first, second] = [new Probe(), new Probe()];
    first.onExpire = () => wheel.cancel(second);
    wheel.schedule(first, at(100));
    wheel.schedule(second, at(100));
    wheel.advance(at(500));
    expect(first.fired).toHaveLength(1);
    expect(second.fired).toEqual([]);
    expect(second.deadline).toBe(NEVER);
    expect(wheel.size).toBe(0);
  });

  it('an entry that schedules itself again at once comes up a tick later, not for ever', () => {
    const wheel = wheelOf();
    const probe = new Probe();
    probe.onExpire = () => wheel.schedule(probe, wheel.now);
    wheel.schedule(probe, at(50));
    wheel.advance(at(50));
    expect(probe.fired).toHaveLength(1);
    wheel.advance(at(100));
    expect(probe.fired).toHaveLength(2);
  });

  it('visits everything after a pause longer than the horizon', () => {
    const wheel = wheelOf(4);
    const probes = Array.from({ length: 40 }, () => new Probe());
    for (const [i, probe] of probes.entries()) wheel.schedule(probe, at(i * 30));
    wheel.advance(at(10_000));
    expect(probes.map((probe) => probe.fired.length)).toEqual(probes.map(() => 1));
  });

  it('agrees with a plain list of deadlines (property)', () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant('schedule' as const), id: fc.nat(9), ms: fc.nat(3_000) }),
      fc.record({ op: fc.constant('extend' as const), id: fc.nat(9), ms: fc.nat(3_000) }),
      fc.record({ op: fc.constant('cancel' as const), id: fc.nat(9), ms: fc.constant(0) }),
      fc.record({ op: fc.constant('advance' as const), id: fc.constant(0), ms: fc.nat(700) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const wheel = wheelOf(8);
        const probes = Array.from({ length: 10 }, () => new Probe());
        /** The deadline, and the tick at which it is due: one whose tick has passed already has the next. */
        const model = new Map<number, { deadline: Instant; tick: number }>();
        const tickOf = (deadline: Instant, earliest: number): number =>
          Math.max(Math.ceil(deadline / TICK), earliest);
        let now = 0;
        for (const { op, id, ms } of steps) {
          const probe = probes[id]!;
          if (op === 'schedule') {
            wheel.schedule(probe, at(now + ms));
            const tick = tickOf(at(now + ms), Math.floor(at(now) / TICK) + 1);
            model.set(id, { deadline: at(now + ms), tick });
          } else if (op === 'extend' && model.has(id)) {
            probe.deadline = instant(probe.deadline + ms * 1_000);
            const tick = tickOf(probe.deadline, model.get(id)?.tick ?? 0);
            model.set(id, { deadline: probe.deadline, tick });
          } else if (op === 'cancel') {
            wheel.cancel(probe);
            model.delete(id);
          } else if (op === 'advance') {
            const before = probes.map((each) => each.fired.length);
            now += ms;
            wheel.advance(at(now));
            for (const [i, each] of probes.entries()) {
              const fired = each.fired.length - (before[i] ?? 0);
              const expected = model.get(i);
              // never early; never later than the first tick at or after the deadline
              const due = expected !== undefined && expected.tick <= Math.floor(at(now) / TICK);
              const mayBe = expected !== undefined && expected.deadline <= at(now);
              if (fired > 0) expect(mayBe).toBe(true);
              if (due) expect(fired).toBe(1);
              if (fired > 0) model.delete(i);
            }
          }
          expect(wheel.size).toBe(model.size);
        }
      }),
    );
  });
});
