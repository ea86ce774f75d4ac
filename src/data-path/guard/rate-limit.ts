import { type Instant, instant } from '../../lib/duration.ts';
import type { RateSpec } from '../../model/service.ts';

/** A source or service that has never been seen, or whose burst is whole again. */
export const UNUSED: Instant = instant(0);

/**
 * Intervals are rounded up to 1/256 us: sums with whole microseconds are then exact in a double for more than
 * a year of uptime, and a rounded rate is never above the configured one.
 */
const QUANTUM = 256;

/**
 * The generic cell rate algorithm (ITU-T I.371, virtual scheduling): a bucket is one number, the theoretical
 * arrival time at which its burst would be whole again. In any span t, at most burst + rate * t pass.
 */
export class Gcra {
  readonly #interval: number;
  readonly #tolerance: number;

  /** `count` and `burst` at least 1, `per` above 0. */
  constructor(rate: RateSpec) {
    this.#interval = Math.ceil((rate.per / rate.count) * QUANTUM) / QUANTUM;
    this.#tolerance = (Math.max(1, rate.burst) - 1) * this.#interval;
  }

  /** May one more pass at `now`? Changes nothing. */
  conforms(arrival: Instant, now: Instant): boolean {
    return arrival - now <= this.#tolerance;
  }

  /** The bucket after one has passed at `now`. */
  consume(arrival: Instant, now: Instant): Instant {
    return instant(Math.max(arrival, now) + this.#interval);
  }

  /** The bucket without the last one that has passed. */
  restore(arrival: Instant): Instant {
    return instant(arrival - this.#interval);
  }

  /** The bucket under these settings, when it was filled under others: never emptier than a spent burst. */
  adopt(arrival: Instant, now: Instant): Instant {
    return instant(Math.min(arrival, now + this.#tolerance + this.#interval));
  }
}
