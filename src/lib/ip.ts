import { Address4, Address6 } from 'ip-address';

export type IpFamily = 4 | 6;

/** An address as canonical text (RFC 5952 for IPv6, no zone, IPv4-mapped IPv6 turned into IPv4) and bytes. */
export interface IpAddress {
  readonly family: IpFamily;
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** An address with a prefix length; `text` keeps the host part ("10.0.0.100/24"). */
export interface IpPrefix {
  readonly address: IpAddress;
  readonly length: number;
  readonly text: string;
}

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Reads an IPv4 or IPv6 address without prefix, port or zone. Returns undefined for anything else. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes('/') || text.includes('%')) return undefined;
  // Address4 takes shortened and octal-looking spellings ("10.1", "010.0.0.1") that mean different hosts
  // to different programs; only the plain dotted quad is accepted.
  if (/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text) && Address4.isValid(text)) {
    return ipFromBytes(Uint8Array.from(new Address4(text).toArray()));
  }
  if (text.includes(':') && Address6.isValid(text)) {
    const bytes = Uint8Array.from(new Address6(text).toUnsignedByteArray());
    // toUnsignedByteArray drops leading zero bytes
    const full = new Uint8Array(16);
    full.set(bytes.subarray(Math.max(0, bytes.length - 16)), Math.max(0, 16 - bytes.length));
    return ipFromBytes(full);
  }
  return undefined;
}

/** @throws RangeError unless there are 4 or 16 bytes. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.byteLength === 4) {
    return { family: 4, text: bytes.join('.'), bytes: Uint8Array.from(bytes) };
  }
  if (bytes.byteLength !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.byteLength}`);
  if (MAPPED_PREFIX.every((byte, i) => bytes[i] === byte)) return ipFromBytes(bytes.subarray(12));
  const address = Address6.fromByteArray([...bytes]);
  return { family: 6, text: address.correctForm(), bytes: Uint8Array.from(bytes) };
}

/** Reads "10.0.0.100/24" or "2001:db8::1/64"; without a prefix length it is a host (/32, /128). */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (slash < 0) return { address, length: bits, text: `${address.text}/${bits}` };
  const suffix = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(suffix)) return undefined;
  const length = Number(suffix);
  if (length > bits) return undefined;
  return { address, length, text: `${address.text}/${length}` };
}

/** True when the first `prefix.length` bits of `address` are those of the prefix. */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (prefix.address.family !== address.family) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address.bytes[i] !== address.bytes[i]) return false;
  const rest = prefix.length & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((prefix.address.bytes[whole] ?? 0) & mask) === ((address.bytes[whole] ?? 0) & mask);
}

/** The network of an address as text ("10.0.1.0/24"): the key of per-source limits. */
export function networkOf(address: IpAddress, length: number): string {
  const bits = address.family === 4 ? 32 : 128;
  if (length >= bits) return address.text;
  const bytes = Uint8Array.from(address.bytes);
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.min(8, Math.max(0, length - i * 8));
    bytes[i] = (bytes[i] ?? 0) & ((0xff << (8 - keep)) & 0xff);
  }
  // not ipFromBytes: ::ffff:0:0/90 must not turn into an IPv4 network
  const text = address.family === 4 ? bytes.join('.') : Address6.fromByteArray([...bytes]).correctForm();
  return `${text}/${length}`;
}

/** fe80::/10 or 169.254.0.0/16. */
export function isLinkLocal(address: IpAddress): boolean {
  const [a = 0, b = 0] = address.bytes;
  return address.family === 6 ? a === 0xfe && (b & 0xc0) === 0x80 : a === 169 && b === 254;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: IpAddress): boolean {
  const first = address.bytes[0] ?? 0;
  return address.family === 6 ? first === 0xff : (first & 0xf0) === 0xe0;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  if (address.family === 4) return address.bytes[0] === 127;
  return address.bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** 255.255.255.255, the limited broadcast address (RFC 919, section 7). */
export function isBroadcast({ family, bytes }: IpAddress): boolean {
  return family === 4 && bytes.every((byte) => byte === 255);
}

/** 0.0.0.0 or ::. */
export function isUnspecified(address: IpAddress): boolean {
  return address.bytes.every((byte) => byte === 0);
}

/** One host can have it: neither a wildcard nor multicast nor the limited broadcast address. */
export function isHost(address: IpAddress): boolean {
  return !isUnspecified(address) && !isMulticast(address) && !isBroadcast(address);
}

/** Unsigned comparison in network order, as RFC 9568 compares source addresses: negative when a < b. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  for (let i = 0; i < a.bytes.length; i++) {
    const difference = (a.bytes[i] ?? 0) - (b.bytes[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** An address and a port. */
export interface Endpoint {
  readonly address: IpAddress;
  /** 1 to 65535 */
  readonly port: number;
}

/** Reads "10.0.0.1:80" or "[2001:db8::1]:80"; undefined for anything else, host names included. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const address = parseIp(match[1] ?? match[2] ?? '');
  const port = Number(match[3]);
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  // brackets are for IPv6 and IPv6 needs them
  if ((match[1] !== undefined) !== (match[1]?.includes(':') ?? false)) return undefined;
  return { address, port };
}

export function formatEndpoint(endpoint: Endpoint): string {
  return formatHostPort(endpoint.address.text, endpoint.port);
}

/** "10.0.0.1:80" or "[2001:db8::1]:80". */
export function formatHostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const ADDRESS_MEMO_MAX = 4_096;
const addressMemo = new Map<string | number, IpAddress>();

/**
 * `parseIp` for the address text that sockets report ("::ffff:10.0.0.1" and zones included), remembered for
 * the last few thousand clients because it runs once a connection.
 * @throws RangeError when the kernel reports something that is not an address.
 */
export function ipOfPeer(text: string): IpAddress {
  return addressMemo.get(text) ?? remember(text, parsePeer(text));
}

function parsePeer(text: string): IpAddress {
  const zone = text.indexOf('%');
  const address = parseIp(zone < 0 ? text : text.slice(0, zone));
  if (address === undefined) throw new RangeError(`not an address: ${text}`);
  return address;
}

/**
 * The same for an address in bytes; they are copied.
 * @throws RangeError unless there are 4 or 16 bytes.
 */
export function ipOfPeerBytes(bytes: Uint8Array): IpAddress {
  // a number for IPv4, else text of which no two addresses have the same
  const key = bytes.length === 4 ? bytes.reduce((word, byte) => word * 256 + byte, 0) : bytes.join();
  return addressMemo.get(key) ?? remember(key, ipFromBytes(bytes));
}

function remember(key: string | number, address: IpAddress): IpAddress {
  if (addressMemo.size >= ADDRESS_MEMO_MAX) {
    const oldest = addressMemo.keys().next();
    if (oldest.done !== true) addressMemo.delete(oldest.value);
  }
  addressMemo.set(key, address);
  return address;
}
