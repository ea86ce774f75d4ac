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

function word(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** The mask of a hextet of which the first `bits` count. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff;
}
