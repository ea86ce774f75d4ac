import type { AdminClient } from '../../admin/client.ts';
import type { TandemEvent } from '../../model/event.ts';
import { printable } from '../output.ts';
import { type Model, modelOf, type Reading } from './model.ts';

/** The latest events that are kept; no screen shows more. */
const MAX_EVENTS = 200;
/** A daemon that does not answer within this is shown as lost. */
const TIMEOUT_MS = 3_000;
/** Rates over less than this share of the interval would jump. */
const LEAST_SHARE = 0.8;

/** Asks the daemon for its status and what has happened since, and keeps what the rates are counted from. */
export class Feed {
  readonly #client: AdminClient;
  readonly #intervalMs: number;
  #latest: Reading | undefined;
  #before: Reading | undefined;

  constructor(client: AdminClient, intervalMs: number) {
    this.#client = client;
    this.#intervalMs = intervalMs;
  }

  /** @throws TandemError as AdminClient does; the readings so far stay. */
  async read(): Promise<Model> {
    const status = printable(await this.#client.status(TIMEOUT_MS));
    const reading = {
      status,
      at: Date.now(),
      ticks: performance.now(),
      events: await this.#events(status.pid),
    };
    const latest = this.#latest;
    if (latest !== undefined && reading.ticks - latest.ticks >= LEAST_SHARE * this.#intervalMs) {
      this.#before = latest;
    }
    this.#latest = reading;
    return modelOf(reading, this.#before);
  }

  /** Another daemon numbers its events anew. */
  async #events(pid: number): Promise<TandemEvent[]> {
    const known = this.#latest?.status.pid === pid ? this.#latest.events : [];
    const fresh: TandemEvent[] = [];
    for await (const event of this.#client.events({ after: known.at(-1)?.seq ?? 0, follow: false })) {
      fresh.push(printable(event));
      if (fresh.length > MAX_EVENTS) fresh.shift();
    }
    return [...known, ...fresh].slice(-MAX_EVENTS);
  }
}
