import type { ServerResponse } from 'node:http';
import type { Timeline } from '../observability/timeline.ts';

/** Events handed to the response before it is asked whether it has room. */
const BATCH = 64;

/**
 * Streams events as NDJSON: the ones kept after `after` and, with `follow`, every new one until the client
 * goes or `close` is called. A client that does not read makes the stream wait with its place in the
 * timeline, not with a queue: what the ring drops in the meantime shows as a gap in `seq`.
 */
export class EventStream {
  readonly #timeline: Timeline;
  readonly #response: ServerResponse;
  readonly #follow: boolean;
  readonly #unsubscribe: () => void;
  #cursor: number;
  #waiting = false;
  #scheduled = false;
  #closed = false;

  constructor(
    timeline: Timeline,
    response: ServerResponse,
    options: { after: number; follow: boolean; onClose: () => void },
  ) {
    this.#timeline = timeline;
    this.#response = response;
    this.#follow = options.follow;
    this.#cursor = options.after > timeline.lastSeq ? 0 : options.after;
    this.#unsubscribe = options.follow ? timeline.subscribe(() => this.#schedule()) : () => undefined;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    response.on('drain', () => {
      this.#waiting = false;
      this.#pump();
    });
    response.once('close', () => {
      this.close();
      options.onClose();
    });
    this.#pump();
  }

  /** Ends the answer; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#response.end();
  }

  /** Writes after the emitting code has run, so that a burst is one pass. */
  #schedule(): void {
    if (this.#scheduled || this.#waiting) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#closed && !this.#waiting) {
      const events = this.#timeline.after(this.#cursor, BATCH);
      const last = events.at(-1);
      if (last === undefined) {
        if (!this.#follow) this.close();
        return;
      }
      this.#cursor = last.seq;
      const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
      this.#waiting = !this.#response.write(lines);
    }
  }
}
