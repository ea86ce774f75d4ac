import type { Clock, Timer } from '../../src/lib/clock.ts';
import { after, type Duration, type Instant, instant } from '../../src/lib/duration.ts';

interface Pending {
  readonly at: Instant;
  readonly fire: () => void;
}

/** A clock that stands still until the test moves it. Timers fire in the order of their times. */
export class ManualClock implements Clock {
  #now: Instant;
  readonly #pending = new Set<Pending>();

  constructor(startMicros = 1_000_000) {
    this.#now = instant(startMicros);
  }

  now(): Instant {
    return this.#now;
  }

  wallMillis(): number {
    return this.#now / 1_000;
  }

  timerAt(at: Instant, fire: () => void): Timer {
    const pending = { at, fire };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  timerAfter(delay: Duration, fire: () => void): Timer {
    return this.timerAt(after(this.#now, delay), fire);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#pending.size;
  }

  /** When the next timer is due; null when there is none. */
  get next(): Instant | null {
    const times = [...this.#pending].map((pending) => pending.at);
    return times.length === 0 ? null : instant(Math.min(...times));
  }

  /** Moves on by `by` and fires what comes due on the way, each at its own time. */
  advance(by: Duration): void {
    const end = after(this.#now, by);
    this.#fireUntil(end);
    this.#now = end;
  }

  /** The process does not run for `by`: what comes due meanwhile fires late, with the next `advance`. */
  stall(by: Duration): void {
    this.#now = after(this.#now, by);
  }

  /** Like `advance`, but lets promises settle after each timer: for shells that await between timers. */
  async advanceAsync(by: Duration): Promise<void> {
    const end = after(this.#now, by);
    await settle();
    for (let due = this.#earliest(end); due !== undefined; due = this.#earliest(end)) {
      this.#fire(due);
      await settle();
    }
    this.#now = end;
  }

  #fireUntil(end: Instant): void {
    for (let due = this.#earliest(end); due !== undefined; due = this.#earliest(end)) this.#fire(due);
  }

  #earliest(end: Instant): Pending | undefined {
    let first: Pending | undefined;
    // a Set keeps insertion order: of two timers with one time, the older fires first
    for (const pending of this.#pending) {
      if (pending.at <= end && (first === undefined || pending.at < first.at)) first = pending;
    }
    return first;
  }

  #fire(pending: Pending): void {
    this.#pending.delete(pending);
    this.#now = instant(Math.max(this.#now, pending.at));
    pending.fire();
  }
}

/** Lets every promise that can settle do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
