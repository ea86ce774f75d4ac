import type { Status, StreamHello, StreamStatus } from '../admin/contract.ts';
import type { TandemEvent } from '../model/event.ts';
import { type SseMessage, SseParser } from './sse-parser.ts';
import { forgetToken, storedToken } from './token.ts';

export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** `retryAt`: milliseconds since 1970, on this browser's clock. */
  | { readonly state: 'lost'; readonly retryAt: number; readonly why: string }
  | { readonly state: 'locked'; readonly why: string };

export interface Listener {
  link(link: Link): void;
  hello(hello: StreamHello): void;
  status(at: number, status: Status): void;
  event(event: TandemEvent): void;
}

/** The daemon sends something each second; with very many backends it takes a few more. */
const SILENCE_MS = 20_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000] as const;

class Locked extends Error {}

/** The stream of the daemon, again and again; with the token when there is one. */
export class Connection {
  readonly #listener: Listener;
  #abort = new AbortController();
  #lastId = '';
  #failures = 0;
  #timer: number | undefined;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** Connects anew: at the start, with another token, or when somebody does not want to wait. */
  restart(): void {
    this.#abort.abort();
    window.clearTimeout(this.#timer);
    this.#abort = new AbortController();
    void this.#run(this.#abort.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#listener.link({ state: 'connecting' });
    try {
      await this.#read(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Locked) {
        this.#listener.link({ state: 'locked', why: error.message });
        return;
      }
      const delay = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 8_000;
      const why = error instanceof Error ? error.message : String(error);
      this.#listener.link({ state: 'lost', retryAt: Date.now() + delay, why });
      this.#timer = window.setTimeout(() => this.restart(), delay);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const token = storedToken();
    const headers: Record<string, string> = {};
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    if (this.#lastId !== '') headers['last-event-id'] = this.#lastId;
    const response = await fetch('v1/stream', { headers, signal, cache: 'no-store' });
    if (response.status === 401 || response.status === 403 || response.status === 429) {
      throw await this.#refused(response, token !== null);
    }
    if (!response.ok || response.body === null) throw new Error(`the daemon answers ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await withDeadline(reader.read(), SILENCE_MS);
      if (done) throw new Error('the daemon has ended the connection');
      for (const message of parser.push(value)) this.#take(message);
    }
  }

  async #refused(response: Response, withToken: boolean): Promise<Error> {
    if (response.status === 429) return new Error('too many wrong tokens: waiting');
    if (!withToken) return new Locked('This address needs the token.');
    forgetToken();
    // on loopback it goes on without
    const open = await fetch('v1/status', { method: 'HEAD', cache: 'no-store' });
    return open.ok ? new Error('the token is wrong: reading without it') : new Locked('The token is wrong.');
  }

  #take({ event, data, id }: SseMessage): void {
    this.#lastId = id;
    switch (event) {
      case 'hello':
        this.#failures = 0;
        this.#listener.hello(JSON.parse(data));
        this.#listener.link({ state: 'live' });
        break;
      case 'status': {
        const { time, status }: StreamStatus = JSON.parse(data);
        this.#listener.status(time, status);
        break;
      }
      case 'event':
        this.#listener.event(JSON.parse(data));
        break;
      default: // of a later version
    }
  }
}

/** A connection whose other end has gone without a word never ends by itself. */
function withDeadline<T>(promise: Promise<T>, millis: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(() => reject(new Error('the daemon has fallen silent')), millis);
    promise.then(resolve, reject).finally(() => window.clearTimeout(timer));
  });
}
