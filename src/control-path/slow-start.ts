import { after, type Duration, type Instant } from '../lib/duration.ts';

/** The ramp begins at this share of the weight... */
const FLOOR = 0.1;
/** ...and climbs in this many steps: each one is a new backend set (and a new table for the hashes). */
const STEPS = 20;

export interface Ramp {
  /** Share of the weight in force, FLOOR to 1. */
  readonly share: number;
  /** When the next step is due; null once the ramp is over. */
  readonly nextStep: Instant | null;
}

/** Linear slow start from 10 % to 100 % of the weight over `length`, seen at `now`. */
export function rampAt(began: Instant, length: Duration, now: Instant): Ramp {
  const elapsed = now - began;
  if (length <= 0 || elapsed >= length) return { share: 1, nextStep: null };
  const stepLength = length / STEPS;
  const step = Math.max(0, Math.floor(elapsed / stepLength));
  // strictly later than `now` even where the division rounds: a deadline in the past would spin
  const due = Math.max(began + stepLength * (step + 1), now + 1);
  return {
    share: FLOOR + ((1 - FLOOR) * step) / STEPS,
    nextStep: after(began, (due - began) as Duration),
  };
}
