import { ByteReader, ByteWriter, TruncatedError } from '../lib/bytes.ts';
import type { Duration } from '../lib/duration.ts';
import { type IpAddress, type IpFamily, ipFromBytes, isLinkLocal } from '../lib/ip.ts';
import type { ChecksumStyle, DiscardReason, VrrpVersion } from '../model/failover.ts';
import { internetChecksum, onesComplementSum, pseudoHeaderSum, VRRP_PROTOCOL } from './checksum.ts';
import { intervalFromWire, wireInterval } from './intervals.ts';

/** RFC 9568, 5.1: multicast groups, and the TTL / hop limit that proves the sender is on the link. */
export const VRRP_GROUP_4: IpAddress = ipFromBytes(Uint8Array.of(224, 0, 0, 18));
export const VRRP_GROUP_6: IpAddress = ipFromBytes(
  Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12),
);
export const VRRP_HOP_LIMIT = 255;

const TYPE_ADVERTISEMENT = 1;
const CHECKSUM_OFFSET = 6;
const HEADER_LENGTH = 8;
const V2_AUTH_LENGTH = 8;
const AUTH_NONE = 0;
const AUTH_PASS = 1;

/** RFC 2338's authentication types; RFC 3768 withdrew them all, AH (2) is not spoken here. */
export type Authentication =
  | { readonly type: 'none' }
  /** Eight bytes in clear text, padded with zeros: keeps strangers out by accident only. */
  | { readonly type: 'pass'; readonly data: Uint8Array };

/**
 * VRRPv3 (RFC 9568, 5.2):
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |Version| Type  | Virtual Rtr ID|   Priority    |  IPvX Addrs   |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |Reserve| Max Advertise Interval|           Checksum            |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                       IPvX Address(es)                        |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 * VRRPv2 (RFC 3768, 5.1), IPv4 alone: the second word is Auth Type, Adver Int (seconds), Checksum, and
 * eight bytes of authentication data follow the addresses whatever the type.
 */
export interface Advertisement {
  readonly version: VrrpVersion;
  readonly family: IpFamily;
  /** 1 to 255 */
  readonly vrid: number;
  /** 0 (the Active router resigns) to 255 (it owns the addresses). */
  readonly priority: number;
  /** At least one; for IPv6 the first is link-local. */
  readonly addresses: readonly IpAddress[];
  /** Whole centiseconds (v3) or seconds (v2); others are rounded up when encoded. */
  readonly interval: Duration;
  /** v3 knows none. */
  readonly authentication: Authentication;
}

/** What the IP header and the socket tell about a received message. */
export interface Envelope {
  readonly family: IpFamily;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** TTL or hop limit. */
  readonly hopLimit: number;
  /** The receiving group speaks unicast: peers may be routers away, so the hop limit proves nothing. */
  readonly unicast?: boolean;
}

export type Decoded =
  | {
      readonly kind: 'ok';
      readonly advertisement: Advertisement;
      /** What the sender's checksum covers; null where the versions of the RFC agree (v2, IPv6). */
      readonly checksumStyle: ChecksumStyle | null;
    }
  | { readonly kind: 'discarded'; readonly reason: DiscardReason };

const discarded = (reason: DiscardReason): Decoded => ({ kind: 'discarded', reason });

export interface EncodeOptions {
  /** Both go into the pseudo-header: with unicast, encode once for every peer. */
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** For VRRPv3 over IPv4; v2 and IPv6 have one style each. */
  readonly checksumStyle: ChecksumStyle;
}

/**
 * The bytes of an advertisement, checksum included.
 * @throws RangeError for a field that the wire cannot carry (a programming error: the config is validated).
 */
export function encodeAdvertisement(advertisement: Advertisement, options: EncodeOptions): Uint8Array {
  const { version, vrid, priority, addresses, authentication } = advertisement;
  assertEncodable(advertisement);
  const writer = new ByteWriter(HEADER_LENGTH + addresses.length * 16 + V2_AUTH_LENGTH)
    .u8((version << 4) | TYPE_ADVERTISEMENT)
    .u8(vrid)
    .u8(priority)
    .u8(addresses.length);
  const interval = wireInterval(version, advertisement.interval);
  if (version === 2) writer.u8(authentication.type === 'pass' ? AUTH_PASS : AUTH_NONE).u8(interval);
  else writer.u16(interval);
  writer.u16(0);
  for (const address of addresses) writer.bytes(address.bytes);
  if (version === 2) writer.bytes(authentication.type === 'pass' ? authentication.data : new Uint8Array(8));
  const message = writer.finish();
  const covered = checksumStart(advertisement, options, message.length);
  return writer.patchU16(CHECKSUM_OFFSET, internetChecksum(message, covered)).finish();
}

