import type { Clock, Timer } from '../lib/clock.ts';
import type { Instant } from '../lib/duration.ts';
import type { TimerName } from '../vrrp/router.ts';
import type { Surroundings } from './surroundings.ts';

/** The timers that a virtual router's state machine arms; one of each name. */
export class RouterTimers {
  readonly #clock: Clock;
  readonly #guard: Surroundings['guard'];
  readonly #onFired: (name: TimerName) => void;
  readonly #timers = new Map<TimerName, Timer>();

  constructor({ clock, guard }: Pick<Surroundings, 'clock' | 'guard'>, onFired: (name: TimerName) => void) {
    this.#clock = clock;
    this.#guard = guard;
    this.#onFired = onFired;
  }

  /** In place of the one of this name. */
  arm(name: TimerName, at: Instant): void {
    this.cancel(name);
    const fire = (): void => this.#onFired(name);
    // Active_Down is believed only when no advertisement lies unread; the others only if nothing stalled
    const gate = name === 'active-down' ? this.#guard.afterDrain : this.#guard.run;
    this.#timers.set(
      name,
      this.#clock.timerAt(at, () => gate.call(this.#guard, fire)),
    );
  }

  cancel(name: TimerName): void {
    this.#timers.get(name)?.cancel();
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }
}
