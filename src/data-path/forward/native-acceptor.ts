import { closeSync } from 'node:fs';
import { type Endpoint, isUnspecified } from '../../lib/ip.ts';
import type { RelayPort } from './native-port.ts';
import type { Acceptor, AcceptorOwner } from './transport.ts';

/** Who knows which acceptor a listener's number belongs to. */
export interface AcceptorRegistry {
  readonly port: RelayPort;
  enter(listener: number, acceptor: NativeAcceptor): void;
  leave(listener: number): void;
}

/** Accepts through the addon. To pause needs nothing but not to watch the socket. */
export class NativeAcceptor implements Acceptor {
  readonly endpoint: Endpoint;
  readonly owner: AcceptorOwner;
  /** Each client's event has the address that it wrote to. */
  readonly wildcard: boolean;
  readonly #registry: AcceptorRegistry;
  /** Null until `take` and after `close`. */
  #listener: number | null = null;
  #paused = false;
  #closed = false;

  constructor(endpoint: Endpoint, owner: AcceptorOwner, registry: AcceptorRegistry) {
    this.endpoint = endpoint;
    this.owner = owner;
    this.wildcard = isUnspecified(endpoint.address);
    this.#registry = registry;
  }

  get descriptors(): number {
    return this.#listener === null ? 0 : 1;
  }

  take(fd: number): void {
    if (this.#closed || this.#listener !== null) {
      closeSync(fd);
      return;
    }
    try {
      this.#listener = this.#registry.port.addListener(fd, this.wildcard);
    } catch (error) {
      closeSync(fd);
      this.owner.acceptFailed(error instanceof Error ? error : new Error(String(error)), this.endpoint);
      return;
    }
    this.#registry.enter(this.#listener, this);
    if (this.#paused) this.#apply();
  }

  pause(): void {
    this.#paused = true;
    this.#apply();
  }

  resume(): void {
    this.#paused = false;
    this.#apply();
  }

  close(): void {
    this.#closed = true;
    if (this.#listener === null) return;
    this.#registry.leave(this.#listener);
    this.#registry.port.removeListener(this.#listener);
    this.#listener = null;
  }

  #apply(): void {
    if (this.#listener === null) return;
    this.#registry.port.setAccepting(this.#listener, !this.#paused);
  }
}
