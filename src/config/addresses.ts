import {
  type Endpoint,
  type IpAddress,
  type IpPrefix,
  isBroadcast,
  isMulticast,
  isUnspecified,
  networkOf,
  parseEndpoint,
  parseIp,
  parsePrefix,
} from '../lib/ip.ts';
import { textKind } from './kinds.ts';
import { type Parsed, quote, right, textLeaf, wrong } from './values.ts';

const NO_NAMES = 'Tandem does not resolve names: write the address';

/** Why `text` is not an address, as precisely as can be told. */
function addressFault(text: string, example: string): Parsed<never> {
  if (text.includes('%')) {
    return wrong(`${quote(text)} has a zone`, 'write a routable address, without "%" and what follows');
  }
  // RFC 1123, section 2.1: a name may begin with a digit, but its last label is never all digits
  const looksLikeName = /^(?=.*[a-zA-Z])[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*\.?$/.test(text);
  const quoted = example.split(' or ').map(quote).join(' or ');
  if (looksLikeName) return wrong(`${quote(text)} is a host name`, `${NO_NAMES}, such as ${quoted}`);
  return wrong(`${quote(text)} is not an IP address`, `write ${quoted}`);
}

/** `::ffff:10.0.0.1` is an IPv4 address in disguise: filters and hashes would see it as one or the other. */
function mappedFault(written: string, address: IpAddress): Parsed<never> | undefined {
  if (address.family === 6 || !written.includes(':')) return undefined;
  return wrong(`${quote(written)} is an IPv4-mapped address`, `write the IPv4 address: ${address.text}`);
}

function readAddress(text: string, example: string): Parsed<IpAddress> {
  const address = parseIp(text);
  const endpoint = address === undefined ? parseEndpoint(text) : undefined;
  if (endpoint !== undefined) {
    return wrong(`${quote(text)} has a port`, `write the address alone: "${endpoint.address.text}"`);
  }
  if (address === undefined) return addressFault(text, example);
  return mappedFault(text, address) ?? right(address);
}

function readEndpoint(text: string): Parsed<Endpoint> {
  const endpoint = parseEndpoint(text);
  const parts = /^(?:\[(.*)\]|(.*)):(-?\d+)$/.exec(text);
  if (endpoint !== undefined) {
    return mappedFault(parts?.[1] ?? '', endpoint.address) ?? right(endpoint);
  }
  if (parseIp(text)?.family === 6) {
    return wrong(`${quote(text)} has no port, or no brackets`, `write "[${text}]:80"`);
  }
  const slip = endpointSlip(text);
  if (slip !== undefined) return slip;
  if (parts === null) {
    if (parseIp(text) !== undefined) return wrong(`${quote(text)} has no port`, `write "${text}:80"`);
    return addressFault(text.replace(/:[^:]*$/, ''), '10.0.0.1:80 or [2001:db8::1]:80');
  }
  const [, bracketed, plain = '', port] = parts;
  if (bracketed === undefined && parseIp(plain)?.family === 6) {
    return wrong(`${quote(text)} needs brackets around the address`, `write "[${plain}]:${port}"`);
  }
  const host = bracketed ?? plain;
  if (host === '' || host === '*') {
    return wrong(
      `${quote(text)} has no address`,
      `write "0.0.0.0:${port}" or "[::]:${port}" for every address`,
    );
  }
  if (parseIp(host) === undefined) return addressFault(host, `10.0.0.1:${port}`);
  if (bracketed !== undefined && !bracketed.includes(':')) {
    return wrong(`${quote(text)} has brackets around an IPv4 address`, `write "${bracketed}:${port}"`);
  }
  return wrong(`port ${port} is out of range`, 'write a port from 1 to 65535');
}

/** What people write around an address and a port that does not belong there. */
function endpointSlip(text: string): Parsed<never> | undefined {
  const [, scheme, rest = ''] = /^([a-z][a-z+]*):\/\/([^/]*)/i.exec(text) ?? [];
  if (scheme !== undefined)
    return wrong(`${quote(text)} is a URL`, `write "${rest}", without "${scheme}://"`);
  const [, before = '', length, port = ''] = /^([^/]+)(\/\d+)\]?:(\d+)$/.exec(text) ?? [];
  if (length !== undefined) {
    return wrong(`${quote(text)} has a prefix length`, `write "${before}:${port}", without "${length}"`);
  }
  const [, host = '', first = ''] = /^(.*):(\d+)-\d+$/.exec(text) ?? [];
  if (first !== '') {
    const each = [Number(first), Number(first) + 1].map((one) => `"${host}:${one}"`).join(', ');
    return wrong(`${quote(text)} has a range of ports`, `write each port by itself: ${each}`);
  }
  return text.startsWith('/')
    ? wrong(`${quote(text)} is a path`, 'write an address and a port, such as "10.0.0.1:80"')
    : undefined;
}

