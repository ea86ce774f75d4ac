import type { ServerResponse } from 'node:http';
import type { Timeline } from '../observability/timeline.ts';
import type { Access, Status, StreamHello, StreamStatus } from './contract.ts';
import { HttpError } from './http.ts';
import type { Exchange } from './routes.ts';

/** Clients at once. */
export const MAX_STREAMS = 16;
/** Events that a client without a Last-Event-ID begins with. */
const BACKLOG = 200;
/** Events handed to a response before it is asked whether it has room. */
const BATCH = 64;
const TICK_MS = 1_000;
/** A status of more bytes than this is sent less often: every second only so much is computed and sent. */
const BYTES_A_TICK = 256 * 1_024;
/** A client that has not read what it got for so many ticks is dropped. */
const MAX_BLOCKED_TICKS = 5;

export interface StatusStreamsOptions {
  readonly status: () => Status;
  readonly timeline: Timeline;
  /** Wall-clock milliseconds since 1970. */
  readonly wallMillis?: () => number;
}

/**
 * `GET /v1/stream`: server-sent events (WHATWG HTML, section 9.2).
 *
 *   event: hello    { epoch, access }     first; `epoch` names this life of the daemon
 *   event: status   { time, status }      about once a second, computed once for all clients
 *   event: event    TandemEvent           as it happens; its `id` is what Last-Event-ID resumes after
 *
 * A client that does not read costs one buffer of its socket: it gets no further status until it has read the
 * last one, keeps its place in the timeline instead of a queue, and is dropped after a few seconds.
 */
export class StatusStreams {
  readonly #options: StatusStreamsOptions;
  readonly #wallMillis: () => number;
  readonly #epoch: string;
  readonly #clients = new Set<Client>();
  #timer: NodeJS.Timeout | undefined;
  #ticksUntilStatus = 0;
  #closed = false;

  constructor(options: StatusStreamsOptions) {
    this.#options = options;
    this.#wallMillis = options.wallMillis ?? Date.now;
    this.#epoch = this.#wallMillis().toString(36);
  }

  /** @throws HttpError 'too-many-streams' */
  open({ request, response, access }: Exchange): void {
    if (this.#closed || this.#clients.size >= MAX_STREAMS) {
      throw new HttpError(503, 'too-many-streams', `${MAX_STREAMS} clients have a stream open already`);
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // for a reverse proxy of nginx's kind, which would collect the answer first
      'x-accel-buffering': 'no',
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const { timeline } = this.#options;
    const after = this.#resumeAfter(request.headers['last-event-id']);
    const client: Client = new Client({ timeline, response, access, epoch: this.#epoch, after });
    this.#clients.add(client);
    response.once('close', () => {
      client.close();
      this.#clients.delete(client);
      if (this.#clients.size === 0) this.#stop();
    });
    client.status(this.#snapshot());
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Ends every stream, for good; idempotent. */
  close(): void {
    this.#closed = true;
    this.#stop();
    for (const client of this.#clients) client.close();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The number of an event of this life of the daemon, or the start of a backlog. */
  #resumeAfter(id: string | string[] | undefined): number {
    const { lastSeq } = this.#options.timeline;
    const [epoch, seq = ''] = typeof id === 'string' ? id.split('-') : [];
    if (epoch !== this.#epoch || !/^\d{1,15}$/.test(seq)) return Math.max(0, lastSeq - BACKLOG);
    return Math.min(Number(seq), lastSeq);
  }

  #tick(): void {
    const frame = --this.#ticksUntilStatus > 0 ? null : this.#snapshot();
    for (const client of this.#clients) client.tick(frame);
  }

  #snapshot(): string {
    const data: StreamStatus = { time: this.#wallMillis(), status: this.#options.status() };
    const frame = sse('status', data);
    this.#ticksUntilStatus = Math.ceil(frame.length / BYTES_A_TICK);
    return frame;
  }
}

/** JSON has no line breaks: one data line always. */
const sse = (event: string, data: unknown, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

interface ClientOptions {
  readonly timeline: Timeline;
  readonly response: ServerResponse;
  readonly access: Access;
  readonly epoch: string;
  readonly after: number;
}

class Client {
  readonly #options: ClientOptions;
  readonly #unsubscribe: () => void;
  #cursor: number;
  #blocked = 0;
  #scheduled = false;
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#cursor = options.after;
    const { timeline, response, epoch, access } = options;
    this.#unsubscribe = timeline.subscribe(() => this.#schedule());
    response.on('drain', () => {
      this.#blocked = 0;
      this.#pump();
    });
    const hello: StreamHello = { epoch, access };
    response.write(sse('hello', hello));
    this.#pump();
  }

  /** Ends the answer; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#options.response.end();
  }

  status(frame: string): void {
    if (!this.#closed && !this.#options.response.writableNeedDrain) this.#options.response.write(frame);
  }

  tick(frame: string | null): void {
    const { response } = this.#options;
    if (!response.writableNeedDrain) {
      this.#blocked = 0;
      if (frame !== null) this.status(frame);
    } else if (++this.#blocked >= MAX_BLOCKED_TICKS) {
      response.destroy();
    }
  }

  /** Writes after the emitting code has run, so that a burst is one pass. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { timeline, response, epoch } = this.#options;
    while (!this.#closed && !response.writableNeedDrain) {
      const events = timeline.after(this.#cursor, BATCH);
      const last = events.at(-1);
      if (last === undefined) return;
      this.#cursor = last.seq;
      response.write(events.map((event) => sse('event', event, `${epoch}-${event.seq}`)).join(''));
    }
  }
}
