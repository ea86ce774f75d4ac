import type { Instant } from '../../lib/duration.ts';
import { MAX_WEIGHT, type Standing } from '../../model/failover.ts';
import type { TrackSpec } from '../../model/track.ts';

/** What one look at a tracked thing saw. */
export interface Reading {
  readonly up: boolean;
  /** A file's number; 1 or 0 for everything else. */
  readonly value: number;
  /** In words, for status and events. */
  readonly detail: string;
}

/** A tracker as a value: {@link observeReading} makes the next one. */
export interface TrackState {
  /** What counts; null before the first look. */
  readonly settled: Reading | null;
  readonly since: Instant;
  /** What was seen last, and how many times in a row. */
  readonly last: Reading | null;
  readonly streak: number;
}

export interface TrackStep {
  readonly state: TrackState;
  /** What counts from now on, when that has changed. */
  readonly settled: Reading | null;
}

export const initialTrack = (now: Instant): TrackState => ({
  settled: null,
  since: now,
  last: null,
  streak: 0,
});

/** What a tracker that counts the other way round makes of a look; the words stay what was seen. */
export const inverted = (reading: Reading): Reading => ({
  ...reading,
  up: !reading.up,
  value: reading.up ? 0 : 1,
});

const same = (a: Reading | null, b: Reading): boolean => a?.up === b.up && a.value === b.value;

/** Takes one look: the first counts at once, a different one after `rise` or `fall` in a row. */
export function observeReading(
  state: TrackState,
  { rise, fall }: Pick<TrackSpec, 'rise' | 'fall'>,
  reading: Reading,
  now: Instant,
): TrackStep {
  const streak = same(state.last, reading) ? state.streak + 1 : 1;
  const next = { ...state, last: reading, streak };
  if (same(state.settled, reading)) return { state: next, settled: null };
  const needed = state.settled === null ? 1 : reading.up ? rise : fall;
  if (streak < needed) return { state: next, settled: null };
  const since = state.settled?.up === reading.up ? state.since : now;
  return { state: { ...next, settled: reading, since }, settled: reading };
}

/** What a tracker does to its groups. */
export interface TrackEffect {
  readonly fault: boolean;
  readonly weight: number;
  /** For the explanation of a lower or higher priority, or of the fault. */
  readonly reason: string;
}

/**
 * Not looked at yet: with weight 0 the group waits for the first look, so that a node does not become Active
 * just to resign; otherwise nothing is added.
 */
export function effectOf({ name, check, weight }: TrackSpec, { settled }: TrackState): TrackEffect {
  if (settled === null) return effect(weight === 0, 0, `tracker ${name} has not been looked at yet`);
  const reason = `tracker ${name}: ${settled.detail}`;
  if (check.type === 'file') {
    const fault = !settled.up || settled.value !== 0;
    return weight === 0 ? effect(fault, 0, reason) : effect(false, clamp(settled.value * weight), reason);
  }
  if (weight === 0) return effect(!settled.up, 0, reason);
  return effect(false, settled.up === weight > 0 ? weight : 0, reason);
}

const effect = (fault: boolean, weight: number, reason: string): TrackEffect => ({ fault, weight, reason });

// the sum and not the terms: -0 would be shown as such
const clamp = (weight: number): number => Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, weight)) + 0;

/** Fitness and trackers together. An unfit node stays at the lowest priority whatever speaks for it. */
export function standingWith(fitness: Standing, effects: readonly TrackEffect[]): Standing {
  const faults = effects.filter(({ fault }) => fault).map(({ reason }) => reason);
  const fault = fitness.fault ?? (faults.length === 0 ? null : faults.join('; '));
  if (fitness.weight === -MAX_WEIGHT) return { ...fitness, fault };
  const weighing = effects.filter(({ weight }) => weight !== 0);
  const weight = clamp(weighing.reduce((sum, each) => sum + each.weight, fitness.weight));
  const reasons = weighing.map(({ reason }) => reason);
  if (fitness.reason !== null) reasons.unshift(fitness.reason);
  return { fault, weight, reason: weight === 0 ? null : reasons.join('; ') };
}