/** For the JSON Schema: what every address is made of; the reader says more. */
const ADDRESS = '[0-9a-fA-F:.]+';
const PREFIX = `${ADDRESS}(/\\d{1,3})?`;
const ENDPOINT = textKind('`"ADDRESS:PORT"`', '`"ADDRESS:PORT"`, ...', { pattern: ':\\d{1,5}$' });

/** "10.0.0.1:80" or "[2001:db8::1]:80" to listen on. Wildcards are allowed, multicast and broadcast are not. */
export function listenEndpoint() {
  const expected = 'an address and port such as "10.0.0.100:80" or "[2001:db8::100]:80"';
  return textLeaf(expected, ENDPOINT, (text) => {
    const parsed = readEndpoint(text);
    if (!parsed.ok) return parsed;
    const { address } = parsed.value;
    if (isMulticast(address)) {
      return wrong(`${quote(text)} is a multicast address`, 'write a unicast address to listen on');
    }
    return isBroadcast(address)
      ? wrong(`${quote(text)} is a broadcast address`, 'write a unicast address to listen on')
      : parsed;
  });
}

/** The address and port of a backend: one host, so neither a wildcard nor multicast. */
export function backendEndpoint() {
  const expected = 'an address and port such as "10.0.1.11:8080" or "[2001:db8::11]:8080"';
  return textLeaf(expected, ENDPOINT, (text) => {
    const parsed = readEndpoint(text);
    return parsed.ok ? (unicastFault(text, parsed.value.address) ?? parsed) : parsed;
  });
}

function unicastFault(text: string, address: IpAddress): Parsed<never> | undefined {
  if (isUnspecified(address)) return wrong(`${quote(text)} names no host`, 'write the address of one host');
  if (isMulticast(address)) {
    return wrong(`${quote(text)} is a multicast address`, 'write the unicast address of one host');
  }
  return isBroadcast(address)
    ? wrong(`${quote(text)} is a broadcast address`, 'write the address of one host')
    : undefined;
}

/** The address of one host. */
export function unicastAddress() {
  const kind = textKind('an address', 'addresses', { pattern: `^${ADDRESS}$` });
  return textLeaf('an IP address such as "10.0.0.2"', kind, readUnicastAddress);
}

/** What {@link unicastAddress} takes, as a part of something else. */
export function readUnicastAddress(text: string): Parsed<IpAddress> {
  const parsed = readAddress(text, '10.0.0.2 or fe80::2');
  return parsed.ok ? (unicastFault(text, parsed.value) ?? parsed) : parsed;
}

function readPrefix(text: string, example: string): Parsed<IpPrefix> {
  const [host = '', length, ...rest] = text.split('/');
  const address = readAddress(host, example);
  if (!address.ok) return address;
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return right(prefix);
  const bits = address.value.family === 4 ? 32 : 128;
  const found = [length, ...rest].join('/');
  return wrong(`the prefix length "/${found}" is out of range`, `write a length from /0 to /${bits}`);
}

/** A virtual address with its prefix length; without one it is a host (/32, /128). */
export function virtualAddress() {
  const kind = textKind('`"10.0.0.100/24"`', '`"10.0.0.100/24"`, ...', { pattern: `^${PREFIX}$` });
  return textLeaf('an address with its prefix length, such as "10.0.0.100/24"', kind, readVirtualAddress);
}

