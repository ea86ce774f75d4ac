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

/** When this thread's `performance.now()` was 0, in milliseconds of CLOCK_MONOTONIC: other threads began later. */
export function clockOrigin(): number {
  let best = { width: Number.POSITIVE_INFINITY, origin: 0 };
  // whoever is preempted between two readings takes the pause for a difference of the clocks
  for (let sample = 0; sample < 8; sample++) {
    const before = process.hrtime.bigint();
    const here = performance.now();
    const width = Number(process.hrtime.bigint() - before) / 1e6;
    if (width < best.width) best = { width, origin: Number(before) / 1e6 + width / 2 - here };
  }
  return best.origin;
}

/** The system's monotonic clock (CLOCK_MONOTONIC through performance.now). */
export const systemClock: Clock = clockSince(0);

/** The clock of the thread whose {@link clockOrigin} this is, for another thread: what one writes the other can read. */
export function clockOf(origin: number): Clock {
  return clockSince(clockOrigin() - origin);
}

/** @param ahead milliseconds that are added to this thread's own time */
function clockSince(ahead: number): Clock {
  const now = (): Instant => instant(Math.round((performance.now() + ahead) * 1_000));
  const timerAt = (at: Instant, fire: () => void): Timer => {
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const remaining = Math.max(0, (at - now()) / 1_000);
      // setTimeout works in whole milliseconds and may fire up to one early: never before `at`.
      handle = setTimeout(
        () => {
          if (now() < at) arm();
          else fire();
        },
        Math.min(MAX_DELAY_MS, Math.ceil(remaining)),
      );
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  };
  return {
    now,
    wallMillis: () => Date.now(),
    timerAt,
    timerAfter: (delay, fire) => timerAt(instant(now() + delay), fire),
  };
}
