import { describe, expect, it } from 'vitest';
import {
  FLAP,
  holdIntervals,
  initialTracker,
  observe,
  type RiseFall,
  type TrackerState,
} from '../../../../src/control-path/health/tracker.ts';
import { after, type Instant, instant, seconds } from '../../../../src/lib/duration.ts';
import type { ProbeResult } from '../../../../src/model/health.ts';
import { probeBad, probeOk } from '../../../support/specs.ts';

const spec: RiseFall = { rise: 2, fall: 3, interval: seconds(2) };
const local: ProbeResult = { ok: false, latency: seconds(0), reason: 'local', detail: 'no descriptor' };

/** Feeds "+" (success), "-" (failure), "?" (this host could not ask), two seconds apart. */
function feed(start: TrackerState, results: string, from: Instant = instant(0)) {
  let state = start;
  let now = from;
  const edges: string[] = [];
  const next: string[] = [];
  for (const result of results) {
    now = after(now, seconds(2));
    const taken = result === '+' ? probeOk : result === '-' ? probeBad : local;
    const step = observe(state, spec, taken, now);
    state = step.state;
    edges.push(step.edge ?? '.');
    next.push(step.next);
  }
  return { state, edges: edges.join(' '), next, now };
}

const checking = initialTracker('checking', instant(0));
const up = initialTracker('up', instant(0));

describe('rise and fall', () => {
  it('lets the first probe decide alone when checking', () => {
    expect(feed(checking, '+').edges).toBe('up');
    expect(feed(checking, '-').edges).toBe('down');
  });

  it('takes `fall` consecutive failures to go down, and `rise` successes to come up', () => {
    expect(feed(up, '--+---').edges).toBe('. . . . . down');
    expect(feed(feed(up, '---').state, '+-++').edges).toBe('. . . up');
  });

  it('asks faster only while the verdict is in doubt', () => {
    expect(feed(up, '+-+--').next).toEqual(['normal', 'fast', 'normal', 'fast', 'fast']);
    expect(feed(up, '---').next[2]).toBe('normal');
    expect(feed(feed(up, '---').state, '-+-+').next).toEqual(['normal', 'fast', 'normal', 'fast']);
  });

  it('dates the state by its last change', () => {
    const fallen = feed(up, '++---');
    expect(fallen.state.since).toBe(seconds(10));
    expect(feed(fallen.state, '--', fallen.now).state.since).toBe(seconds(10));
  });

  it('does not hold a shortage of this host against the backend', () => {
    const starved = feed(up, '??????????');
    expect(starved.state.health).toBe('up');
    expect(starved.state.last).toBe(local);
    expect(feed(checking, '??').state.health).toBe('checking');
    expect(feed(up, '--?-').edges).toBe('. . . down'); // neither counts nor breaks the run
  });
});

describe('flap damping', () => {
  const flap = '---++';

  it('believes the first falls, then holds longer and longer, up to a bound', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(holdIntervals)).toEqual([0, 0, 0, 10, 20, 40, 60, 60]);
  });

  it('holds a backend that fell more than the limit in the window, and lets it up afterwards', () => {
    const thrice = feed(up, flap.repeat(FLAP.limit));
    expect(thrice.state.health).toBe('up');
    const held = feed(thrice.state, '---++++', thrice.now);
    expect(held.edges).toBe('. . down . . . .');
    expect(held.next.slice(3)).toEqual(['normal', 'normal', 'normal', 'normal']);
    // held for 10 intervals from the fall: successes number 10 and later count
    const later = feed(held.state, '+'.repeat(20), held.now);
    expect(later.edges.split(' ').indexOf('up')).toBe(5);
    expect(later.state.heldUntil).toBeNull();
  });

  it('forgets falls that are older than the window', () => {
    const thrice = feed(up, flap.repeat(FLAP.limit));
    const quiet = feed(thrice.state, '+'.repeat(FLAP.window), thrice.now);
    expect(feed(quiet.state, '---++', quiet.now).edges).toBe('. . down . up');
  });

  it('does not count a first verdict of down as a fall', () => {
    expect(feed(checking, '-').state.falls).toEqual([]);
  });
});
