import { ByteWriter } from '../lib/bytes.ts';
import type { IpAddress } from '../lib/ip.ts';

/** IP protocol number of VRRP (RFC 9568, 5.1.1.4). */
export const VRRP_PROTOCOL = 112;

/** One's complement sum of 16-bit words, odd lengths padded with zero (RFC 1071); `initial` chains buffers. */
export function onesComplementSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** The Internet checksum over `bytes`, whose own checksum field must be zero. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~onesComplementSum(bytes, initial) & 0xffff;
}

/**
 * Sum of the pseudo-header of `length` bytes of `protocol` between two addresses of one family: RFC 8200,
 * 8.1 for IPv6; for IPv4 the form of RFC 793, which RFC 5798 (5.2.8) asks for and RFC 9568 does not.
 */
export function pseudoHeaderSum(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  length: number,
): number {
  const header = new ByteWriter(40).bytes(source.bytes).bytes(destination.bytes);
  if (source.family === 4) header.u8(0).u8(protocol).u16(length);
  else header.u32(length).u8(0).u8(0).u8(0).u8(protocol);
  return onesComplementSum(header.finish());
}
