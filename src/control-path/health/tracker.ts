import { after, type Duration, type Instant } from '../../lib/duration.ts';
import type { HealthSpec, ProbeResult } from '../../model/health.ts';

/**
 * Rise and fall: `fall` consecutive failures turn a backend down, `rise` consecutive successes up, and the
 * very first verdict of a "checking" backend counts alone. Pure: results and the time come in, the next
 * state and what to do come out.
 *
 * Flap damping: a backend that has gone down more than `limit` times within `window` is not believed at
 * once; it stays down for `hold`, doubled with each further fall, up to `maxHold`. All are counted in probe
 * intervals, so that a service probed every 100 ms is not punished for minutes. With the default interval
 * of 2 s: more than 3 falls in 5 minutes hold it for 20 s, 40 s, 80 s, at most 2 minutes.
 */
export const FLAP = { limit: 3, window: 150, hold: 10, maxHold: 60 } as const;

/** Falls that are remembered: enough to reach `maxHold`. */
const MAX_FALLS = 8;

export type TrackedHealth = 'checking' | 'up' | 'down';

export interface TrackerState {
  readonly health: TrackedHealth;
  /** When `health` last changed. */
  readonly since: Instant;
  /** Consecutive results that contradict `health`. */
  readonly streak: number;
  /** When it went down, oldest first; at most MAX_FALLS. */
  readonly falls: readonly Instant[];
  /** Not up again before this. */
  readonly heldUntil: Instant | null;
  readonly last: ProbeResult | null;
}

/** The next probe comes after `interval` or, while the verdict is in doubt, after `fastInterval`. */
export type NextInterval = 'normal' | 'fast';

/** Forgets the falls: for a backend that the operator vouches for. */
export function release(state: TrackerState): TrackerState {
  return { ...state, falls: [], heldUntil: null };
}

export interface TrackerStep {
  readonly state: TrackerState;
  /** The verdict that this result brought about. */
  readonly edge: 'up' | 'down' | null;
  readonly next: NextInterval;
}

export type RiseFall = Pick<HealthSpec, 'rise' | 'fall' | 'interval'>;

export function initialTracker(initial: 'checking' | 'up', now: Instant): TrackerState {
  return { health: initial, since: now, streak: 0, falls: [], heldUntil: null, last: null };
}

/** Takes one probe result. */
export function observe(state: TrackerState, spec: RiseFall, result: ProbeResult, now: Instant): TrackerStep {
  // This host ran out of something: were it held against the backends, one local shortage would take
  // every one of them out at once.
  if (!result.ok && result.reason === 'local') {
    return { state: { ...state, last: result }, edge: null, next: 'fast' };
  }
  const verdict = result.ok ? 'up' : 'down';
  if (state.health === verdict) return settle(state, result);
  const streak = state.streak + 1;
  const needed = state.health === 'checking' ? 1 : result.ok ? spec.rise : spec.fall;
  const held = result.ok && state.heldUntil !== null && now < state.heldUntil;
  if (streak < needed || held) {
    // While held nothing can be decided sooner by asking faster.
    return { state: { ...state, streak, last: result }, edge: null, next: held ? 'normal' : 'fast' };
  }
  return result.ok ? rise(state, result, now) : fall(state, spec.interval, result, now);
}

function settle(state: TrackerState, result: ProbeResult): TrackerStep {
  return { state: { ...state, streak: 0, last: result }, edge: null, next: 'normal' };
}

function rise(state: TrackerState, last: ProbeResult, now: Instant): TrackerStep {
  const next = { ...state, health: 'up', since: now, streak: 0, heldUntil: null, last } as const;
  return { state: next, edge: 'up', next: 'normal' };
}

function fall(state: TrackerState, interval: Duration, last: ProbeResult, now: Instant): TrackerStep {
  // A backend that was never up has not fallen.
  const before = state.health === 'up' ? [...state.falls, now] : state.falls;
  const falls = before.filter((at) => now - at <= interval * FLAP.window).slice(-MAX_FALLS);
  const hold = state.health === 'up' ? holdIntervals(falls.length) * interval : 0;
  const heldUntil = hold > 0 ? after(now, hold as Duration) : null;
  return {
    state: { health: 'down', since: now, streak: 0, falls, heldUntil, last },
    edge: 'down',
    next: 'normal',
  };
}

/** How long a backend with so many falls in the window is held down, in probe intervals. */
export function holdIntervals(falls: number): number {
  const excess = falls - FLAP.limit;
  return excess <= 0 ? 0 : Math.min(FLAP.maxHold, FLAP.hold * 2 ** (excess - 1));
}
