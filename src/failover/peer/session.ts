import { createHmac, timingSafeEqual } from 'node:crypto';
import { encodeFrame, FrameError, FrameReader, MAX_FRAME } from './frame.ts';

/**
 * The session between two supervisors that share a key, as a state machine over bytes: no socket, no timer.
 *
 *   initiator -> responder   HELLO nonce_i
 *   responder -> initiator   HELLO nonce_r HMAC(key, "responder" transcript)
 *   initiator -> responder   HMAC(key, "initiator" transcript)
 *   then either way          text HMAC(key of the direction, number text)
 *
 * Each side proves that it has the key over both nonces, so that a recorded session convinces nobody; each
 * direction has a key of its own, so that a message cannot be sent back; messages are numbered, so that none
 * can be repeated, left out or reordered. Nothing is encrypted: the messages hold nothing secret.
 */

export const NONCE_BYTES = 32;
const MAC_BYTES = 32;
const HELLO = Buffer.from('TdPeer\x00\x01', 'latin1');
const HELLO_BYTES = HELLO.byteLength + NONCE_BYTES;
const LABEL = 'tandem peer 1';
/** The longest text of a message, in bytes. */
export const MAX_TEXT = MAX_FRAME - MAC_BYTES;

export type SessionRole = 'initiator' | 'responder';

/** `protocol`: the other end is no Tandem of this version; `secret`: it has another key, or is nobody we know. */
export type SessionFault = 'protocol' | 'secret';

export type SessionOutput =
  | { readonly type: 'send'; readonly bytes: Uint8Array }
  /** Both sides have proved that they know the key. */
  | { readonly type: 'established' }
  | { readonly type: 'message'; readonly text: string }
  /** The session is over: close the connection, believe nothing that follows. */
  | { readonly type: 'fault'; readonly fault: SessionFault };

export interface SessionOptions {
  readonly role: SessionRole;
  readonly secret: Uint8Array;
  /** Random, `NONCE_BYTES` long, used once. */
  readonly nonce: Uint8Array;
}

type Step = 'hello' | 'proof' | 'open' | 'dead';

export class Session {
  readonly #role: SessionRole;
  readonly #secret: Uint8Array;
  readonly #hello: Buffer;
  readonly #reader = new FrameReader();
  #step: Step = 'hello';
  #transcript: Buffer = Buffer.alloc(0);
  #sendKey: Uint8Array = Buffer.alloc(0);
  #receiveKey: Uint8Array = Buffer.alloc(0);
  #sent = 0n;
  #received = 0n;

  constructor({ role, secret, nonce }: SessionOptions) {
    if (nonce.byteLength !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes`);
    this.#role = role;
    this.#secret = secret;
    this.#hello = Buffer.concat([HELLO, nonce]);
  }

  /** What the initiator sends first; nothing for a responder. */
  start(): SessionOutput[] {
    return this.#role === 'initiator' ? [send(this.#hello)] : [];
  }

  /** Bytes from the other end, in any portions. */
  receive(chunk: Uint8Array): SessionOutput[] {
    if (this.#step === 'dead') return [];
    const outputs: SessionOutput[] = [];
    try {
      for (const body of this.#reader.push(chunk)) {
        outputs.push(...this.#take(Buffer.from(body)));
        if (outputs.at(-1)?.type === 'fault') return outputs;
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      outputs.push(this.#fail('protocol'));
    }
    return outputs;
  }

  /**
   * A message as the bytes to send, once the session is established.
   * @throws RangeError before that, after a fault, and for more than `MAX_TEXT` bytes
   */
  seal(text: string): Uint8Array {
    if (this.#step !== 'open') throw new RangeError('the session is not open');
    const body = Buffer.from(text, 'utf8');
    if (body.byteLength > MAX_TEXT) throw new RangeError(`a message of ${body.byteLength} bytes`);
    return encodeFrame(Buffer.concat([body, numbered(this.#sendKey, this.#sent++, body)]));
  }

  #take(body: Buffer): SessionOutput[] {
    if (this.#step === 'open') return [this.#open(body)];
    if (this.#step === 'proof') return [this.#proof(body)];
    return this.#role === 'initiator' ? this.#answer(body) : this.#greeting(body);
  }

  /** Responder: the initiator's hello. */
  #greeting(body: Buffer): SessionOutput[] {
    if (!isHello(body) || body.byteLength !== HELLO_BYTES) return [this.#fail('protocol')];
    const proof = mac(this.#secret, 'responder', Buffer.concat([body, this.#hello]));
    const answer = Buffer.concat([this.#hello, proof]);
    this.#transcript = Buffer.concat([body, answer]);
    this.#step = 'proof';
    return [send(answer)];
  }

  /** Initiator: the responder's hello with its proof. */
  #answer(body: Buffer): SessionOutput[] {
    if (!isHello(body) || body.byteLength !== HELLO_BYTES + MAC_BYTES) return [this.#fail('protocol')];
    const hello = body.subarray(0, HELLO_BYTES);
    const expected = mac(this.#secret, 'responder', Buffer.concat([this.#hello, hello]));
    if (!timingSafeEqual(expected, body.subarray(HELLO_BYTES))) return [this.#fail('secret')];
    this.#transcript = Buffer.concat([this.#hello, body]);
    const proof = mac(this.#secret, 'initiator', this.#transcript);
    this.#establish();
    return [send(proof), { type: 'established' }];
  }

  /** Responder: the initiator's proof. */
  #proof(body: Buffer): SessionOutput {
    if (body.byteLength !== MAC_BYTES) return this.#fail('protocol');
    const expected = mac(this.#secret, 'initiator', this.#transcript);
    if (!timingSafeEqual(expected, body)) return this.#fail('secret');
    this.#establish();
    return { type: 'established' };
  }

  #open(body: Buffer): SessionOutput {
    const split = body.byteLength - MAC_BYTES;
    if (split < 0) return this.#fail('protocol');
    const text = body.subarray(0, split);
    const expected = numbered(this.#receiveKey, this.#received, text);
    if (!timingSafeEqual(expected, body.subarray(split))) return this.#fail('secret');
    this.#received++;
    return { type: 'message', text: text.toString('utf8') };
  }

  #establish(): void {
    const initiator = mac(this.#secret, 'key of the initiator', this.#transcript);
    const responder = mac(this.#secret, 'key of the responder', this.#transcript);
    const isInitiator = this.#role === 'initiator';
    this.#sendKey = isInitiator ? initiator : responder;
    this.#receiveKey = isInitiator ? responder : initiator;
    this.#step = 'open';
  }

  #fail(fault: SessionFault): SessionOutput {
    this.#step = 'dead';
    return { type: 'fault', fault };
  }
}

const send = (body: Uint8Array): SessionOutput => ({ type: 'send', bytes: encodeFrame(body) });

const isHello = (body: Buffer): boolean => HELLO.equals(body.subarray(0, HELLO.byteLength));

function mac(key: Uint8Array, purpose: string, data: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${LABEL} ${purpose}\0`).update(data).digest();
}

function numbered(key: Uint8Array, number: bigint, text: Uint8Array): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64BE(number);
  return mac(key, 'message', Buffer.concat([prefix, text]));
}
