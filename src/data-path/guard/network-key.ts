import type { IpAddress } from '../../lib/ip.ts';

/** A network in a form that is quick to build and to look up: a number for IPv4, eight hextets for IPv6. */
export type NetworkKey = number | string;

/** The network of the first `length` bits of an address. Keys compare only with others of the same length. */
export function networkKey(address: IpAddress, length: number): NetworkKey {
  const { bytes } = address;
  if (address.family === 4) {
    const value = word(bytes, 0) * 0x1_0000 + word(bytes, 2);
    // a shift by 32 is a shift by 0 in JavaScript
    return length === 0 ? 0 : (value & (-1 << (32 - length))) >>> 0;
  }
  return String.fromCharCode(
    word(bytes, 0) & mask(length),
    word(bytes, 2) & mask(length - 16),
    word(bytes, 4) & mask(length - 32),
    word(bytes, 6) & mask(length - 48),
    word(bytes, 8) & mask(length - 64),
    word(bytes, 10) & mask(length - 80),
    word(bytes, 12) & mask(length - 96),
    word(bytes, 14) & mask(length - 112),
  );
}

/**
 * The same as four 32-bit words, into `words`; IPv4 as the mapped address, which no IPv6 client has: it would have been
 * taken for IPv4 (lib/ip.ts).
 */
export function networkWords({ family, bytes }: IpAddress, length: number, words: Int32Array): void {
  if (family === 4) {
    words[0] = 0;
    words[1] = 0;
    words[2] = 0xffff;
    words[3] = ((word(bytes, 0) << 16) | word(bytes, 2)) & wideMask(length);
    return;
  }
  for (let i = 0; i < 4; i++) {
    words[i] = ((word(bytes, 4 * i) << 16) | word(bytes, 4 * i + 2)) & wideMask(length - 32 * i);
  }
}

function word(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** The mask of a hextet of which the first `bits` count. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff;
}

/** The same of 32 bits; a shift by 32 would be a shift by 0. */
function wideMask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}
