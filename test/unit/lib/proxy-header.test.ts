import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/lib/crc32c.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../../../src/lib/ip.ts';
import {
  decodeProxyHeader,
  encodeProxyHeader,
  type ProxyAddresses,
  V1_MAX,
  V2_MAX,
} from '../../../src/lib/proxy-header.ts';

const at = (text: string): Endpoint => {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) throw new Error(text);
  return endpoint;
};
const V4: ProxyAddresses = { source: at('192.0.2.1:51234'), destination: at('198.51.100.7:443') };
const V6: ProxyAddresses = { source: at('[2001:db8::1]:1'), destination: at('[2001:db8::2]:65535') };

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const v2 = (text: string): Uint8Array => hex(SIGNATURE + text);
const line = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** "source > destination", or the status or fault. */
function read(bytes: Uint8Array): string {
  const decoded = decodeProxyHeader(bytes);
  if (decoded.status === 'incomplete') return 'incomplete';
  if (decoded.status === 'fault') return decoded.fault;
  const { addresses, tlvs, version } = decoded.header;
  const who =
    addresses === null
      ? 'nobody'
      : `${formatEndpoint(addresses.source)} > ${formatEndpoint(addresses.destination)}`;
  return `v${version} ${who} ${Buffer.from(tlvs).toString('hex')} ${decoded.length}`.replace('  ', ' ');
}

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 192.0.2.1 198.51.100.7 51234 443\r\nGET', 'v1 192.0.2.1:51234 > 198.51.100.7:443 45'],
    ['PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n', 'v1 [2001:db8::1]:1 > [2001:db8::2]:65535 44'],
    ['PROXY TCP6 ::ffff:10.0.0.1 ::ffff:10.0.0.2 1 2\r\n', 'v1 10.0.0.1:1 > 10.0.0.2:2 48'],
    ['PROXY UNKNOWN\r\n', 'v1 nobody 15'],
    ['PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n', 'v1 nobody 59'],
  ])('%j', (text, expected) => expect(read(line(text))).toBe(expected));

  test.each([
    'PROXY TCP4 192.0.2.1 198.51.100.7 51234\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 51234 443 \r\n',
    'PROXY TCP4 192.0.2.1  198.51.100.7 51234 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 051234 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 51234 65536\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.7 51234 443\r\n',
    'PROXY TCP4 ::1 ::2 51234 443\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.7 51234 443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 51234 443\n',
    'PROXY UDP4 192.0.2.1 198.51.100.7 51234 443\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY \r\n',
  ])('malformed: %j', (text) => expect(read(line(text))).toBe('malformed'));

  test('what is no header is known at its first wrong byte', () => {
    expect(read(line('G'))).toBe('not-proxy');
    expect(read(line('PROXIES'))).toBe('not-proxy');
    expect(read(line('proxy TCP4'))).toBe('not-proxy');
    expect(read(hex('0d0a0d0a00aa'))).toBe('not-proxy');
  });

  test('a line without an end is refused at the longest length that the protocol allows', () => {
    const text = `PROXY UNKNOWN ${'x'.repeat(200)}`;
    expect(read(line(text.slice(0, V1_MAX - 1)))).toBe('incomplete');
    expect(read(line(text.slice(0, V1_MAX)))).toBe('too-long');
    expect(read(line(`${text.slice(0, V1_MAX - 2)}\r\n`))).toBe(`v1 nobody ${V1_MAX}`);
  });
});

describe('version 2', () => {
  const ipv4 = 'c0000201 c6336407 c822 01bb';
  test.each([
    ['TCP over IPv4', `21 11 000c ${ipv4}`, 'v2 192.0.2.1:51234 > 198.51.100.7:443 28'],
    [
      'TCP over IPv6',
      `21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 0001 ffff`,
      'v2 [2001:db8::1]:1 > [2001:db8::2]:65535 52',
    ],
    [
      'TLVs',
      `21 11 0014 ${ipv4} 02 0002 6162 04 0000`,
      'v2 192.0.2.1:51234 > 198.51.100.7:443 0200026162040000 36',
    ],
    ['LOCAL', '20 00 0000', 'v2 nobody 16'],
    ['LOCAL with addresses', `20 11 000c ${ipv4}`, 'v2 nobody 28'],
    ['LOCAL with a family and no addresses', '20 11 0000', 'v2 nobody 16'],
    ['LOCAL with anything', '20 21 0003 e70099', 'v2 nobody 19'],
    ['AF_UNSPEC, whatever follows', '21 00 0003 ffffff', 'v2 nobody 19'],
    ['AF_UNIX', `21 31 00d8 ${'61'.repeat(216)}`, 'v2 nobody 232'],
    ['UDP is no TCP client', `21 12 000c ${ipv4}`, 'v2 nobody 28'],
  ])('%s', (_, text, expected) => expect(read(v2(text))).toBe(expected));

  test.each([
    ['version 1 in binary', `11 11 000c ${ipv4}`],
    ['an unknown command', `22 11 000c ${ipv4}`],
    ['less than its addresses', '21 11 000b c0000201 c6336407 c822 01'],
    ['a TLV without its length', `21 11 000e ${ipv4} 02 00`],
    ['a TLV longer than the header', `21 11 000f ${ipv4} 02 0001`],
    ['a checksum of three bytes', `21 11 0012 ${ipv4} 03 0003 000000`],
  ])('malformed: %s', (_, text) => expect(read(v2(text))).toBe('malformed'));

  test('every part of a header is incomplete', () => {
    const whole = v2(`21 11 0011 ${ipv4} 02 0002 6162`);
    for (let length = 0; length < whole.length; length++) {
      expect(read(whole.subarray(0, length))).toBe('incomplete');
    }
  });

  test('a length that nobody needs is refused before it has come', () => {
    const over = V2_MAX - 16 + 1;
    expect(read(v2(`21 11 ${over.toString(16).padStart(4, '0')}`))).toBe('too-long');
  });

  test('a checksum is verified where there is one', () => {
    const header = Buffer.from(v2(`21 11 0013 ${ipv4} 03 0004 00000000`));
    header.writeUInt32BE(crc32c(header), header.length - 4);
    expect(read(header)).toMatch(/^v2 192/);
    header[20] = 9;
    expect(read(header)).toBe('checksum');
  });

  test('CRC-32C of RFC 3720, appendix B.4', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
  });
});

describe('encoding', () => {
  test.each([1, 2] as const)('version %d is read back', (version) => {
    for (const addresses of [V4, V6, null]) {
      const bytes = encodeProxyHeader(version, addresses);
      const decoded = decodeProxyHeader(Buffer.concat([bytes, line('more')]));
      expect(decoded).toMatchObject({
        status: 'complete',
        length: bytes.length,
        header: { version, addresses },
      });
    }
  });

  test('two families go out as IPv6', () => {
    const mixed = { source: V4.source, destination: V6.destination };
    expect(line('PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 51234 65535\r\n')).toEqual(
      Buffer.from(encodeProxyHeader(1, mixed)),
    );
    expect(read(encodeProxyHeader(2, mixed))).toBe('v2 192.0.2.1:51234 > [2001:db8::2]:65535 52');
  });

  test('TLVs are passed on without the checksum and padding of the header they came with', () => {
    const tlvs = hex('0200026162 0300041234abcd 0400020000 ea0001ff');
    expect(read(encodeProxyHeader(2, V4, tlvs))).toBe(
      'v2 192.0.2.1:51234 > 198.51.100.7:443 0200026162ea0001ff 37',
    );
  });
});
