import type { Instant } from '../../lib/duration.ts';

/** After this many microseconds a failure counts half. */
const HALF_LIFE = 5_000_000;

/** What is left of a failure after half a minute is nothing. */
const NEGLIGIBLE = 0.01;

/**
 * How often connecting to each backend failed of late, fading exponentially. One instance a worker: what a
 * worker sees is enough for it to turn away from a backend that fails fast. A slot's next backend inherits
 * the rest of its predecessor's failures for those seconds.
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
    this.#set(slot, this.level(slot, now) + 1, now);
  }

  /** A connection was established: halves what is held against the backend, which may fail every other time. */
  succeeded(slot: number, now: Instant): void {
    if (this.#level[slot] !== 0) this.#set(slot, this.level(slot, now) / 2, now);
  }

  /** 0 for a backend that works. */
  level(slot: number, now: Instant): number {
    const level = this.#level[slot] ?? 0;
    if (level === 0) return 0;
    const faded = level * 2 ** (((this.#at[slot] ?? 0) - now) / HALF_LIFE);
    return faded < NEGLIGIBLE ? 0 : faded;
  }

  #set(slot: number, level: number, now: Instant): void {
    this.#level[slot] = level;
    this.#at[slot] = now;
  }
}
