import type { Instant } from '../../lib/duration.ts';
import type { SharedFloats } from '../../lib/shared-floats.ts';

/** After this many microseconds a failure counts half. */
const HALF_LIFE = 5_000_000;

/** What is left of a failure after half a minute is nothing. */
const NEGLIGIBLE = 0.01;

/**
 * How often connecting to each backend failed of late, fading exponentially; over all workers, so that a backend that
 * fails fast swallows a few clients and not a few in each of them.
 *
 * One number a backend says all: the time at which its level was 1, or will be; 0 without failures. Changes by
 * several workers at once are then single compare-and-swaps.
 */
export class RecentFailures {
  readonly #ones: SharedFloats;

  /** @param ones a cell for each row of backends in the shared counters */
  constructor(ones: SharedFloats) {
    this.#ones = ones;
  }

  failed(slot: number, now: Instant): void {
    this.#ones.update(slot, (one) => oneAt(levelAt(one, now) + 1, now));
  }

  /** A connection was established: halves what is held against the backend, which may fail every other time. */
  succeeded(slot: number, now: Instant): void {
    if (this.#ones.get(slot) === 0) return;
    this.#ones.update(slot, (one) => {
      const level = levelAt(one, now);
      return level === 0 ? 0 : oneAt(level / 2, now);
    });
  }

  /** 0 for a backend that works. */
  level(slot: number, now: Instant): number {
    return levelAt(this.#ones.get(slot), now);
  }
}

function levelAt(one: number, now: Instant): number {
  if (one === 0) return 0;
  const level = 2 ** ((one - now) / HALF_LIFE);
  return level < NEGLIGIBLE ? 0 : level;
}

function oneAt(level: number, now: Instant): number {
  return now + HALF_LIFE * Math.log2(level);
}
