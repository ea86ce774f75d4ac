import { describe, expect, test } from 'vitest';
import { parseSight } from '../../../src/failover/process-sight.ts';
import { type ProcessSight, SilenceWatch, silenceLimit } from '../../../src/failover/silence.ts';
import { type Duration, instant, millis, seconds, toMillis } from '../../../src/lib/duration.ts';

const LIMIT = millis(750);
const at = (ms: number) => instant(millis(ms));

/** Looks every 100 ms, as supervisor and agent do; when and what was found. */
function watchSilence(
  look: (ms: number) => ProcessSight | null,
  { limit = LIMIT, until = 10_000 }: { limit?: Duration; until?: number } = {},
): { after: number; trouble: string } | null {
  let now = 0;
  const watch = new SilenceWatch(at(0), limit, () => look(now));
  for (now = 0; now <= until; now += 100) {
    const trouble = watch.check(at(now));
    if (trouble !== null) return { after: now, trouble };
  }
  return null;
}

const busy =
  (share: number) =>
  (ms: number): ProcessSight => ({ state: 'runnable', cpu: millis(ms * share) });

describe('silence', () => {
  test('a stopped process is lost after three heartbeats, not after the limit', () => {
    const found = watchSilence(() => ({ state: 'stopped', cpu: millis(5) }), { limit: millis(1_500) });
    expect(found).toEqual({ after: 300, trouble: 'is stopped' });
  });

  test('a process that a tracer stops at each system call is not stopped', () => {
    const traced = (ms: number): ProcessSight => ({
      state: (ms / 100) % 2 === 0 ? 'stopped' : 'other',
      cpu: millis(0),
    });
    expect(watchSilence(traced)).toEqual({ after: 800, trouble: 'hangs' });
  });

  test('one that writes its core is lost as soon', () => {
    const found = watchSilence(() => ({ state: 'dumping-core', cpu: millis(5) }));
    expect(found).toEqual({ after: 300, trouble: 'crashed and writes its core' });
  });

  test('an endless loop, a deadlock, and a kernel that does not tell: the limit', () => {
    const hung = { after: 800, trouble: 'hangs' };
    expect(watchSilence(busy(1))).toEqual(hung);
    expect(watchSilence(() => ({ state: 'other', cpu: millis(5) }))).toEqual(hung);
    expect(watchSilence(() => null)).toEqual(hung);
  });

  test('the time that it waited for a CPU is not held against it, up to an end', () => {
    // the loop of a process that gets a third of a CPU
    expect(watchSilence(busy(1 / 3))?.after).toBeGreaterThan(1_500);
    expect(watchSilence(busy(1 / 3))?.trouble).toBe('hangs');
    expect(watchSilence(busy(0))).toEqual({ after: 6_000, trouble: 'gets no CPU' });
  });

  test('a message, or forgiveness, begins anew', () => {
    const watch = new SilenceWatch(at(0), LIMIT, () => null);
    for (let ms = 100; ms <= 20_000; ms += 100) {
      expect(watch.check(at(ms))).toBeNull();
      if (ms % 700 === 0) watch.heard(at(ms));
    }
    expect(toMillis(watch.silence(at(20_000)))).toBe(400);
  });

  test('long work that was announced is waited for, but not for ever, and not when it is stopped', () => {
    const work = (look: () => ProcessSight | null) => {
      const watch = new SilenceWatch(at(0), LIMIT, look);
      watch.heard(at(0));
      watch.excuse();
      for (let ms = 100; ms <= 10_000; ms += 100) if (watch.check(at(ms)) !== null) return ms;
      return null;
    };
    expect(work(() => null)).toBe(4_800);
    expect(work(() => ({ state: 'stopped', cpu: millis(0) }))).toBe(300);
    const watch = new SilenceWatch(at(0), LIMIT, () => null);
    watch.excuse();
    watch.heard(at(100));
    for (let ms = 200; ms < 850; ms += 100) expect(watch.check(at(ms))).toBeNull();
    expect(watch.check(at(850))).toBe('hangs');
  });

  test('the kernel is not asked about a process that talks', () => {
    let asked = 0;
    const watch = new SilenceWatch(at(0), LIMIT, () => {
      asked++;
      return null;
    });
    for (let ms = 100; ms <= 1_000; ms += 100) {
      watch.heard(at(ms - 40));
      watch.check(at(ms));
    }
    expect(asked).toBe(0);
  });

  test('the limit leaves room within the shortest lease', () => {
    expect(silenceLimit([seconds(2), seconds(1)])).toBe(millis(750));
    expect(silenceLimit([seconds(2)])).toBe(millis(1_500));
    expect(silenceLimit([seconds(60)])).toBe(millis(1_500));
    expect(silenceLimit([])).toBe(millis(1_500));
  });
});

describe('what /proc says', () => {
  const stat = (state: string, name = 'node') =>
    `4711 (${name}) ${state} 1 4711 4711 0 -1 4194560 5000 0 12 0 250 50 0 0 20 0 11 0 9000 1100000000 20000 1844`;
  const status = (dumping: 0 | 1) => () => `Name:\tnode\nState:\tS\nCoreDumping:\t${dumping}\nThreads:\t11\n`;

  test.each([
    ['R', 0, 'runnable'],
    ['S', 0, 'other'],
    ['D', 0, 'other'],
    ['T', 0, 'stopped'],
    ['t', 0, 'stopped'],
    ['D', 1, 'dumping-core'],
    ['R', 1, 'dumping-core'],
  ] as const)('state %s, CoreDumping %i: %s', (letter, dumping, state) => {
    expect(parseSight(stat(letter), status(dumping))).toEqual({ state, cpu: seconds(3) });
  });

  test('a name with brackets and spaces; a kernel without CoreDumping', () => {
    expect(parseSight(stat('R', 'a) R (b) T 1'), () => 'Name:\tx\n')?.state).toBe('runnable');
  });

  test('something else', () => {
    expect(parseSight('', status(0))).toBeNull();
    expect(parseSight('4711 (node) R', status(0))).toBeNull();
  });
});
