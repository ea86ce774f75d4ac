import type { Instant } from '../../lib/duration.ts';

/** After this many microseconds a failure counts half. */
const HALF_LIFE = 5_000_000;

/**
 * How often connecting to each backend failed of late, fading exponentially. One instance a worker: what a
 * worker sees is enough for it to turn away from a backend that fails fast.
 */
export class RecentFailures {
  readonly #level: Float64Array;
  readonly #at: Float64Array;

  /** @param slots rows for backends in the shared counters */
  constructor(slots: number) {
    this.#level = new Float64Array(slots);
    this.#at = new Float64Array(slots);
  }

  failed(slot: number, now: Instant): void {
    this.#level[slot] = this.level(slot, now) + 1;
    this.#at[slot] = now;
  }

  /** A connection was established (or the slot has a new backend): the past is forgotten. */
  succeeded(slot: number): void {
    this.#level[slot] = 0;
  }

  level(slot: number, now: Instant): number {
    const level = this.#level[slot] ?? 0;
    // the common case costs no power
    return level === 0 ? 0 : level * 2 ** (((this.#at[slot] ?? 0) - now) / HALF_LIFE);
  }
}
