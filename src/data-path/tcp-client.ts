import { type Instant, instant } from '../lib/duration.ts';
import type { CloseReason } from '../model/reason.ts';
import type { PoolMember } from '../model/service.ts';
import type { ConnectFailure } from './forward/connect-failure.ts';
import type { Arrival, Relay, RelayContext, RelayOwner } from './forward/transport.ts';
import type { Place } from './guard/queue.ts';
import type { Ticket } from './guard/types.ts';
import type { ClientKey } from './scheduler/types.ts';

/** The service that decides for its clients. */
export interface TcpClientHost {
  connected(client: TcpClient): void;
  connectFailed(client: TcpClient, failure: ConnectFailure): void;
  /** The pause before another attempt is over. */
  retry(client: TcpClient): void;
  /** Both sockets are closed; `reason` is null when no backend was ever connected. */
  gone(client: TcpClient, reason: CloseReason | null): void;
}

/** What is known of a client when it has come. */
export interface Introduced {
  readonly arrival: Arrival;
  readonly key: ClientKey;
  /** What a backend gets before the client's own bytes. */
  readonly head: Uint8Array | null;
}

/** A client: what it holds, what has been tried for it, and its relay. */
export class TcpClient implements RelayOwner {
  readonly key: ClientKey;
  readonly relay: Relay;
  readonly #host: TcpClientHost;
  /** What the guard gave it. */
  ticket: Ticket = null;
  /** The backend on which it holds a place. */
  member: PoolMember | null = null;
  /** Its place in the queue, once it has waited. */
  place: Place<TcpClient> | null = null;
  /** Connect attempts so far. */
  attempts = 0;
  /** The backend of the last failed attempt, until the next one begins. */
  failed: PoolMember | null = null;
  /** Backends that failed it, by id. */
  tried: Set<string> | null = null;
  connectStarted: Instant = instant(0);
  readonly head: Uint8Array | null;

  constructor({ arrival, key, head }: Introduced, context: RelayContext, host: TcpClientHost) {
    this.key = key;
    this.head = head;
    this.#host = host;
    this.relay = arrival.relay(context, this);
  }

  relayConnected(): void {
    this.#host.connected(this);
  }

  relayConnectFailed(failure: ConnectFailure): void {
    this.#host.connectFailed(this, failure);
  }

  relayHeld(): void {
    this.#host.retry(this);
  }

  relayClosed(reason: CloseReason | null): void {
    this.#host.gone(this, reason);
  }
}
