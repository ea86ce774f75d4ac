import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'raw-socket';
import { ByteReader, ByteWriter, TruncatedError } from '../../lib/bytes.ts';
import { messageOf } from '../../lib/errors.ts';
import type { IpAddress } from '../../lib/ip.ts';
import { internetChecksum } from '../../vrrp/checksum.ts';
import { failed, failedBy, type ProbeOutcome, passed } from '../health/probe.ts';
import type { WitnessProbe } from './probe.ts';

/** Protocol numbers, and the types of echo request and reply: RFC 792 and RFC 4443, 4. */
const ECHO = {
  4: { protocol: 1, addressFamily: 1, request: 8, reply: 0 },
  6: { protocol: 58, addressFamily: 2, request: 128, reply: 129 },
} as const;
const COOKIE_BYTES = 16;

/**
 * One echo request and its reply. The cookie in it tells our replies from those of others on this host, and from
 * forged ones.
 */
export class IcmpProbe implements WitnessProbe {
  readonly #target: IpAddress;
  #socket: Socket | null = null;
  #cookie: Buffer = Buffer.alloc(0);
  #answered: () => void = () => undefined;

  constructor(target: IpAddress) {
    this.#target = target;
  }

  ask(signal: AbortSignal): Promise<ProbeOutcome> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(failed('timeout', 'no echo reply')), { once: true });
      this.#cookie = randomBytes(COOKIE_BYTES);
      this.#answered = () => resolve(passed('replies to echo requests'));
      try {
        const packet = Buffer.from(echoRequest(this.#target.family, this.#cookie));
        this.#open().send(packet, 0, packet.length, this.#target.text, (error) => {
          if (error !== null) resolve(failedBy(error, 'unreachable'));
        });
      } catch (error) {
        resolve(failed('local', messageOf(error)));
      }
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  #open(): Socket {
    if (this.#socket !== null) return this.#socket;
    const { protocol, addressFamily } = ECHO[this.#target.family];
    const socket = createSocket({ protocol, addressFamily, bufferSize: 2_048 });
    // the next request opens another one
    socket.on('error', () => this.close());
    socket.on('message', (packet) => {
      const cookie = replyCookie(this.#target.family, packet);
      if (cookie !== null && this.#cookie.equals(cookie)) this.#answered();
    });
    this.#socket = socket;
    return socket;
  }
}

/** The whole ICMP message; the kernel fills in ICMPv6's checksum. */
export function echoRequest(family: 4 | 6, cookie: Uint8Array): Uint8Array {
  const writer = new ByteWriter(8 + cookie.length).u8(ECHO[family].request).u8(0).u16(0).u16(0).u16(1);
  const message = writer.bytes(cookie).finish();
  if (family === 6) return message;
  return writer.patchU16(2, internetChecksum(message)).finish();
}

/** What a reply carries; null for anything else. Of IPv4 the kernel hands over the IP header as well. */
export function replyCookie(family: 4 | 6, packet: Uint8Array): Uint8Array | null {
  try {
    const reader = new ByteReader(packet);
    if (family === 4) {
      const first = reader.u8();
      if (first >> 4 !== 4) return null;
      reader.skip((first & 0x0f) * 4 - 1);
    }
    if (reader.u8() !== ECHO[family].reply || reader.u8() !== 0) return null;
    reader.skip(6);
    return reader.remaining === COOKIE_BYTES ? reader.bytes(COOKIE_BYTES) : null;
  } catch (error) {
    if (error instanceof TruncatedError) return null;
    throw error;
  }
}
