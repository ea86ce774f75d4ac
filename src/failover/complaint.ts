import type { Clock } from '../lib/clock.ts';
import { between, type Duration, type Instant, seconds } from '../lib/duration.ts';
import type { Emit, EventInput } from '../model/event.ts';

const REPEAT: Duration = seconds(30);

/** Error events for faults that persist: at once, and again every half minute, not every time. */
export class Complaint {
  readonly #clock: Clock;
  readonly #emit: Emit;
  /** By subject, of which the configuration knows a few. */
  readonly #last = new Map<string, { readonly message: string; readonly at: Instant }>();

  constructor(clock: Clock, emit: Emit) {
    this.#clock = clock;
    this.#emit = emit;
  }

  raise(subject: string, event: EventInput): void {
    const now = this.#clock.now();
    const last = this.#last.get(subject);
    if (last !== undefined && last.message === event.message && between(last.at, now) < REPEAT) return;
    this.#last.set(subject, { message: event.message, at: now });
    this.#emit(event);
  }

  /** It works again: the next failure is news. */
  clear(subject: string): void {
    this.#last.delete(subject);
  }
}
