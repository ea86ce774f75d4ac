import { ByteReader, ByteWriter, TruncatedError } from '../lib/bytes.ts';
import { type IpAddress, ipFromBytes } from '../lib/ip.ts';
import { internetChecksum, onesComplementSum, pseudoHeaderSum } from './checksum.ts';

export const ETHERTYPE_IPV6 = 0x86dd;
/** ff02::1 */
export const ALL_NODES: IpAddress = ipFromBytes(
  Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
);

/** ff02::1:ff00:0/104 (RFC 4291, 2.7.1) */
const SOLICITED_NODE: IpAddress = ipFromBytes(
  Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0),
);

export const PROTOCOL_ICMPV6 = 58;
const TYPE_NEIGHBOUR_SOLICITATION = 135;
export const TYPE_NEIGHBOUR_ADVERTISEMENT = 136;
const OPTION_SOURCE_LINK_LAYER = 1;
const OPTION_TARGET_LINK_LAYER = 2;
const FLAG_ROUTER = 0x80;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;
/** RFC 4861, 7.1.2: a hop limit other than 255 has passed a router. */
export const HOP_LIMIT = 255;

/**
 * Neighbour Advertisement (RFC 4861, 4.4) in its frame, with the target link-layer address option:
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | destination MAC (6), source MAC (6), EtherType 0x86dd (2)     |
 * | IPv6 header (40): next header 58, hop limit 255               |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |  type = 136   |   code = 0    |           checksum            |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |R|S|O|                     reserved                            |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | target address (16), then type 2, length 1, target MAC (6)    |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */
export interface NeighbourAdvertisement {
  readonly etherSource: Uint8Array;
  readonly etherDestination: Uint8Array;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly target: IpAddress;
  /** The target link-layer address option; null when absent. */
  readonly targetMac: Uint8Array | null;
}

/** The whole Ethernet frame. */
export function encodeNeighbourAdvertisement(advertisement: NeighbourAdvertisement): Uint8Array {
  return frameOf(advertisement, encodeMessage(advertisement));
}

type Addresses = Pick<NeighbourAdvertisement, 'etherSource' | 'etherDestination' | 'source' | 'destination'>;

function frameOf(
  { etherSource, etherDestination, source, destination }: Addresses,
  message: Uint8Array,
): Uint8Array {
  return new ByteWriter(14 + 40 + message.length)
    .bytes(etherDestination)
    .bytes(etherSource)
    .u16(ETHERTYPE_IPV6)
    .u32(0x6000_0000)
    .u16(message.length)
    .u8(PROTOCOL_ICMPV6)
    .u8(HOP_LIMIT)
    .bytes(source.bytes)
    .bytes(destination.bytes)
    .bytes(message)
    .finish();
}

function encodeMessage(advertisement: NeighbourAdvertisement): Uint8Array {
  const { source, destination, router, solicited, override, target, targetMac } = advertisement;
  const flags =
    (router ? FLAG_ROUTER : 0) | (solicited ? FLAG_SOLICITED : 0) | (override ? FLAG_OVERRIDE : 0);
  const writer = new ByteWriter(32)
    .u8(TYPE_NEIGHBOUR_ADVERTISEMENT)
    .u8(0)
    .u16(0)
    .u8(flags)
    .bytes(new Uint8Array(3))
    .bytes(target.bytes);
  if (targetMac !== null) writer.u8(OPTION_TARGET_LINK_LAYER).u8(1).bytes(targetMac);
  const message = writer.finish();
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, message.length);
  return writer.patchU16(2, internetChecksum(message, pseudo)).finish();
}

/** Null for anything that is not a whole and correct Neighbour Advertisement; never throws. */
export function decodeNeighbourAdvertisement(frame: Uint8Array): NeighbourAdvertisement | null {
  try {
    return decodeFields(new ByteReader(frame));
  } catch (error) {
    if (error instanceof TruncatedError) return null;
    throw error;
  }
}

