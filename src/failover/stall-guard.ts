import type { Clock, Timer } from '../lib/clock.ts';
import { after, between, type Duration, type Instant, micros, millis } from '../lib/duration.ts';

const TICK = millis(20);

/** A full default receive buffer holds fewer messages than this; raw-socket reads one in each turn. */
const MAX_DRAIN_TURNS = 1_024;

export interface StallGuardOptions {
  readonly clock: Clock;
  /** How long the event loop may stand still before it counts as a stall. */
  readonly tolerance: Duration;
  /** After a stall, once everything received meanwhile has been read, and before whatever waited for that. */
  readonly onStall: (length: Duration) => void;
}

/**
 * Keeps a process that was stopped, swapped out or starved from acting on old news. Timers that fire late
 * know nothing of the messages that still lie in the sockets: a Backup would take over from an Active that
 * never fell silent, and an Active whose lease ran out would put the address back beside its successor. So
 * whatever acts on the passing of time goes through here, and after a stall waits until the sockets are dry.
 */
export class StallGuard {
  readonly #clock: Clock;
  readonly #onStall: (length: Duration) => void;
  readonly #waiting: (() => void)[] = [];
  #tolerance: Duration;
  #lastTurn: Instant;
  #timer: Timer;
  #received = 0;
  #draining = false;
  #stalledFor: Duration | null = null;
  #closed = false;

  constructor({ clock, tolerance, onStall }: StallGuardOptions) {
    this.#clock = clock;
    this.#tolerance = tolerance;
    this.#onStall = onStall;
    this.#lastTurn = clock.now();
    this.#timer = this.#arm();
  }

  set tolerance(tolerance: Duration) {
    this.#tolerance = tolerance;
  }

  close(): void {
    this.#closed = true;
    this.#timer.cancel();
    this.#waiting.length = 0;
  }

  /** After a stall, until the sockets are dry: what is received is old news. */
  get stalled(): boolean {
    return this.#stalledFor !== null;
  }

  /** To be called for every message read from a socket, good or bad, before it is looked at. */
  noteReceived(): void {
    this.#received++;
    this.#detect();
  }

  /** Calls `act` at once, or after a stall once everything received meanwhile has been read. */
  run(act: () => void): void {
    this.#detect();
    if (this.#draining) this.#waiting.push(act);
    else act();
  }

  /** Calls `act` after the sockets have been found dry, stall or not. */
  afterDrain(act: () => void): void {
    this.#detect();
    this.#waiting.push(act);
    this.#drain();
  }

  #arm(): Timer {
    // deadlines from the last turn, so that lateness is the loop's and not the timer's
    return this.#clock.timerAt(after(this.#lastTurn, TICK), () => {
      this.#detect();
      if (!this.#closed) this.#timer = this.#arm();
    });
  }

  #detect(): void {
    const now = this.#clock.now();
    const late = between(after(this.#lastTurn, TICK), now);
    if (late < 0) return;
    this.#lastTurn = now;
    if (late < this.#tolerance || this.#closed) return;
    this.#stalledFor = micros(late + TICK);
    this.#drain();
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#turn(MAX_DRAIN_TURNS, 0, this.#received);
  }

  /**
   * An immediate that is set inside the poll phase runs before the next poll: only two quiet turns in a row
   * prove that the sockets were asked and had nothing.
   */
  #turn(left: number, quiet: number, receivedBefore: number): void {
    setImmediate(() => {
      if (this.#closed) return;
      const nowQuiet = this.#received === receivedBefore ? quiet + 1 : 0;
      if (nowQuiet >= 2 || left === 0) this.#finish();
      else this.#turn(left - 1, nowQuiet, this.#received);
    });
  }

  #finish(): void {
    this.#draining = false;
    const waiting = this.#waiting.splice(0);
    const stalledFor = this.#stalledFor;
    this.#stalledFor = null;
    if (stalledFor !== null) this.#onStall(stalledFor);
    for (const act of waiting) act();
  }
}
