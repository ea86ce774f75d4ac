import { after, type Duration, type Instant, instant } from '../lib/duration.ts';

interface Tally {
  count: number;
  quietUntil: Instant;
}

/** Counts what comes in floods, and says when it is time to tell of all of it: at once, then once in a while. */
export class QuietTally<K extends string> {
  readonly #quiet: Duration;
  readonly #tallies = new Map<K, Tally>();

  /** @param quiet between two tellings of one key */
  constructor(quiet: Duration) {
    this.#quiet = quiet;
  }

  /** @returns how many there were since the last telling, or null while it is quiet */
  add(key: K, now: Instant): number | null {
    const tally = this.#tallies.get(key) ?? { count: 0, quietUntil: instant(Number.NEGATIVE_INFINITY) };
    this.#tallies.set(key, tally);
    tally.count++;
    if (now < tally.quietUntil) return null;
    const { count } = tally;
    tally.count = 0;
    tally.quietUntil = after(now, this.#quiet);
    return count;
  }
}
