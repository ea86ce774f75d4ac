import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import { closeSync } from 'node:fs';
import type { Instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { PoolMember } from '../../model/service.ts';
import type { Ticket } from '../guard/types.ts';
import type { Source } from './transport.ts';
import { TableEntry } from './udp-session-table.ts';

/**
 * Datagrams that wait for the upstream socket, which is ready within a turn or two of the event loop: what a
 * client that sends one a millisecond has sent when this process did not run for a while.
 */
const MAX_HELD = 256;
const MAX_HELD_BYTES = 128 * 1_024;

/** Where a session's replies go. */
export interface UdpClient {
  readonly socket: Socket;
  readonly address: string;
  readonly port: number;
}

export interface UdpSessionOwner {
  /** Where its upstream socket leaves from; null lets the kernel choose. */
  leaveFrom(session: UdpSession): Source | null;
  /** A UDP socket on an address that this host does not have. @throws NativeError without the privilege */
  openTransparent(address: IpAddress): number;
  reply(session: UdpSession, datagram: Buffer): void;
  upstreamFailed(session: UdpSession, error: Error): void;
  datagramDropped(): void;
  sessionExpired(session: UdpSession, now: Instant): void;
}

/** One client's flow to one backend at a time, each over a connected socket of its own. */
export class UdpSession extends TableEntry {
  readonly client: UdpClient;
  readonly ticket: Ticket;
  readonly #owner: UdpSessionOwner;
  member: PoolMember;
  /** Version of the backend set under which `member` was last found good. */
  checked: number;
  /** Has the present backend answered? */
  answered = false;
  /** The present backend was unreachable: the next datagram looks for another one. */
  unreachable = false;
  #upstream: Socket | null = null;
  #ready = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #onSent = (error: Error | null): void => {
    if (error !== null && this.#ready) this.#owner.upstreamFailed(this, error);
  };

  /** Call `open` once the session can be found: errors may come from within it. */
  constructor(options: {
    readonly key: string;
    readonly client: UdpClient;
    readonly ticket: Ticket;
    readonly member: PoolMember;
    readonly checked: number;
    readonly owner: UdpSessionOwner;
  }) {
    super(options.key);
    this.client = options.client;
    this.ticket = options.ticket;
    this.member = options.member;
    this.checked = options.checked;
    this.#owner = options.owner;
  }

  /** Binds a socket to where it is to leave from, when that is not for the kernel to choose. */
  #leave(upstream: Socket): void {
    const source = this.#owner.leaveFrom(this);
    if (source === null) return;
    if (source.transparent) bindTo(upstream, this.#owner.openTransparent(source.address));
    else upstream.bind({ address: source.address.text, exclusive: true });
  }

  /** Connects to `member`. The session has no upstream socket before the call. */
  open(): void {
    const { address, port } = this.member.endpoint;
    const upstream = createSocket({ type: address.family === 6 ? 'udp6' : 'udp4', lookup: literal });
    this.#upstream = upstream;
    upstream.on('message', (datagram) => this.#owner.reply(this, datagram));
    upstream.on('error', (error) => this.#owner.upstreamFailed(this, error));
    upstream.on('connect', () => this.#flush());
    try {
      this.#leave(upstream);
      upstream.connect(port, address.text);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      // as every other failure: once the session can be found
      process.nextTick(() => upstream.emit('error', failure));
    }
  }

  send(datagram: Buffer): void {
    if (this.#ready) this.#upstream?.send(datagram, this.#onSent);
    else this.#hold(datagram);
  }

  /** Goes on with another backend; what is held goes there too. */
  move(member: PoolMember): void {
    this.close();
    this.member = member;
    this.answered = false;
    this.unreachable = false;
    this.open();
  }

  close(): void {
    this.#ready = false;
    this.#upstream?.removeAllListeners();
    // a send or connect under way may still fail
    this.#upstream?.on('error', ignore);
    this.#upstream?.close();
    this.#upstream = null;
  }

  override expire(now: Instant): void {
    this.#owner.sessionExpired(this, now);
  }

  #flush(): void {
    this.#ready = true;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const datagram of held) this.send(datagram);
  }

  #hold(datagram: Buffer): void {
    if (this.#held.length >= MAX_HELD || this.#heldBytes + datagram.length > MAX_HELD_BYTES) {
      this.#owner.datagramDropped();
      return;
    }
    this.#held.push(datagram);
    this.#heldBytes += datagram.length;
  }
}

/** The descriptor is the socket's from here on, or closed. */
function bindTo(upstream: Socket, fd: number): void {
  try {
    upstream.bind({ fd });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Addresses are never names here, and dns.lookup would cost every datagram a turn of the event loop. */
export const literal: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, address.includes(':') ? 6 : 4);

function ignore(): void {}