function assertEncodable({
  version,
  family,
  vrid,
  priority,
  addresses,
  authentication,
}: Advertisement): void {
  const fits =
    Number.isInteger(vrid) &&
    vrid >= 1 &&
    vrid <= 255 &&
    Number.isInteger(priority) &&
    priority >= 0 &&
    priority <= 255 &&
    addresses.length >= 1 &&
    addresses.length <= 255 &&
    addresses.every((address) => address.family === family) &&
    (version === 3 ? authentication.type === 'none' : family === 4) &&
    (authentication.type === 'none' || authentication.data.length === V2_AUTH_LENGTH);
  if (!fits) throw new RangeError(`not an encodable advertisement for VRID ${vrid}`);
}

/** The sum that a message's checksum starts from: the pseudo-header's, or nothing. */
function checksumStart(
  { version, family }: Pick<Advertisement, 'version' | 'family'>,
  { source, destination, checksumStyle }: EncodeOptions,
  length: number,
): number {
  const pseudo = version === 3 && (family === 6 || checksumStyle === 'rfc5798');
  return pseudo ? pseudoHeaderSum(source, destination, VRRP_PROTOCOL, length) : 0;
}

/**
 * Reads one VRRP message (without its IP header) and makes the checks of RFC 9568, 7.1 that need no
 * configuration; {@link refusal} makes the others. Never throws, whatever the bytes.
 */
export function decodeAdvertisement(message: Uint8Array, envelope: Envelope): Decoded {
  if (envelope.unicast !== true && envelope.hopLimit !== VRRP_HOP_LIMIT) return discarded('ttl');
  try {
    return decodeFields(new ByteReader(message), message, envelope);
  } catch (error) {
    if (error instanceof TruncatedError) return discarded('truncated');
    throw error;
  }
}

function decodeFields(reader: ByteReader, message: Uint8Array, envelope: Envelope): Decoded {
  const { family } = envelope;
  const versionAndType = reader.u8();
  const version = versionAndType >> 4;
  if (version !== 3 && !(version === 2 && family === 4)) return discarded('version');
  if ((versionAndType & 0x0f) !== TYPE_ADVERTISEMENT) return discarded('type');
  const vrid = reader.u8();
  const priority = reader.u8();
  const count = reader.u8();
  const authType = version === 2 ? reader.u8() : AUTH_NONE;
  const wire = version === 2 ? reader.u8() : reader.u16() & 0x0fff;
  reader.skip(2);
  const addressBytes = reader.bytes(count * (family === 4 ? 4 : 16));
  const authData = version === 2 ? reader.bytes(V2_AUTH_LENGTH) : new Uint8Array(0);

  // Bytes past what the count implies are not ours to judge: keepalived's HMAC trailer comes there.
  const style = verifyChecksum(version, message.subarray(0, reader.offset), envelope);
  if (style === 'bad') return discarded('checksum');
  if (vrid === 0) return discarded('vrid');
  if (count === 0) return discarded('count-zero');
  if (wire === 0) return discarded('interval-zero');
  if (authType !== AUTH_NONE && authType !== AUTH_PASS) return discarded('auth-type');
  const addresses = splitAddresses(addressBytes, family);
  if (addresses === null) return discarded('address-list');
  if (family === 6 && !addresses.slice(0, 1).every(isLinkLocal)) return discarded('not-link-local');
  const authentication: Authentication =
    authType === AUTH_PASS ? { type: 'pass', data: Uint8Array.from(authData) } : { type: 'none' };
  const interval = intervalFromWire(version, wire);
  return {
    kind: 'ok',
    advertisement: { version, family, vrid, priority, addresses, interval, authentication },
    checksumStyle: style,
  };
}

