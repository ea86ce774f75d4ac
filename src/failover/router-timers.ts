import type { Clock, Timer } from '../lib/clock.ts';
import { type Instant, instant, millis } from '../lib/duration.ts';
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
    this.#timers.set(
      name,
      name === 'active-down'
        ? exactTimer(this.#clock, at, () => this.#guard.afterDrain(fire))
        : this.#clock.timerAt(at, () => this.#guard.run(fire)),
    );
  }

  cancel(name: TimerName): void {
    this.#timers.get(name)?.cancel();
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }
}

/** By how much a timer of the event loop may be late: libuv counts whole milliseconds, from the begin of a turn. */
const LATENESS = millis(2);

/**
 * To within microseconds: the last milliseconds pass turn by turn, with the sockets read in between. For what seldom
 * expires and is waited for then, as Active_Down is.
 */
function exactTimer(clock: Clock, at: Instant, fire: () => void): Timer {
  let turn: NodeJS.Immediate | null = null;
  const wait = (): void => {
    if (clock.now() >= at) fire();
    else turn = setImmediate(wait);
  };
  const timer = clock.timerAt(instant(at - LATENESS), wait);
  return {
    cancel: () => {
      timer.cancel();
      if (turn !== null) clearImmediate(turn);
    },
  };
}
