import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from '../lib/ip.ts';

/** The one who takes what an acceptor accepts. */
export interface AcceptorOwner {
  /** The socket is paused: nothing has been read from it. */
  accepted(socket: Socket, endpoint: Endpoint): void;
  acceptFailed(error: Error, endpoint: Endpoint): void;
  /** Another descriptor of this listener is needed; answer with `acceptor.take`. */
  wantListener(endpoint: Endpoint): void;
}

/**
 * Accepts on one listening socket, and can stop doing so while clients wait in the kernel's backlog. Node has no
 * way to pause a net.Server but to close it, so the supervisor keeps the listening socket open and this one
 * owns a duplicate: `pause` closes that (the backlog stays with the socket) and asks for the next one.
 */
export class TcpAcceptor {
  readonly endpoint: Endpoint;
  readonly #owner: AcceptorOwner;
  readonly #backlog: number;
  #server: Server | null = null;
  /** Arrived while paused. */
  #spare: number | null = null;
  #paused = false;
  #closed = false;

  /** @param backlog listen(2) is called again by Node and would otherwise shrink it */
  constructor(endpoint: Endpoint, backlog: number, owner: AcceptorOwner) {
    this.endpoint = endpoint;
    this.#backlog = backlog;
    this.#owner = owner;
  }

  /** Descriptors held. */
  get descriptors(): number {
    return (this.#server === null ? 0 : 1) + (this.#spare === null ? 0 : 1);
  }

  /** Becomes the owner of a listening socket's descriptor. */
  take(fd: number): void {
    if (this.#closed || this.#server !== null || this.#spare !== null) closeSync(fd);
    else if (this.#paused) this.#spare = fd;
    else this.#listen(fd);
  }

  pause(): void {
    if (this.#paused || this.#closed) return;
    this.#paused = true;
    if (this.#server === null) return;
    this.#server.close();
    this.#server = null;
    this.#owner.wantListener(this.endpoint);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#spare === null) return;
    const fd = this.#spare;
    this.#spare = null;
    this.#listen(fd);
  }

  close(): void {
    this.#closed = true;
    this.#server?.close();
    this.#server = null;
    if (this.#spare !== null) closeSync(this.#spare);
    this.#spare = null;
  }

  #listen(fd: number): void {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.on('connection', (socket) => this.#owner.accepted(socket, this.endpoint));
    server.on('error', (error) => this.#owner.acceptFailed(error, this.endpoint));
    server.listen({ fd }, this.#backlog);
    this.#server = server;
  }
}
