import { after, type Duration, type Instant } from '../lib/duration.ts';
import type { PassiveSpec, TrafficOutcome } from '../model/health.ts';

/** What real traffic has shown of one backend. */
export interface PassiveState {
  /** Consecutive failures. */
  readonly failures: number;
  /** Ejections not yet forgiven: the next one lasts (count + 1) x base. */
  readonly count: number;
  readonly ejectedUntil: Instant | null;
  /** When the last ejection ended; forgiveness counts from here. */
  readonly returnedAt: Instant | null;
}

export const UNTROUBLED: PassiveState = { failures: 0, count: 0, ejectedUntil: null, returnedAt: null };

/** Counts one outcome; the caller ejects when `failures` reaches the limit and the cap allows it. */
export function countOutcome(state: PassiveState, spec: PassiveSpec, outcome: TrafficOutcome): PassiveState {
  if (outcome === 'connect-ok') return state.failures === 0 ? state : { ...state, failures: 0 };
  // saturates: a backend that the cap keeps in service must not need a new run of failures later
  return { ...state, failures: Math.min(spec.failures, state.failures + 1) };
}

/**
 * Ejects: the n-th time for n x base, at most `maxEjection`. Each `baseEjection` that went by since the
 * last return forgives one earlier ejection.
 */
export function eject(state: PassiveState, spec: PassiveSpec, now: Instant): PassiveState {
  const quiet = state.returnedAt === null ? 0 : Math.floor((now - state.returnedAt) / spec.baseEjection);
  const count = Math.max(0, state.count - quiet) + 1;
  return { failures: 0, count, ejectedUntil: after(now, ejectionLength(spec, count)), returnedAt: null };
}

export function ejectionLength(spec: PassiveSpec, count: number): Duration {
  return Math.min(spec.baseEjection * count, spec.maxEjection) as Duration;
}

export function readmit(state: PassiveState, now: Instant): PassiveState {
  return { ...state, failures: 0, ejectedUntil: null, returnedAt: now };
}

/**
 * How many of `backends` may be ejected at once: the share rounded down, but one where that is zero, since
 * with three backends and 10 % passive ejection would otherwise never happen. 0 % turns it off, and a lone
 * backend is never ejected.
 */
export function ejectionCap(spec: PassiveSpec, backends: number): number {
  if (spec.maxEjectedPercent <= 0 || backends < 2) return 0;
  return Math.max(1, Math.floor((backends * spec.maxEjectedPercent) / 100));
}
