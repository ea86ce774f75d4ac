import { describe, expect, it } from 'vitest';
import { centiseconds, micros, millis, seconds } from '../../../src/lib/duration.ts';
import { activeDownInterval, intervalFromWire, skewTime, wireInterval } from '../../../src/vrrp/intervals.ts';

describe('Skew_Time', () => {
  it.each([
    [3, 100, seconds(1), 609_375],
    [3, 254, millis(10), 78.125],
    [3, 255, millis(10), 39.0625],
    [3, 1, centiseconds(4_095), (255 * 40_950_000) / 256],
    [2, 100, seconds(1), 609_375],
    [2, 100, seconds(10), 609_375],
  ] as const)('v%i, priority %i, interval %i us: %f us', (version, priority, activeInterval, expected) => {
    expect(skewTime({ version, priority, activeInterval })).toBe(expected);
  });

  it('orders neighbouring priorities at the shortest interval', () => {
    const skews = [100, 101, 102].map((priority) =>
      skewTime({ version: 3, priority, activeInterval: centiseconds(1) }),
    );
    expect(skews).toEqual([...skews].sort((a, b) => b - a));
    expect(new Set(skews).size).toBe(3);
  });
});

describe('Active_Down_Interval', () => {
  it('is three intervals and the skew', () => {
    expect(activeDownInterval({ version: 3, priority: 100, activeInterval: millis(100) })).toBe(
      micros(360_937.5),
    );
    expect(activeDownInterval({ version: 2, priority: 100, activeInterval: seconds(2) })).toBe(
      micros(6_609_375),
    );
  });
});

describe('the interval on the wire', () => {
  it.each([
    [3, millis(100), 10],
    [3, millis(101), 11],
    [3, micros(1), 1],
    [3, seconds(41), 4_095],
    [2, seconds(1), 1],
    [2, millis(100), 1],
    [2, millis(1_500), 2],
    [2, seconds(300), 255],
  ] as const)('v%i, %i us is %i', (version, interval, wire) => {
    expect(wireInterval(version, interval)).toBe(wire);
  });

  it('comes back', () => {
    expect(intervalFromWire(3, 10)).toBe(millis(100));
    expect(intervalFromWire(2, 10)).toBe(seconds(10));
  });
});
