import { randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import type { Clock, Timer } from '../../lib/clock.ts';
import { millis, seconds } from '../../lib/duration.ts';
import { errnoOf, messageOf, unreachable } from '../../lib/errors.ts';
import { formatHostPort } from '../../lib/ip.ts';
import type { PeerSpec } from '../../model/failover.ts';
import { decodeMessage, encodeMessage, type PeerMessage } from './messages.ts';
import { NONCE_BYTES, Session, type SessionOutput, type SessionRole } from './session.ts';

/** From the connection's beginning to its proof. */
const HANDSHAKE_LIMIT = seconds(2);
/** A handover takes less than a second; what takes this long hangs. */
const LIFE_LIMIT = seconds(60);
/** For the last message to leave. */
const CLOSE_GRACE = millis(500);
/** What a peer that does not read may leave in our memory. */
const MAX_UNSENT = 262_144;

const OTHER_KEY = 'it has another key: secret_file must be the same on both nodes';

export interface ChannelEnd {
  /** Why, for people. */
  readonly why: string;
  /** False when the other end could not prove that it knows the key, or spoke something else. */
  readonly trusted: boolean;
}

export interface ChannelHandlers {
  /** Both sides have proved that they know the key. */
  readonly onOpen: () => void;
  readonly onMessage: (message: PeerMessage) => void;
  /** Once, whatever happened, unless `close` was called before. */
  readonly onEnd: (end: ChannelEnd) => void;
}

/** One authenticated connection between two supervisors: the socket and the timers around a session. */
export class PeerChannel {
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #handlers: ChannelHandlers;
  #limit: Timer;
  #ended = false;
  #failure: string | null = null;

  constructor(
    socket: Socket,
    options: { readonly role: SessionRole; readonly secret: Uint8Array; readonly clock: Clock },
    handlers: ChannelHandlers,
  ) {
    const { role, secret, clock } = options;
    this.#socket = socket;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#session = new Session({ role, secret, nonce: randomBytes(NONCE_BYTES) });
    this.#limit = clock.timerAfter(HANDSHAKE_LIMIT, () => this.#end('it does not answer', true));
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#perform(this.#session.receive(chunk)));
    socket.on('error', (error) => {
      this.#failure = errnoOf(error) ?? messageOf(error);
    });
    socket.once('close', () => this.#end(this.#failure ?? 'the connection was closed', true));
    this.#perform(this.#session.start());
  }

  /** Only while open; afterwards it is dropped, for `onEnd` has told everything. */
  send(message: PeerMessage): void {
    if (this.#ended) return;
    this.#write(this.#session.seal(encodeMessage(message)));
  }

  /** Sends what is left and hangs up; no handler is called any more. Idempotent. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#limit.cancel();
    this.#hangUp();
  }

  #perform(outputs: readonly SessionOutput[]): void {
    for (const output of outputs) {
      if (this.#ended) return;
      switch (output.type) {
        case 'send':
          this.#write(output.bytes);
          break;
        case 'established':
          this.#limit.cancel();
          this.#limit = this.#clock.timerAfter(LIFE_LIMIT, () => this.#end('it takes too long', true));
          this.#handlers.onOpen();
          break;
        case 'message':
          this.#heard(output.text);
          break;
        case 'fault':
          this.#end(output.fault === 'secret' ? OTHER_KEY : 'it speaks another protocol', false);
          break;
        default:
          unreachable(output);
      }
    }
  }

  #heard(text: string): void {
    const message = decodeMessage(text);
    if (message === undefined) this.#end('it speaks another version of the protocol', false);
    else this.#handlers.onMessage(message);
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.writableLength > MAX_UNSENT) this.#end('it does not read', true);
    else this.#socket.write(bytes);
  }

  #end(why: string, trusted: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#limit.cancel();
    this.#hangUp();
    this.#handlers.onEnd({ why, trusted });
  }

  #hangUp(): void {
    if (this.#socket.destroyed) return;
    const grace = this.#clock.timerAfter(CLOSE_GRACE, () => this.#socket.destroy());
    this.#socket.once('close', () => grace.cancel());
    this.#socket.end();
  }
}

/** Calls the peer; a failure comes as `onEnd`, never as an exception. */
export function connectPeer(
  { address, port }: PeerSpec,
  options: { readonly secret: Uint8Array; readonly clock: Clock },
  handlers: ChannelHandlers,
): PeerChannel {
  const where = formatHostPort(address.text, port);
  const socket = createConnection({ host: address.text, port });
  return new PeerChannel(
    socket,
    { role: 'initiator', ...options },
    { ...handlers, onEnd: ({ why, trusted }) => handlers.onEnd({ why: `${where}: ${why}`, trusted }) },
  );
}
