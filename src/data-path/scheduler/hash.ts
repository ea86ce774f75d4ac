import type { IpAddress } from '../../lib/ip.ts';
import type { ClientKey } from './types.ts';

/**
 * The hashes behind source-hash and maglev. Two nodes of different versions must agree on them, so they are
 * part of the interface: MurmurHash3_x86_32 (Appleby, public domain) over the bytes given here, with the
 * seeds given where they are used. Changing any of it moves every client.
 */

/** MurmurHash3_x86_32 of the first `length` bytes; an unsigned 32-bit number. */
export function murmur3(bytes: Uint8Array, seed: number, length: number = bytes.byteLength): number {
  let h = seed | 0;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const block =
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    h ^= scramble(block);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe654_6b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | (bytes[i] ?? 0);
  if (length > whole) h ^= scramble(tail);
  return finalize(h ^ length);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e_2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
}

function finalize(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const utf8 = new TextEncoder();

/** The hash of a backend's id in UTF-8. */
export function hashId(id: string, seed: number): number {
  return murmur3(utf8.encode(id), seed);
}

/** The hash of an address: its 4 or 16 bytes in network order. */
export function hashAddress(address: IpAddress, seed: number): number {
  return murmur3(address.bytes, seed);
}

/** The hash of a TLS server name, or of the client's address where there is none. */
export function hashServerName({ serverName, source }: ClientKey, seed: number): number {
  return serverName === undefined ? hashAddress(source, seed) : hashId(serverName, seed);
}

/** Source, source port, destination, destination port: two IPv6 addresses and two ports at most. */
const tuple = new Uint8Array(36);

/** The hash of both addresses and ports, in network order; the protocol is the service's and adds nothing. */
export function hashTuple(client: ClientKey, seed: number): number {
  let at = put(client.source.bytes, client.sourcePort, 0);
  at = put(client.destination.bytes, client.destinationPort, at);
  return murmur3(tuple, seed, at);
}

function put(address: Uint8Array, port: number, at: number): number {
  tuple.set(address, at);
  const end = at + address.byteLength;
  tuple[end] = port >>> 8;
  tuple[end + 1] = port & 0xff;
  return end + 2;
}
