import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Duration, type Instant } from '../lib/duration.ts';

/**
 * Calls `task` every `period`, by absolute deadlines, so that it does not drift; after a stall it goes on from
 * now instead of catching up. `task` must not throw.
 */
export class Periodic {
  readonly #clock: Clock;
  readonly #period: Duration;
  readonly #task: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, period: Duration, task: () => void) {
    this.#clock = clock;
    this.#period = period;
    this.#task = task;
  }

  start(): void {
    if (this.#timer === null) this.#arm(after(this.#clock.now(), this.#period));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(due: Instant): void {
    this.#timer = this.#clock.timerAt(due, () => {
      const now = this.#clock.now();
      const next = after(due, this.#period);
      this.#arm(next > now ? next : after(now, this.#period));
      this.#task();
    });
  }
}
