import { describe, expect, it } from 'vitest';
import { Gcra, UNUSED } from '../../../../src/data-path/guard/rate-limit.ts';
import { type Instant, instant, millis, seconds } from '../../../../src/lib/duration.ts';

/** Which of the arrivals (milliseconds) pass. */
function passes(gcra: Gcra, ...arrivals: number[]): boolean[] {
  let bucket: Instant = UNUSED;
  return arrivals.map((ms) => {
    const now = instant(1e9 + ms * 1_000);
    if (!gcra.conforms(bucket, now)) return false;
    bucket = gcra.consume(bucket, now);
    return true;
  });
}

describe('Gcra', () => {
  it('passes the burst at once, then one each interval', () => {
    const gcra = new Gcra({ count: 10, per: seconds(1), burst: 3 });
    expect(passes(gcra, 0, 0, 0, 0, 99, 100, 100, 199, 200)).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
    ]);
  });

  it('without a burst spaces clients evenly', () => {
    const gcra = new Gcra({ count: 2, per: seconds(1), burst: 1 });
    expect(passes(gcra, 0, 499, 500, 500, 1_500, 1_600)).toEqual([true, false, true, false, true, false]);
  });

  it('has the whole burst again after a rest, and never more', () => {
    const gcra = new Gcra({ count: 10, per: seconds(1), burst: 2 });
    expect(passes(gcra, 0, 0, 60_000, 60_000, 60_000)).toEqual([true, true, true, true, false]);
  });

  it('passes all of a large burst at a rate that is no whole number of microseconds', () => {
    for (const count of [3, 7, 700, 1_001]) {
      const arrivals = Array.from({ length: count + 1 }, () => 0);
      const passed = passes(new Gcra({ count, per: seconds(1), burst: count }), ...arrivals);
      expect(passed.filter(Boolean)).toHaveLength(count);
    }
  });

  it('adopts a debt made under slower settings as a spent burst', () => {
    const fast = new Gcra({ count: 1_000, per: seconds(1), burst: 5 });
    const now = instant(1e9);
    const adopted = fast.adopt(instant(now + seconds(300)), now);
    expect(fast.conforms(adopted, now)).toBe(false);
    expect(fast.conforms(adopted, instant(now + millis(1)))).toBe(true);
    expect(fast.adopt(UNUSED, now)).toBe(UNUSED);
  });
});
