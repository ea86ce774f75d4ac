import { ByteReader, ByteWriter, TruncatedError } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { type Endpoint, type IpAddress, type IpFamily, ipFromBytes, parseIp } from './ip.ts';

/*
 * The PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt), which tells a server who the client of a
 * relayed connection is. Version 1 is one line of at most 107 bytes:
 *
 *   PROXY TCP4 192.0.2.1 198.51.100.7 51234 443\r\n
 *   PROXY UNKNOWN ... \r\n
 *
 * Version 2 is binary:
 *
 *   +------------------------------------------------------------------+
 *   | signature: 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A        (12 bytes) |
 *   | version 4 bits = 2 | command 4 bits | family 4 | transport 4     |
 *   | length of what follows                               (16 bits)   |
 *   | source address, destination address, source port, destination    |
 *   | TLV: type (8) | length (16) | value ...                           |
 *   +------------------------------------------------------------------+
 */

/** A line of text, or binary with TLVs. */
export type ProxyVersion = 1 | 2;

/** Why what a client sent first is no PROXY header. */
export const PROXY_FAULTS = ['not-proxy', 'malformed', 'too-long', 'checksum'] as const;
export type ProxyFault = (typeof PROXY_FAULTS)[number];

export interface ProxyHeader {
  readonly version: ProxyVersion;
  /** Null for LOCAL (a health check of the sender's own), UNKNOWN, and families that TCP does not have. */
  readonly addresses: ProxyAddresses | null;
  /** Version 2's TLVs as they came, well formed; empty for version 1. */
  readonly tlvs: Uint8Array;
}

