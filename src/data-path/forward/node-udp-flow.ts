import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import { closeSync } from 'node:fs';
import type { Instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { PoolMember } from '../../model/service.ts';
import type { ClientKey } from '../scheduler/types.ts';
import type { Source } from './transport.ts';
import { TableEntry } from './udp-flow-table.ts';
import type { UdpFlow } from './udp-transport.ts';

/**
 * Datagrams that wait for the upstream socket, which is ready within a turn or two of the event loop: what a
 * client that sends one a millisecond has sent when this process did not run for a while.
 */
const MAX_HELD = 256;
const MAX_HELD_BYTES = 128 * 1_024;

/** Where a flow's replies go. */
export interface UdpPeer {
  readonly socket: Socket;
  readonly address: string;
  readonly port: number;
}

/** A UDP socket on an address that this host does not have. @throws NativeError without the privilege */
export type OpenTransparent = (address: IpAddress) => number;

export interface FlowOwner {
  readonly openTransparent: OpenTransparent;
  reply(flow: NodeUdpFlow, datagram: Buffer): void;
  flowFailed(flow: NodeUdpFlow, error: Error): void;
  datagramDropped(): void;
  closeFlow(flow: NodeUdpFlow): void;
}

export interface FlowOptions {
  readonly key: string;
  readonly client: ClientKey;
  readonly listener: string;
  readonly peer: UdpPeer;
  readonly now: Instant;
  /** The owner's when it was last asked about this flow. */
  readonly epoch: number;
}

/** One client's flow to one backend at a time, each over a connected socket of its own. */
export class NodeUdpFlow extends TableEntry implements UdpFlow {
  readonly client: ClientKey;
  readonly listener: string;
  readonly peer: UdpPeer;
  lastUse: Instant;
  epoch: number;
  /** Its next datagram is to be asked about. */
  ask = false;
  answered = false;
  /** Where its bytes are counted. */
  slot = 0;
  readonly #owner: FlowOwner;
  #upstream: Socket | null = null;
  #ready = false;
  #broken = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #onSent = (error: Error | null): void => {
    if (error !== null && this.#ready) this.#owner.flowFailed(this, error);
  };

  constructor({ key, client, listener, peer, now, epoch }: FlowOptions, owner: FlowOwner) {
    super(key);
    this.client = client;
    this.listener = listener;
    this.peer = peer;
    this.lastUse = now;
    this.epoch = epoch;
    this.#owner = owner;
  }

  /** What is held goes there too. */
  connect({ endpoint: { address, port }, slot }: PoolMember, source: Source | null): void {
    this.#disconnect();
    this.slot = slot;
    this.answered = false;
    this.ask = false;
    this.#broken = false;
    const upstream = createSocket({ type: address.family === 6 ? 'udp6' : 'udp4', lookup: literal });
    this.#upstream = upstream;
    upstream.on('message', (datagram) => this.#owner.reply(this, datagram));
    upstream.on('error', (error) => this.#failed(error));
    upstream.on('connect', () => this.#flush());
    try {
      this.#leave(upstream, source);
      upstream.connect(port, address.text);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      // as every other failure: later
      process.nextTick(() => upstream.emit('error', failure));
    }
  }

  keep(): boolean {
    if (this.#upstream === null || this.#broken) return false;
    this.ask = false;
    return true;
  }

  send(datagram: Buffer): void {
    if (this.#ready) this.#upstream?.send(datagram, this.#onSent);
    else this.#hold(datagram);
  }

  close(): void {
    this.#disconnect();
    this.#owner.closeFlow(this);
  }

  /** Binds a socket to where it is to leave from, when that is not for the kernel to choose. */
  #leave(upstream: Socket, source: Source | null): void {
    if (source === null) return;
    if (source.transparent) bindTo(upstream, this.#owner.openTransparent(source.address));
    else upstream.bind({ address: source.address.text, exclusive: true });
  }

  #disconnect(): void {
    this.#ready = false;
    this.#upstream?.removeAllListeners();
    // a send or connect under way may still fail
    this.#upstream?.on('error', ignore);
    this.#upstream?.close();
    this.#upstream = null;
  }

  #failed(error: Error): void {
    this.#broken = !this.#ready;
    this.#owner.flowFailed(this, error);
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
