import type { Emit, EventInput, EventName, TandemEvent } from '../model/event.ts';

export interface TimelineOptions {
  /** Events kept; the oldest goes first. */
  readonly capacity?: number;
  /** Wall-clock milliseconds since 1970. */
  readonly wallMillis: () => number;
}

/**
 * The last events in order. A subscriber keeps no queue of its own: it remembers the `seq` that it has
 * read up to and asks for what came after, so that a slow one costs nothing and sees its losses as a gap.
 */
export class Timeline {
  readonly #ring: TandemEvent[] = [];
  readonly #capacity: number;
  readonly #wallMillis: () => number;
  readonly #subscribers = new Set<(event: TandemEvent) => void>();
  readonly #totals = new Map<EventName, number>();
  #lastSeq = 0;

  constructor(options: TimelineOptions) {
    this.#capacity = Math.max(1, options.capacity ?? 1_000);
    this.#wallMillis = options.wallMillis;
  }

  /** Numbers and keeps the event, then tells every subscriber. Bound, so that it can be handed out as is. */
  readonly emit: Emit = (input: EventInput): void => {
    const event: TandemEvent = { ...input, seq: ++this.#lastSeq, time: this.#wallMillis() };
    this.#ring[(event.seq - 1) % this.#capacity] = event;
    this.#totals.set(event.name, (this.#totals.get(event.name) ?? 0) + 1);
    for (const notify of [...this.#subscribers]) notify(event);
  };

  /** 0 before the first event. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** How often each event has happened, dropped ones included. */
  get totals(): ReadonlyMap<EventName, number> {
    return this.#totals;
  }

  /**
   * Up to `limit` events with a number above `seq`, oldest first. A number that was never given belongs to
   * an earlier life of the daemon: everything kept is answered.
   */
  after(seq: number, limit = this.#capacity): TandemEvent[] {
    const wanted = seq > this.#lastSeq || seq < 0 ? 0 : seq;
    const oldest = Math.max(1, this.#lastSeq - this.#capacity + 1);
    const first = Math.max(wanted + 1, oldest);
    const events: TandemEvent[] = [];
    for (let next = first; next <= this.#lastSeq && events.length < limit; next++) {
      const event = this.#ring[(next - 1) % this.#capacity];
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** Calls `notify` at each event, synchronously and in order, until the returned function is called. */
  subscribe(notify: (event: TandemEvent) => void): () => void {
    // wrapped, so that the same function subscribed twice is two subscriptions
    const entry = (event: TandemEvent): void => notify(event);
    this.#subscribers.add(entry);
    return () => {
      this.#subscribers.delete(entry);
    };
  }
}
