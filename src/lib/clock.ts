import { type Duration, type Instant, instant } from './duration.ts';

/** A timer that somebody owns; `cancel` is idempotent and safe after it has fired. */
export interface Timer {
  cancel(): void;
}

/** The only way the shells ask for the time or a timer, so that tests and the simulator can replace both. */
export interface Clock {
  /** Monotonic time. */
  now(): Instant;
  /** Calls `fire` once, at `at` or as soon after it as the event loop allows. */
  timerAt(at: Instant, fire: () => void): Timer;
  /** Calls `fire` once after `delay`. */
  timerAfter(delay: Duration, fire: () => void): Timer;
  /** Wall-clock time in milliseconds since 1970, for people and logs; never for arithmetic. */
  wallMillis(): number;
}

/** Node truncates a delay above 2^31-1 ms to 1 ms; a longer timer re-arms itself. */
const MAX_DELAY_MS = 2_147_483_647;

/** The system's monotonic clock (CLOCK_MONOTONIC through process.hrtime). */
export const systemClock: Clock = {
  now: () => instant(Math.round(performance.now() * 1_000)),
  wallMillis: () => Date.now(),
  timerAfter(delay, fire) {
    return systemClock.timerAt(instant(systemClock.now() + delay), fire);
  },
  timerAt(at, fire) {
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const remaining = Math.max(0, (at - systemClock.now()) / 1_000);
      // setTimeout works in whole milliseconds and may fire up to one early: never before `at`.
      handle = setTimeout(
        () => {
          if (systemClock.now() < at) arm();
          else fire();
        },
        Math.min(MAX_DELAY_MS, Math.ceil(remaining)),
      );
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};
