import { type Duration, type Instant, instant } from '../../lib/duration.ts';

/** A deadline that is never reached. */
export const NEVER: Instant = instant(Number.POSITIVE_INFINITY);

/**
 * Something that a {@link TimerWheel} watches. The owner may move `deadline` later at any time without
 * telling the wheel (one store a packet is all that an idle time-out costs); to move it earlier, `schedule` again.
 */
export abstract class Timed {
  deadline: Instant = NEVER;
  /** The wheel's own links: null while it does not watch this entry. */
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;

  /** Called once, at or at most one tick after the deadline; the wheel has let go of the entry by then. */
  abstract expire(now: Instant): void;
}

/** Head of a slot's circular list. */
class Slot extends Timed {
  constructor() {
    super();
    this.wheelNext = this;
    this.wheelPrevious = this;
  }

  override expire(): void {}
}

/**
 * One coarse timer for any number of deadlines (a hashed timing wheel, Varghese and Lauck 1987, scheme 6).
 * An entry sits in the slot of its deadline, or in the farthest one when that lies beyond the horizon
 * (`slots` x `tick`), and is looked at again when the hand gets there: O(1) to add and to remove, and a
 * deadline that moves later with every packet costs nothing until its old slot comes up.
 * Pure: time is handed in.
 */
export class TimerWheel {
  readonly tick: Duration;
  /** The time of the last `advance`: a clock good to one tick, free to read. */
  now: Instant;
  readonly #slots: readonly Slot[];
  /** Number of the last tick that has been processed. */
  #hand: number;
  #size = 0;

  /** @param slots at least 2 */
  constructor(options: { readonly tick: Duration; readonly slots: number; readonly now: Instant }) {
    this.tick = options.tick;
    this.now = options.now;
    this.#slots = Array.from({ length: options.slots }, () => new Slot());
    this.#hand = Math.floor(options.now / options.tick);
  }

  /** Entries watched. */
  get size(): number {
    return this.#size;
  }

  /** Watches `entry` until `deadline`; replaces an earlier deadline. {@link NEVER} cancels. */
  schedule(entry: Timed, deadline: Instant): void {
    this.cancel(entry);
    entry.deadline = deadline;
    if (deadline !== NEVER) this.#insert(entry);
  }

  /** Forgets `entry`; harmless when it is not watched. */
  cancel(entry: Timed): void {
    const { wheelNext: next, wheelPrevious: previous } = entry;
    entry.deadline = NEVER;
    if (next === null || previous === null) return;
    previous.wheelNext = next;
    next.wheelPrevious = previous;
    entry.wheelNext = null;
    entry.wheelPrevious = null;
    this.#size--;
  }

  /** Moves the hand to `now` and expires what is due. Entries may schedule and cancel meanwhile. */
  advance(now: Instant): void {
    this.now = now;
    const target = Math.floor(now / this.tick);
    // after a long pause every slot is visited once, not once a missed tick
    const first = Math.max(this.#hand + 1, target - this.#slots.length + 1);
    for (let tick = first; tick <= target; tick++) {
      this.#hand = tick;
      this.#visit(this.#slots[tick % this.#slots.length]);
    }
  }

  #visit(slot: Slot | undefined): void {
    if (slot === undefined) return;
    // Ends: nothing is ever put into the slot under the hand (see #insert).
    for (;;) {
      const entry: Timed | null = slot.wheelNext;
      if (entry === null || entry === slot) return;
      this.#look(entry);
    }
  }

  #look(entry: Timed): void {
    const { deadline } = entry;
    this.cancel(entry);
    if (deadline <= this.now) {
      entry.expire(this.now);
      return;
    }
    entry.deadline = deadline;
    this.#insert(entry);
  }

  #insert(entry: Timed): void {
    const due = Math.ceil(entry.deadline / this.tick);
    const tick = Math.min(Math.max(due, this.#hand + 1), this.#hand + this.#slots.length - 1);
    const slot = this.#slots[tick % this.#slots.length];
    const previous = slot?.wheelPrevious;
    if (slot === undefined || previous === null || previous === undefined) return;
    entry.wheelNext = slot;
    entry.wheelPrevious = previous;
    previous.wheelNext = entry;
    slot.wheelPrevious = entry;
    this.#size++;
  }
}
