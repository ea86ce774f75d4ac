import { describe, expect, it } from 'vitest';
import { type LimitReading, LimitWatch } from '../../../../src/data-path/guard/limit-watch.ts';

const reading = (used: number, max = 100, subject: string | null = 'web'): LimitReading => ({
  name: 'service-connections',
  subject,
  used,
  max,
});
const edges = (watch: LimitWatch, ...readings: LimitReading[]): string[] =>
  watch.observe(readings).map(({ edge, reading: { subject, used } }) => `${edge} ${subject} ${used}`);

describe('LimitWatch', () => {
  it('warns once at the threshold and clears once well below it', () => {
    const watch = new LimitWatch(0.8);
    const seen = [79, 80, 99, 100, 79, 75, 73, 71, 79, 80].map((used) => edges(watch, reading(used)).join());
    expect(seen).toEqual(['', 'warning web 80', '', '', '', '', '', 'cleared web 71', '', 'warning web 80']);
  });

  it('watches each limit by itself', () => {
    const watch = new LimitWatch(0.8);
    expect(edges(watch, reading(90), reading(10, 100, 'dns'), reading(9, 10, null))).toEqual([
      'warning web 90',
      'warning null 9',
    ]);
    expect(edges(watch, reading(0), reading(90, 100, 'dns'), reading(9, 10, null))).toEqual([
      'cleared web 0',
      'warning dns 90',
    ]);
  });

  it('clears a limit that exists no more', () => {
    const watch = new LimitWatch(0.8);
    edges(watch, reading(90));
    expect(edges(watch)).toEqual(['cleared web 0']);
    expect(edges(watch)).toEqual([]);
  });

  it('follows a changed threshold and says nothing of a limit of 0', () => {
    const watch = new LimitWatch(0.8);
    expect(edges(watch, reading(60))).toEqual([]);
    watch.update(0.5);
    expect(edges(watch, reading(60), reading(0, 0, 'dns'))).toEqual(['warning web 60']);
  });
});
