import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { between, type Instant, seconds } from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import { formatEndpoint, ipOfPeer } from '../../lib/ip.ts';
import type { Emit } from '../../model/event.ts';
import type { PeerSpec } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import { Complaint } from '../complaint.ts';
import { type ChannelHandlers, PeerChannel } from './channel.ts';

/** One handover and one for reports, and each that was cut off and is being tried again. */
const MAX_CONNECTIONS = 6;
/** Failed proofs within the window; then nobody is listened to until it has passed. */
const MAX_FAILURES = 10;
const FAILURE_WINDOW = seconds(60);
const BACKLOG = 16;

export interface PeerServerOptions {
  readonly peer: PeerSpec;
  readonly secret: Uint8Array;
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** A connection that has not proved anything yet. */
  readonly onCaller: () => CallerHandlers;
}

export interface CallerHandlers extends Omit<ChannelHandlers, 'onOpen'> {
  readonly onOpen: (channel: PeerChannel) => void;
}

/** Listens for the other supervisor. Only its address is let in, and failed proofs are rate-limited. */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #complaint: Complaint;
  readonly #channels = new Set<PeerChannel>();
  #server: Server | null = null;
  #failures: Instant[] = [];

  constructor(options: PeerServerOptions) {
    this.#options = options;
    this.#complaint = new Complaint(options.clock, options.emit);
  }

  /** @throws NativeError when the address cannot be bound */
  listen(): Promise<void> {
    const { native, peer } = this.#options;
    const fd = native.openTcpListener({
      address: peer.listen.address.text,
      port: peer.listen.port,
      freebind: true,
      reusePort: false,
      backlog: BACKLOG,
    });
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = MAX_CONNECTIONS;
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd }, () => {
        server.removeListener('error', reject);
        server.on('error', (error) => this.#complain('listen', `the peer cannot call: ${messageOf(error)}`));
        resolve();
      });
    });
  }

  close(): void {
    this.#server?.close();
    this.#server = null;
    for (const channel of this.#channels) channel.close();
    this.#channels.clear();
  }

  #accept(socket: Socket): void {
    const from = socket.remoteAddress;
    const known = from !== undefined && ipOfPeer(from).text === this.#options.peer.address.text;
    if (!known || this.#isFlooded()) {
      // it may reset before it is destroyed
      socket.on('error', () => undefined);
      socket.destroy();
      if (!known) this.#complain('stranger', `a connection from ${from ?? 'nowhere'} was refused`);
      return;
    }
    this.#serve(socket);
  }

  #serve(socket: Socket): void {
    const { secret, clock, onCaller } = this.#options;
    const caller = onCaller();
    const channel: PeerChannel = new PeerChannel(
      socket,
      { role: 'responder', secret, clock },
      {
        onOpen: () => caller.onOpen(channel),
        onMessage: (message) => caller.onMessage(message),
        onEnd: (end) => {
          this.#channels.delete(channel);
          if (!end.trusted) this.#failed(end.why);
          caller.onEnd(end);
        },
      },
    );
    this.#channels.add(channel);
    socket.once('close', () => this.#channels.delete(channel));
  }

  #isFlooded(): boolean {
    const now = this.#options.clock.now();
    this.#failures = this.#failures.filter((at) => between(at, now) < FAILURE_WINDOW);
    return this.#failures.length >= MAX_FAILURES;
  }

  #failed(why: string): void {
    this.#failures.push(this.#options.clock.now());
    const { address } = this.#options.peer;
    this.#complain('proof', `a connection from the peer ${address.text} was refused: ${why}`);
  }

  #complain(subject: string, message: string): void {
    const { peer } = this.#options;
    const fields = { listen: formatEndpoint(peer.listen), peer: peer.address.text };
    this.#complaint.raise(subject, { level: 'warn', name: 'failover.peer', message, fields });
  }
}