/** Null when an IPv6 list holds IPv4-mapped addresses, which nobody can own on a link. */
function splitAddresses(bytes: Uint8Array, family: IpFamily): IpAddress[] | null {
  const size = family === 4 ? 4 : 16;
  const addresses: IpAddress[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const address = ipFromBytes(bytes.subarray(at, at + size));
    if (address.family !== family) return null;
    addresses.push(address);
  }
  return addresses;
}

/** Which checksum the message carries: a style (null where there is one only), or `bad`. */
function verifyChecksum(
  version: VrrpVersion,
  message: Uint8Array,
  { family, source, destination }: Envelope,
): ChecksumStyle | null | 'bad' {
  const verifies = (checksumStyle: ChecksumStyle): boolean => {
    const options = { source, destination, checksumStyle };
    return onesComplementSum(message, checksumStart({ version, family }, options, message.length)) === 0xffff;
  };
  if (version === 2 || family === 6) return verifies('rfc5798') ? null : 'bad';
  if (verifies('rfc5798')) return 'rfc5798';
  return verifies('rfc9568') ? 'rfc9568' : 'bad';
}

/** What one virtual router is configured to listen to. */
export interface Expectation {
  readonly version: VrrpVersion;
  readonly vrid: number;
  /** Addresses of this node that its own advertisements leave from. */
  readonly ownSources: readonly IpAddress[];
  /** Unicast peers; null for multicast. */
  readonly peers: readonly IpAddress[] | null;
  /** The configured PASS; null for none. */
  readonly authPass: Uint8Array | null;
}

/**
 * Why this virtual router must not listen to a well-formed advertisement; null when it may. The list of
 * addresses is not compared: RFC 9568 (7.1) would have a difference logged, and to drop the packet would
 * make two routers Active for those addresses that they share.
 */
export function refusal(
  advertisement: Advertisement,
  envelope: Envelope,
  expected: Expectation,
): DiscardReason | null {
  const isSource = (address: IpAddress): boolean => address.text === envelope.source.text;
  if (advertisement.version !== expected.version) return 'version';
  if (advertisement.vrid !== expected.vrid) return 'vrid';
  if (expected.ownSources.some(isSource)) return 'own-packet';
  if (expected.peers !== null && !expected.peers.some(isSource)) return 'unknown-peer';
  const { authentication } = advertisement;
  if (expected.authPass === null) return authentication.type === 'none' ? null : 'auth-type';
  if (authentication.type !== 'pass') return 'auth-type';
  return sameBytes(authentication.data, expected.authPass) ? null : 'auth-failed';
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The eight bytes of a PASS: RFC 2338 pads with zeros; keepalived cuts longer ones, which the config refuses. */
export function passData(password: string): Uint8Array {
  const data = new Uint8Array(V2_AUTH_LENGTH);
  data.set(new TextEncoder().encode(password).subarray(0, V2_AUTH_LENGTH));
  return data;
}

/** The VRID of a message that may be junk, to find the virtual router that counts it; null when too short. */
export function vridOf(message: Uint8Array): number | null {
  return message.length < 2 ? null : (message[1] ?? null);
}

/** 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6 (RFC 9568, 7.3). */
export function virtualMac(family: IpFamily, vrid: number): Uint8Array {
  return Uint8Array.of(0x00, 0x00, 0x5e, 0x00, family === 4 ? 0x01 : 0x02, vrid);
}

/**
 * The addresses in the order in which they are advertised: RFC 9568 (5.2.9) wants an IPv6 list to begin
 * with the virtual router's link-local address. A group without one gets the address that the virtual MAC
 * implies (modified EUI-64), which every member derives alike.
 */
export function advertisedAddresses(
  family: IpFamily,
  vrid: number,
  configured: readonly IpAddress[],
): readonly IpAddress[] {
  const own = configured.filter((address) => address.family === family);
  if (family === 4) return own;
  const linkLocal = own.filter(isLinkLocal);
  const others = own.filter((address) => !isLinkLocal(address));
  if (linkLocal.length > 0) return [...linkLocal, ...others];
  const derived = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0x00, 0x5e, 0xff, 0xfe, 0x00, 0x02, vrid);
  return [ipFromBytes(derived), ...others];
}
