import type { Clock } from '../lib/clock.ts';
import { between, type Duration, type Instant, seconds } from '../lib/duration.ts';
import type { Emit, EventInput } from '../model/event.ts';

const REPEAT: Duration = seconds(30);

/** An error event for a fault that persists: at once, and again every half minute, not every time. */
export class Complaint {
  readonly #clock: Clock;
  readonly #emit: Emit;
  #last: { readonly message: string; readonly at: Instant } | null = null;

  constructor(clock: Clock, emit: Emit) {
    this.#clock = clock;
    this.#emit = emit;
  }

  raise(event: EventInput): void {
    const now = this.#clock.now();
    const last = this.#last;
    if (last !== null && last.message === event.message && between(last.at, now) < REPEAT) return;
    this.#last = { message: event.message, at: now };
    this.#emit(event);
  }

  /** It works again: the next failure is news. */
  clear(): void {
    this.#last = null;
  }
}
