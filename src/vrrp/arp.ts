import { ByteReader, ByteWriter, TruncatedError } from '../lib/bytes.ts';
import { type IpAddress, ipFromBytes } from '../lib/ip.ts';

export const ETHERTYPE_ARP = 0x0806;
export const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(0xff);

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const OP_REQUEST = 1;
const OP_REPLY = 2;

/**
 * ARP for IPv4 over Ethernet (RFC 826), in its frame:
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | destination MAC (6), source MAC (6), EtherType 0x0806 (2)     |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |   hardware type = Ethernet    |     protocol type = IPv4      |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | hw length = 6 | proto len = 4 |           operation           |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | sender MAC (6), sender IPv4 (4), target MAC (6), target IPv4  |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */
export interface ArpFrame {
  readonly etherSource: Uint8Array;
  readonly etherDestination: Uint8Array;
  readonly operation: 'request' | 'reply';
  readonly senderMac: Uint8Array;
  readonly senderIp: IpAddress;
  readonly targetMac: Uint8Array;
  readonly targetIp: IpAddress;
}

/** The whole Ethernet frame. */
export function encodeArp(frame: ArpFrame): Uint8Array {
  return new ByteWriter(42)
    .bytes(frame.etherDestination)
    .bytes(frame.etherSource)
    .u16(ETHERTYPE_ARP)
    .u16(HARDWARE_ETHERNET)
    .u16(PROTOCOL_IPV4)
    .u8(6)
    .u8(4)
    .u16(frame.operation === 'request' ? OP_REQUEST : OP_REPLY)
    .bytes(frame.senderMac)
    .bytes(frame.senderIp.bytes)
    .bytes(frame.targetMac)
    .bytes(frame.targetIp.bytes)
    .finish();
}

/** Null for anything that is not a whole ARP frame for IPv4 over Ethernet; never throws. */
export function decodeArp(frame: Uint8Array): ArpFrame | null {
  try {
    return decodeFields(new ByteReader(frame));
  } catch (error) {
    if (error instanceof TruncatedError) return null;
    throw error;
  }
}

function decodeFields(reader: ByteReader): ArpFrame | null {
  const etherDestination = Uint8Array.from(reader.bytes(6));
  const etherSource = Uint8Array.from(reader.bytes(6));
  if (reader.u16() !== ETHERTYPE_ARP) return null;
  if (reader.u16() !== HARDWARE_ETHERNET || reader.u16() !== PROTOCOL_IPV4) return null;
  if (reader.u8() !== 6 || reader.u8() !== 4) return null;
  const operation = reader.u16();
  if (operation !== OP_REQUEST && operation !== OP_REPLY) return null;
  return {
    etherSource,
    etherDestination,
    operation: operation === OP_REQUEST ? 'request' : 'reply',
    senderMac: Uint8Array.from(reader.bytes(6)),
    senderIp: ipFromBytes(reader.bytes(4)),
    targetMac: Uint8Array.from(reader.bytes(6)),
    targetIp: ipFromBytes(reader.bytes(4)),
  };
}

/**
 * "`address` is at `mac`", to everybody: a broadcast request with sender = target = the address (RFC 5227, 3),
 * and a target MAC of ones as keepalived and FRR send it. RFC 9568, 6.4.1 wants it when becoming Active.
 */
export function gratuitousArp(mac: Uint8Array, address: IpAddress): Uint8Array {
  return encodeArp({
    etherSource: mac,
    etherDestination: BROADCAST_MAC,
    operation: 'request',
    senderMac: mac,
    senderIp: address,
    targetMac: BROADCAST_MAC,
    targetIp: address,
  });
}

/** "Who has `address`?" (RFC 826), asked from an address of the sender's own; null claims none, as a probe does. */
export function arpRequest(mac: Uint8Array, source: IpAddress | null, address: IpAddress): Uint8Array {
  return encodeArp({
    etherSource: mac,
    etherDestination: BROADCAST_MAC,
    operation: 'request',
    senderMac: mac,
    senderIp: source ?? ipFromBytes(new Uint8Array(4)),
    targetMac: new Uint8Array(6),
    targetIp: address,
  });
}

/** "Who has `address`?" without claiming it or anything else: an ARP Probe (RFC 5227, 2.1.1). */
export function arpProbe(mac: Uint8Array, address: IpAddress): Uint8Array {
  return arpRequest(mac, null, address);
}
