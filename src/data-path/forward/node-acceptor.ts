import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Endpoint, type IpAddress, ipOfPeer, isUnspecified } from '../../lib/ip.ts';
import type { ClientKey } from '../scheduler/types.ts';
import { NodePeek } from './node-peek.ts';
import { NodeRelay } from './node-relay.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { resetNow } from './socket-close.ts';
import type {
  Acceptor,
  AcceptorOwner,
  Arrival,
  Peek,
  PeekWatcher,
  Relay,
  RelayContext,
  RelayOwner,
} from './transport.ts';

/**
 * Accepts on one listening socket, and can stop doing so while clients wait in the kernel's backlog. Node has no
 * way to pause a net.Server but to close it, so the supervisor keeps the listening socket open and this one
 * owns a duplicate: `pause` closes that (the backlog stays with the socket) and asks for the next one.
 */
export class NodeAcceptor implements Acceptor {
  readonly #endpoint: Endpoint;
  readonly #owner: AcceptorOwner;
  readonly #backlog: number;
  readonly #buffers: ReadBuffers;
  #server: Server | null = null;
  /** Arrived while paused. */
  #spare: number | null = null;
  #paused = false;
  #closed = false;

  /** @param backlog listen(2) is called again by Node and would otherwise shrink it */
  constructor(endpoint: Endpoint, backlog: number, buffers: ReadBuffers, owner: AcceptorOwner) {
    this.#endpoint = endpoint;
    this.#backlog = backlog;
    this.#buffers = buffers;
    this.#owner = owner;
  }

  get descriptors(): number {
    return (this.#server === null ? 0 : 1) + (this.#spare === null ? 0 : 1);
  }

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
    this.#owner.wantListener(this.#endpoint);
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
    server.on('connection', (socket) => this.#accepted(socket));
    server.on('error', (error) => this.#owner.acceptFailed(error, this.#endpoint));
    server.listen({ fd }, this.#backlog);
    this.#server = server;
  }

  #accepted(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy(); // reset while it was in the backlog
      return;
    }
    const key = {
      source: ipOfPeer(remoteAddress),
      sourcePort: remotePort,
      destination: destinationOf(socket, this.#endpoint),
      destinationPort: this.#endpoint.port,
    };
    this.#owner.accepted(new NodeArrival(socket, key, this.#buffers));
  }
}

class NodeArrival implements Arrival {
  readonly key: ClientKey;
  readonly #socket: Socket;
  readonly #buffers: ReadBuffers;
  #peeked = false;

  constructor(socket: Socket, key: ClientKey, buffers: ReadBuffers) {
    this.key = key;
    this.#socket = socket;
    this.#buffers = buffers;
  }

  turnAway(): void {
    this.#socket.on('error', ignore);
    resetNow(this.#socket);
  }

  peek(watcher: PeekWatcher): Peek {
    this.#peeked = true;
    return new NodePeek(this.#socket, watcher);
  }

  relay(context: RelayContext, owner: RelayOwner): Relay {
    const client = { socket: this.#socket, untouched: !this.#peeked };
    return new NodeRelay(client, this.#buffers, context, owner);
  }
}

/** A wildcard listener learns from the socket which address the client wrote to. */
function destinationOf(socket: Socket, { address }: Endpoint): IpAddress {
  return isUnspecified(address) && socket.localAddress !== undefined
    ? ipOfPeer(socket.localAddress)
    : address;
}

function ignore(): void {}