/** Both of one family. */
export interface ProxyAddresses {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

export type ProxyDecoded =
  /** All bytes so far could begin a header. */
  | { readonly status: 'incomplete' }
  | { readonly status: 'fault'; readonly fault: ProxyFault }
  /** The header takes the first `length` bytes. */
  | { readonly status: 'complete'; readonly length: number; readonly header: ProxyHeader };

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V1_BEGIN = Buffer.from('PROXY ', 'latin1');
/** Section 2.1, with the line's end. */
export const V1_MAX = 107;
const V2_FIXED = 16;
/**
 * Longer version 2 headers are refused: addresses take 36 bytes, and senders' TLVs (a certificate's subject at most)
 * stay far below. It bounds what a connection costs before it is known who it is.
 */
export const V2_MAX = 4_096;

const COMMAND = { local: 0, proxy: 1 } as const;
const FAMILY = { inet: 1, inet6: 2 } as const;
const STREAM = 1;
/** Section 2.2.3 and 2.2.4. */
const TLV = { crc32c: 0x03, noop: 0x04 } as const;

const INCOMPLETE: ProxyDecoded = { status: 'incomplete' };
const fault = (reason: ProxyFault): ProxyDecoded => ({ status: 'fault', fault: reason });

/** Reads a header of either version from the first bytes of a connection; they may be any bytes at all. */
export function decodeProxyHeader(bytes: Uint8Array): ProxyDecoded {
  if (bytes.length === 0) return INCOMPLETE;
  if (begins(bytes, SIGNATURE)) return bytes.length < V2_FIXED ? INCOMPLETE : decodeV2(bytes);
  if (begins(bytes, V1_BEGIN)) return decodeV1(bytes);
  return fault('not-proxy');
}

/** As far as there are bytes of both. */
function begins(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

function decodeV1(bytes: Uint8Array): ProxyDecoded {
  const line = bytes.subarray(0, V1_MAX);
  const end = line.indexOf(0x0a);
  if (end < 0) return bytes.length < V1_MAX ? INCOMPLETE : fault('too-long');
  if (line[end - 1] !== 0x0d) return fault('malformed');
  const text = Buffer.from(line.subarray(0, end - 1)).toString('latin1');
  const complete = (addresses: ProxyAddresses | null): ProxyDecoded => ({
    status: 'complete',
    length: end + 1,
    header: { version: 1, addresses, tlvs: new Uint8Array(0) },
  });
  if (/^PROXY UNKNOWN(?: |$)/.test(text)) return complete(null);
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\S+) (\S+)$/.exec(text);
  if (match === null) return fault('malformed');
  const [, digit, from = '', to = '', fromPort = '', toPort = ''] = match;
  const family: IpFamily = digit === '4' ? 4 : 6;
  const source = endpointOf(family, from, fromPort);
  const destination = endpointOf(family, to, toPort);
  if (source === null || destination === null) return fault('malformed');
  return complete({ source, destination });
}

function endpointOf(family: IpFamily, text: string, port: string): Endpoint | null {
  const address = parseIp(text);
  // "TCP6 ::ffff:10.0.0.1" is IPv4 behind a dual-stack socket, and well formed
  if (address === undefined || text.includes(':') !== (family === 6)) return null;
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return null;
  return { address, port: Number(port) };
}

function decodeV2(bytes: Uint8Array): ProxyDecoded {
  const reader = new ByteReader(bytes);
  reader.skip(SIGNATURE.length);
  const versionCommand = reader.u8();
  const familyTransport = reader.u8();
  const length = V2_FIXED + reader.u16();
  const command = versionCommand & 0x0f;
  if (versionCommand >> 4 !== 2 || command > COMMAND.proxy) return fault('malformed');
  if (length > V2_MAX) return fault('too-long');
  if (bytes.length < length) return INCOMPLETE;
  const header = bytes.subarray(0, length);
  try {
    const body = new ByteReader(header.subarray(V2_FIXED));
    // section 2.2: of LOCAL the family is ignored and the block discarded, whatever they are
    if (command === COMMAND.local) body.skip(body.remaining);
    const addresses = command === COMMAND.local ? null : addressesOf(body, familyTransport);
    const tlvs = body.bytes(body.remaining);
    const objection = tlvFault(header, tlvs);
    if (objection !== null) return fault(objection);
    return { status: 'complete', length, header: { version: 2, addresses, tlvs: Uint8Array.from(tlvs) } };
  } catch (error) {
    // the length says less than the addresses need
    if (error instanceof TruncatedError) return fault('malformed');
    throw error;
  }
}

/** Takes the address block; for AF_UNSPEC and AF_UNIX the receiver must ignore what it holds (section 2.2). */
function addressesOf(body: ByteReader, familyTransport: number): ProxyAddresses | null {
  const family = familyTransport >> 4;
  if (family !== FAMILY.inet && family !== FAMILY.inet6) {
    // nothing says where the TLVs begin in AF_UNSPEC; AF_UNIX has two names of 108 bytes
    body.skip(family === 3 ? 216 : body.remaining);
    return null;
  }
  const size = family === FAMILY.inet ? 4 : 16;
  const from = ipFromBytes(body.bytes(size));
  const to = ipFromBytes(body.bytes(size));
  const source = { address: from, port: body.u16() };
  const destination = { address: to, port: body.u16() };
  return (familyTransport & 0x0f) === STREAM ? { source, destination } : null;
}

/** Every TLV within the header, and the checksum right where there is one (section 2.2.3: verified if present). */
function tlvFault(header: Uint8Array, tlvs: Uint8Array): ProxyFault | null {
  for (const { type, value } of eachTlv(tlvs)) {
    if (type !== TLV.crc32c) continue;
    if (value.length !== 4) return 'malformed';
    const blanked = Uint8Array.from(header);
    const at = value.byteOffset - header.byteOffset;
    blanked.fill(0, at, at + 4);
    if (crc32c(blanked) !== new ByteReader(value).u32()) return 'checksum';
  }
  return null;
}

/** @throws TruncatedError when one of them is longer than what there is */
function* eachTlv(tlvs: Uint8Array): Generator<{ readonly type: number; readonly value: Uint8Array }> {
  const reader = new ByteReader(tlvs);
  while (reader.remaining > 0) {
    const type = reader.u8();
    yield { type, value: reader.bytes(reader.u16()) };
  }
}

/**
 * The header that a backend gets. Addresses of two families (an IPv4 client of an IPv6 address is possible behind
 * another proxy) go out as IPv6, with the IPv4 one mapped.
 * @param tlvs of the header that this connection came with; a checksum and padding among them are left out,
 *   for they are about that header
 */
export function encodeProxyHeader(
  version: ProxyVersion,
  addresses: ProxyAddresses | null,
  tlvs: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return version === 1 ? encodeV1(addresses) : encodeV2(addresses, tlvs);
}

function encodeV1(addresses: ProxyAddresses | null): Uint8Array {
  if (addresses === null) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { source, destination } = addresses;
  const family = familyOf(addresses);
  const text = ({ address }: Endpoint): string =>
    family === 6 && address.family === 4 ? `::ffff:${address.text}` : address.text;
  const line = `PROXY TCP${family} ${text(source)} ${text(destination)} ${source.port} ${destination.port}\r\n`;
  return Buffer.from(line, 'latin1');
}

function encodeV2(addresses: ProxyAddresses | null, tlvs: Uint8Array): Uint8Array {
  const out = new ByteWriter(V2_FIXED + 36 + tlvs.length).bytes(SIGNATURE);
  out.u8(0x20 | (addresses === null ? COMMAND.local : COMMAND.proxy));
  const family = addresses === null ? 0 : familyOf(addresses) === 4 ? FAMILY.inet : FAMILY.inet6;
  out.u8(addresses === null ? 0 : (family << 4) | STREAM).u16(0);
  if (addresses !== null) {
    const { source, destination } = addresses;
    const bytes = (address: IpAddress): Uint8Array =>
      family === FAMILY.inet6 ? mapped(address) : address.bytes;
    out.bytes(bytes(source.address)).bytes(bytes(destination.address));
    out.u16(source.port).u16(destination.port);
    for (const { type, value } of eachTlv(tlvs)) {
      if (type !== TLV.crc32c && type !== TLV.noop) out.u8(type).u16(value.length).bytes(value);
    }
  }
  return out.patchU16(V2_FIXED - 2, out.offset - V2_FIXED).finish();
}

const familyOf = ({ source, destination }: ProxyAddresses): IpFamily =>
  source.address.family === 4 && destination.address.family === 4 ? 4 : 6;

function mapped(address: IpAddress): Uint8Array {
  if (address.family === 6) return address.bytes;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...address.bytes);
}