function decodeFields(reader: ByteReader): NeighbourAdvertisement | null {
  const etherDestination = Uint8Array.from(reader.bytes(6));
  const etherSource = Uint8Array.from(reader.bytes(6));
  if (reader.u16() !== ETHERTYPE_IPV6 || reader.u32() >>> 28 !== 6) return null;
  const length = reader.u16();
  if (reader.u8() !== PROTOCOL_ICMPV6 || reader.u8() !== HOP_LIMIT) return null;
  const source = ipFromBytes(reader.bytes(16));
  const destination = ipFromBytes(reader.bytes(16));
  const message = reader.bytes(length);
  if (source.family !== 6 || destination.family !== 6) return null;
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, length);
  if (onesComplementSum(message, pseudo) !== 0xffff) return null;
  const body = decodeMessage(new ByteReader(message));
  return body === null ? null : { etherSource, etherDestination, source, destination, ...body };
}

type Body = Pick<NeighbourAdvertisement, 'router' | 'solicited' | 'override' | 'target' | 'targetMac'>;

/**
 * An ICMPv6 message without its IPv6 header, as a raw socket hands it over: the kernel has checked the checksum,
 * the hop limit is the caller's to check. Null for anything else than an advertisement; never throws.
 */
export function decodeNeighbourMessage(message: Uint8Array): Body | null {
  try {
    return decodeMessage(new ByteReader(message));
  } catch (error) {
    if (error instanceof TruncatedError) return null;
    throw error;
  }
}

function decodeMessage(reader: ByteReader): Body | null {
  if (reader.u8() !== TYPE_NEIGHBOUR_ADVERTISEMENT || reader.u8() !== 0) return null;
  reader.skip(2);
  const flags = reader.u8();
  reader.skip(3);
  const target = ipFromBytes(reader.bytes(16));
  return {
    router: (flags & FLAG_ROUTER) !== 0,
    solicited: (flags & FLAG_SOLICITED) !== 0,
    override: (flags & FLAG_OVERRIDE) !== 0,
    target,
    targetMac: readTargetMac(reader),
  };
}

/** Walks the options (RFC 4861, 4.6: lengths in units of eight bytes, zero is invalid). */
function readTargetMac(reader: ByteReader): Uint8Array | null {
  let mac: Uint8Array | null = null;
  while (reader.remaining > 0) {
    const type = reader.u8();
    const units = reader.u8();
    if (units === 0) throw new TruncatedError(8, 0);
    const value = reader.bytes(units * 8 - 2);
    if (type === OPTION_TARGET_LINK_LAYER && units === 1) mac = Uint8Array.from(value);
  }
  return mac;
}

/** 33:33 and the last four bytes of the group (RFC 2464, 7). */
export function multicastMac6(group: IpAddress): Uint8Array {
  return Uint8Array.from([0x33, 0x33, ...group.bytes.subarray(12)]);
}

/**
 * "`address` is at `mac`", to everybody: R and O set, S clear, to ff02::1, from the address itself
 * (RFC 9568, 6.4.1; RFC 4861, 7.2.6).
 */
export function unsolicitedNeighbourAdvertisement(mac: Uint8Array, address: IpAddress): Uint8Array {
  return encodeNeighbourAdvertisement({
    etherSource: mac,
    etherDestination: multicastMac6(ALL_NODES),
    source: address,
    destination: ALL_NODES,
    router: true,
    solicited: false,
    override: true,
    target: address,
    targetMac: mac,
  });
}

/**
 * "Who has `target`?" (RFC 4861, 4.3), to its solicited-node group. From a real link-local address on purpose:
 * one from "::" is a part of duplicate address detection and would take a tentative address off its host.
 */
export function neighbourSolicitation(mac: Uint8Array, source: IpAddress, target: IpAddress): Uint8Array {
  const group = Uint8Array.from(SOLICITED_NODE.bytes);
  group.set(target.bytes.subarray(13), 13);
  const destination = ipFromBytes(group);
  const writer = new ByteWriter(32).u8(TYPE_NEIGHBOUR_SOLICITATION).u8(0).u16(0).u32(0).bytes(target.bytes);
  const message = writer.u8(OPTION_SOURCE_LINK_LAYER).u8(1).bytes(mac).finish();
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, message.length);
  const sum = internetChecksum(message, pseudo);
  const addresses = { etherSource: mac, etherDestination: multicastMac6(destination), source, destination };
  return frameOf(addresses, writer.patchU16(2, sum).finish());
}
