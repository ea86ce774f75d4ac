import { after, type Duration, type Instant } from '../../lib/duration.ts';
import type { QueueSpec } from '../../model/service.ts';

/** A waiting client's place; opaque outside this file. */
export interface Place<T> {
  readonly item: T;
  readonly since: Instant;
  /** False once the client has been dequeued, expired or cancelled. */
  waiting: boolean;
  previous: Place<T> | null;
  next: Place<T> | null;
}

/**
 * Clients that wait for a backend to have room: first in, first out, never more than `max`. Everyone waits
 * equally long, so the first in line is also the first to time out and every operation is O(1).
 */
export class WaitQueue<T> {
  #max: number;
  #timeout: Duration;
  #first: Place<T> | null = null;
  #last: Place<T> | null = null;
  #length = 0;

  constructor(spec: QueueSpec) {
    this.#max = spec.max;
    this.#timeout = spec.timeout;
  }

  get length(): number {
    return this.#length;
  }

  get max(): number {
    return this.#max;
  }

  /** New settings, for those who wait already too; a smaller `max` turns nobody out. */
  update(spec: QueueSpec): void {
    this.#max = spec.max;
    this.#timeout = spec.timeout;
  }

  /** Gets in line; null when the queue is full ("queue-full"), always so when `max` is 0. */
  enqueue(item: T, now: Instant): Place<T> | null {
    if (this.#length >= this.#max) return null;
    const place: Place<T> = { item, since: now, waiting: true, previous: this.#last, next: null };
    if (this.#last === null) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#length += 1;
    return place;
  }

  /** Since when the one who has waited longest does; null when nobody waits. */
  get head(): Instant | null {
    return this.#first?.since ?? null;
  }

  /** The one who has waited longest, left in place; null when nobody waits. */
  peek(): T | null {
    return this.#first?.item ?? null;
  }

  /** Takes the one who has waited longest; null when nobody waits. */
  dequeue(): T | null {
    const first = this.#first;
    if (first === null) return null;
    this.#unlink(first);
    return first.item;
  }

  /** The client went away. Harmless when it no longer waits. */
  cancel(place: Place<T>): void {
    if (place.waiting) this.#unlink(place);
  }

  /** Takes the next one whose time-out has passed ("queue-timeout"); null when there is none. Call until null. */
  expire(now: Instant): T | null {
    const deadline = this.nextDeadline();
    return deadline === null || deadline > now ? null : this.dequeue();
  }

  /** When `expire` will have something; null while nobody waits. */
  nextDeadline(): Instant | null {
    return this.#first === null ? null : after(this.#first.since, this.#timeout);
  }

  #unlink(place: Place<T>): void {
    if (place.previous === null) this.#first = place.next;
    else place.previous.next = place.next;
    if (place.next === null) this.#last = place.previous;
    else place.next.previous = place.previous;
    place.previous = null;
    place.next = null;
    place.waiting = false;
    this.#length -= 1;
  }
}
