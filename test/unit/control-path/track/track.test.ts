import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  effectOf,
  initialTrack,
  inverted,
  observeReading,
  type Reading,
  standingWith,
  type TrackState,
} from '../../../../src/control-path/track/track.ts';
import { instant, seconds } from '../../../../src/lib/duration.ts';
import { GOOD_STANDING } from '../../../../src/model/failover.ts';
import type { TrackCheck, TrackSpec } from '../../../../src/model/track.ts';

const up: Reading = { up: true, value: 1, detail: 'eth1 is up' };
const down: Reading = { up: false, value: 0, detail: 'eth1 has no carrier' };
const holds = (value: number): Reading => ({ up: true, value, detail: `/f holds ${value}` });

const spec = (weight: number, check: TrackCheck = { type: 'interface', interface: 'eth1' }): TrackSpec => ({
  name: 'uplink',
  check,
  interval: seconds(1),
  rise: 2,
  fall: 3,
  weight,
  invert: false,
});
const file = (weight: number): TrackSpec => spec(weight, { type: 'file', path: '/f' });

function looked(readings: readonly Reading[], of = spec(0)): { state: TrackState; edges: string[] } {
  let state = initialTrack(instant(0));
  const edges: string[] = [];
  for (const [i, reading] of readings.entries()) {
    const step = observeReading(state, of, reading, instant((i + 1) * 1_000_000));
    state = step.state;
    if (step.settled !== null) edges.push(`${i}: ${step.settled.detail}`);
  }
  return { state, edges };
}

const effect = (of: TrackSpec, ...readings: Reading[]) => effectOf(of, looked(readings, of).state);

describe('a tracker', () => {
  it('believes the first look, and others after rise or fall in a row', () => {
    expect(looked([up, down, down, up, down, down, down, up, down, up, up]).edges).toEqual([
      '0: eth1 is up',
      '6: eth1 has no carrier',
      '10: eth1 is up',
    ]);
  });

  it('turned round is up where it would be down, with the words of what was seen', () => {
    expect(inverted(up)).toEqual({ up: false, value: 0, detail: 'eth1 is up' });
    expect(inverted(down)).toEqual({ up: true, value: 1, detail: 'eth1 has no carrier' });
    // a link that must be down: lower while it is up
    expect(effect(spec(-30), inverted(up)).weight).toBe(-30);
    expect(effect(spec(-30), inverted(down)).weight).toBe(0);
    expect(effect(spec(0), inverted(up)).fault).toBe(true);
  });

  it('takes a new number of a file after it has been read rise times in a row', () => {
    expect(looked([holds(0), holds(5), holds(6), holds(5), holds(5), holds(0)], file(1)).edges).toEqual([
      '0: /f holds 0',
      '4: /f holds 5',
    ]);
  });

  it('does not restart its age when only the number changes', () => {
    expect(looked([holds(0), holds(5), holds(5)], file(1)).state.since).toBe(1_000_000);
  });

  it('with weight 0 is a fault while it is down, and before the first look', () => {
    expect(effect(spec(0))).toMatchObject({ fault: true, weight: 0 });
    expect(effect(spec(0), up)).toMatchObject({ fault: false, weight: 0 });
    expect(effect(spec(0), down)).toEqual({
      fault: true,
      weight: 0,
      reason: 'tracker uplink: eth1 has no carrier',
    });
  });

  it('with a negative weight lowers the priority while down, with a positive one raises it while up', () => {
    const weights = (weight: number) => [[], [up], [down]].map((r) => effect(spec(weight), ...r).weight);
    expect(weights(-50)).toEqual([0, 0, -50]);
    expect(weights(50)).toEqual([0, 50, 0]);
    expect(effect(spec(-50)).fault).toBe(false);
  });

  it("multiplies a file's number, within the range of priorities", () => {
    expect(effect(file(1), holds(-30)).weight).toBe(-30);
    expect(effect(file(10), holds(-30)).weight).toBe(-254);
    expect(effect(file(-1), holds(0)).weight).toBe(0);
    expect(effect(file(0), holds(0)).fault).toBe(false);
    expect(effect(file(0), holds(1)).fault).toBe(true);
    expect(effect(file(0), down).fault).toBe(true);
    expect(effect(file(1), down)).toMatchObject({ fault: false, weight: 0 });
  });
});

describe('the standing of a group', () => {
  const because = (weight: number, reason: string, fault = false) => ({ fault, weight, reason });

  it('adds up what its trackers say, with every reason', () => {
    expect(standingWith(GOOD_STANDING, [])).toEqual(GOOD_STANDING);
    expect(standingWith(GOOD_STANDING, [because(-20, 'a'), because(0, 'b'), because(-30, 'c')])).toEqual({
      fault: null,
      weight: -50,
      reason: 'a; c',
    });
    expect(standingWith(GOOD_STANDING, [because(-20, 'a'), because(20, 'b')])).toEqual(GOOD_STANDING);
    expect(standingWith(GOOD_STANDING, [because(0, 'a', true), because(0, 'b', true)]).fault).toBe('a; b');
  });

  it('is that of an unfit node whatever speaks for it', () => {
    const unfit = { fault: null, weight: -254, reason: 'worker 0 is dead' };
    expect(standingWith(unfit, [because(100, 'a')])).toEqual(unfit);
    const starting = { fault: 'starting', weight: 0, reason: null };
    expect(standingWith(starting, [because(100, 'a')]).fault).toBe('starting');
  });

  it('stays within the range of priorities', () => {
    const weight = fc.integer({ min: -254, max: 254 });
    fc.assert(
      fc.property(fc.array(weight, { maxLength: 20 }), (weights) => {
        const standing = standingWith(
          GOOD_STANDING,
          weights.map((w) => because(w, 'x')),
        );
        const sum = weights.reduce((a, b) => a + b, 0);
        expect(standing.weight).toBe(Math.max(-254, Math.min(254, sum)));
        expect(standing.reason === null).toBe(standing.weight === 0);
      }),
    );
  });
});