/** What {@link virtualAddress} takes, for those who have the text from elsewhere. */
export function readVirtualAddress(text: string): Parsed<IpPrefix> {
  const parsed = readPrefix(text, '10.0.0.100/24');
  if (!parsed.ok) return parsed;
  const fault = unicastFault(text, parsed.value.address);
  if (fault !== undefined) return fault;
  const { family, bytes } = parsed.value.address;
  const loopback = family === 4 ? bytes[0] === 127 : parsed.value.address.text === '::1';
  if (loopback)
    return wrong(`${quote(text)} is a loopback address`, 'write an address that clients can reach');
  if (parsed.value.length === 0)
    return wrong(`${quote(text)} has prefix length 0`, 'write the length of its subnet');
  return subnetFault(text, parsed.value) ?? parsed;
}

/**
 * An address that means the whole subnet, not one host of it. IPv4: all host bits clear or all set (RFC 1122,
 * section 3.2.1.3), but for /31 (RFC 3021) and /32. IPv6: all clear, the subnet-router anycast address
 * (RFC 4291, section 2.6.1), but for /127 (RFC 6164) and /128.
 */
function subnetFault(text: string, { address, length }: IpPrefix): Parsed<never> | undefined {
  const { family, bytes } = address;
  if (bytes.length * 8 - length < 2) return undefined;
  const hostBits = (fill: 0 | 0xff): boolean =>
    bytes.every((byte, index) => {
      const mask = 0xff >> Math.min(8, Math.max(0, length - index * 8));
      return (byte & mask) === (fill & mask);
    });
  const hint = `write the address of a host in the subnet, or /${bytes.length * 8} if it is one`;
  if (hostBits(0)) {
    const what = family === 4 ? 'the network address' : 'the subnet-router anycast address';
    return wrong(`${quote(text)} is ${what} of its subnet`, hint);
  }
  if (family === 4 && hostBits(0xff)) {
    return wrong(`${quote(text)} is the broadcast address of its subnet`, hint);
  }
  return undefined;
}

/** A network for allow and deny lists; a bare address is a host. */
export function network() {
  const kind = textKind('a network', 'networks', { pattern: `^${PREFIX}$` });
  return textLeaf('a network such as "10.0.0.0/8" or "2001:db8::/32"', kind, (text) =>
    readPrefix(text, '10.0.0.0/8 or 2001:db8::/32'),
  );
}

/** Where a route leads: "default", or a network. */
export function routeTarget() {
  const kind = textKind('`"default"`, or a network', 'networks', { pattern: `^(default|${PREFIX})$` });
  const expected = '"default" or a network such as "10.9.0.0/16"';
  return textLeaf(expected, kind, (text): Parsed<IpPrefix | 'default'> => {
    if (text === 'default') return right('default');
    const parsed = readPrefix(text, '"default" or 10.9.0.0/16');
    if (!parsed.ok) return parsed;
    const { address, length } = parsed.value;
    if (isMulticast(address)) return wrong(`${quote(text)} is multicast`, 'write a unicast network');
    const network = networkOf(address, length);
    const clear = network.includes('/') ? network : `${network}/${length}`;
    return clear === parsed.value.text
      ? parsed
      : wrong(`${quote(text)} has bits set behind its prefix`, `write "${clear}"`);
  });
}

/** "http://10.0.0.254:8080/health"; the host is an address, because a name would need a DNS server to be there. */
export function addressUrl() {
  const kind = textKind('a URL whose host is an address', 'URLs', { pattern: '^[hH][tT][tT][pP][sS]?:' });
  return textLeaf('a URL such as "http://10.0.0.254/"', kind, (text): Parsed<AddressUrl> => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      return wrong(`${quote(text)} is not a URL of http or https`, 'write one such as "http://10.0.0.254/"');
    }
    if (url.username !== '' || url.password !== '' || url.hash !== '') {
      return wrong(`${quote(text)} has a user, a password or a fragment`, 'write it without');
    }
    const address = parseIp(url.hostname.replace(/^\[|\]$/g, ''));
    if (address === undefined) {
      return wrong(
        `the host ${quote(url.hostname)} is not an address`,
        'write the address: a name needs a DNS server',
      );
    }
    const tls = url.protocol === 'https:';
    const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
    return right({ endpoint: { address, port }, tls, path: `${url.pathname}${url.search}`, host: url.host });
  });
}

export interface AddressUrl {
  readonly endpoint: Endpoint;
  readonly tls: boolean;
  readonly path: string;
  readonly host: string;
}
