import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createConnection, type Socket } from 'node:net';
import type { Tally } from './tally.ts';
import type { Target } from './target.ts';

/** Before the kernel repeats a SYN, whose late answer would hide the loss of the first. */
const CONNECT_LIMIT_MS = 950;
/** Enough for a probe every millisecond. */
const MAX_OPEN = 1_000;
/** Silent connections are asked by the kernel whether they live, so that a lost one is known within seconds. */
const KEEPALIVE_MS = 1_000;
const RECEIVE_BUFFER = 4_194_304;

/** Something that sends a probe when it is told to. */
export interface Prober {
  probe(): void;
  close(): void;
}

const now = (): number => performance.now();

/** A connection a probe: opened, and reset as soon as it is there. */
export class TcpProber implements Prober {
  readonly #target: Target;
  readonly #tally: Tally;
  readonly #open = new Set<Socket>();

  constructor(target: Target, tally: Tally) {
    this.#target = target;
    this.#tally = tally;
  }

  probe(): void {
    if (this.#open.size >= MAX_OPEN) return;
    const { address, port } = this.#target.endpoint;
    const socket = createConnection({ host: address.text, port });
    const limit = setTimeout(() => socket.destroy(), CONNECT_LIMIT_MS);
    this.#open.add(socket);
    this.#tally.sent();
    socket.once('connect', () => {
      this.#tally.answer(now(), Date.now());
      // no TIME_WAIT for a probe
      socket.resetAndDestroy();
    });
    // what failed is a probe that was not answered, whatever the reason
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(limit);
      this.#open.delete(socket);
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

/** Datagrams of one client to a service that answers each; what else it sends counts as an answer, too. */
export class UdpProber implements Prober {
  readonly #target: Target;
  readonly #tally: Tally;
  readonly #payload: Buffer;
  readonly #socket: UdpSocket;

  constructor(target: Target, tally: Tally, payload: Buffer) {
    this.#target = target;
    this.#tally = tally;
    this.#payload = payload;
    const type = target.endpoint.address.family === 6 ? 'udp6' : 'udp4';
    this.#socket = createSocket({ type, recvBufferSize: RECEIVE_BUFFER });
    this.#socket.on('message', () => tally.answer(now(), Date.now()));
    // an ICMP error is no answer
    this.#socket.on('error', () => undefined);
  }

  probe(): void {
    const { address, port } = this.#target.endpoint;
    this.#tally.sent();
    this.#socket.send(this.#payload, port, address.text, () => undefined);
  }

  close(): void {
    this.#socket.close();
  }
}

/** A connection that is held without a word, to see whether it lives through the move. */
export class HeldConnection {
  readonly #socket: Socket;
  #state: 'opening' | 'open' | 'gone' = 'opening';

  constructor({ endpoint: { address, port } }: Target) {
    this.#socket = createConnection({
      host: address.text,
      port,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    });
    this.#socket.once('connect', () => {
      this.#state = 'open';
    });
    for (const end of ['error', 'end', 'close'] as const) {
      this.#socket.on(end, () => {
        this.#state = 'gone';
      });
    }
    this.#socket.resume();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  close(): void {
    this.#socket.destroy();
  }
}
