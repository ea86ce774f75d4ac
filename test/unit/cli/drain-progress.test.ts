import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSample,
  type DrainTrack,
  progressOf,
  progressText,
  startDrain,
} from '../../../src/cli/drain-progress.ts';

const track = (...samples: [ticks: number, left: number][]): DrainTrack => {
  const [[ticks, left] = [0, 0], ...rest] = samples;
  return rest.reduce((so, [at, n]) => addSample(so, n, at), startDrain(left, ticks));
};

describe('progressOf', () => {
  it('estimates from the rate at which they have gone', () => {
    const progress = progressOf(track([0, 40], [1_000, 36], [2_000, 30]));
    expect(progress).toEqual({ left: 30, initially: 40, perSecond: 5, estimateMillis: 6_000 });
    expect(progressText(progress, true)).toBe(
      '[#####---------------] 30 of 40 connections left, 5/s, about 6s',
    );
  });

  it('goes by the last ten seconds', () => {
    const samples = Array.from({ length: 30 }, (_, i): [number, number] => [
      i * 1_000,
      Math.max(20, 100 - i * 8),
    ]);
    expect(progressOf(track(...samples))).toMatchObject({ left: 20, initially: 100, perSecond: 0 });
  });

  it('has no estimate at first, while nobody goes, and when they become more', () => {
    for (const samples of [
      [[0, 5]],
      [
        [0, 5],
        [500, 5],
      ],
      [
        [0, 5],
        [500, 9],
      ],
      [
        [7, 5],
        [7, 4],
      ],
    ] as const) {
      const progress = progressOf(track(...samples.map(([at, n]): [number, number] => [at, n])));
      expect(progress).toMatchObject({ perSecond: 0, estimateMillis: null });
    }
    expect(progressText(progressOf(track([0, 5], [500, 9])), false)).toBe('9 of 9 connections left');
  });

  it('is bounded and never nonsense, whatever is counted', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(1e6)), { minLength: 1, maxLength: 200 }), (steps) => {
        let ticks = 0;
        const samples = steps.map(([after, n]): [number, number] => {
          ticks += after;
          return [ticks, n];
        });
        const whole = track(...samples);
        const { left, initially, perSecond, estimateMillis } = progressOf(whole);
        expect(whole.samples.length).toBeLessThanOrEqual(32);
        expect(left).toBeLessThanOrEqual(initially);
        expect(perSecond).toBeGreaterThanOrEqual(0);
        expect(estimateMillis === null || estimateMillis >= 0).toBe(true);
      }),
    );
  });
});
