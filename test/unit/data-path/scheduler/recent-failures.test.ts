import { describe, expect, it } from 'vitest';
import { RecentFailures } from '../../../../src/data-path/scheduler/recent-failures.ts';
import { type Instant, instant, seconds } from '../../../../src/lib/duration.ts';
import { SharedFloats } from '../../../../src/lib/shared-floats.ts';

const cells = (count: number) => new SharedFloats(new SharedArrayBuffer(8 * count), 0, count);
const at = (s: number): Instant => instant(1e9 + seconds(s));

describe('RecentFailures', () => {
  it('counts failures of each slot, which fade by half in five seconds', () => {
    const failures = new RecentFailures(cells(2));
    failures.failed(1, at(0));
    failures.failed(1, at(0));
    expect(failures.level(1, at(0))).toBe(2);
    expect(failures.level(1, at(5))).toBeCloseTo(1);
    expect(failures.level(0, at(0))).toBe(0);
    failures.failed(1, at(5));
    expect(failures.level(1, at(5))).toBeCloseTo(2);
  });

  it('are those of all workers', () => {
    const shared = cells(1);
    const [one, other] = [new RecentFailures(shared), new RecentFailures(shared)];
    one.failed(0, at(0));
    other.failed(0, at(0));
    expect([one.level(0, at(0)), other.level(0, at(0))]).toEqual([2, 2]);
    other.succeeded(0, at(0));
    expect(one.level(0, at(0))).toBe(1);
  });

  it('are over after a while, not merely small', () => {
    const failures = new RecentFailures(cells(1));
    failures.failed(0, at(0));
    expect(failures.level(0, at(30))).toBeGreaterThan(0);
    expect(failures.level(0, at(35))).toBe(0);
  });

  it('are halved by a success, so that failing every other time still counts', () => {
    const failures = new RecentFailures(cells(1));
    for (let i = 0; i < 20; i++) {
      failures.failed(0, at(0));
      failures.succeeded(0, at(0));
    }
    expect(failures.level(0, at(0))).toBeCloseTo(1);
    failures.succeeded(0, at(0));
    expect(failures.level(0, at(0))).toBeCloseTo(0.5);
  });
});
