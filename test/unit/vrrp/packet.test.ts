import { describe, expect, it } from 'vitest';
import { centiseconds, millis, seconds } from '../../../src/lib/duration.ts';
import {
  type Advertisement,
  advertisedAddresses,
  decodeAdvertisement,
  type Envelope,
  type Expectation,
  encodeAdvertisement,
  passData,
  refusal,
  VRRP_GROUP_4,
  VRRP_GROUP_6,
  virtualMac,
  vridOf,
} from '../../../src/vrrp/packet.ts';
import { addr, envelopeOf, type GoldenVrrp, goldenVrrp, hex, macText, unhex } from '../../support/golden.ts';

const STYLES = { 'ipv4-pseudo': 'rfc5798', 'no-pseudo': null, 'ipv6-pseudo': null } as const;
const spoken = goldenVrrp.filter((frame) => frame.authType !== 2);
const describeFrame = (frame: GoldenVrrp): string => `${frame.source}, priority ${frame.priority}`;

function decodeOk(
  message: Uint8Array,
  envelope: Envelope,
): { advertisement: Advertisement; style: string | null } {
  const decoded = decodeAdvertisement(message, envelope);
  if (decoded.kind !== 'ok') throw new Error(`discarded: ${decoded.reason}`);
  return { advertisement: decoded.advertisement, style: decoded.checksumStyle };
}

describe('captured advertisements', () => {
  it('are the 36 of the fixture', () => {
    expect(goldenVrrp).toHaveLength(36);
    expect(spoken).toHaveLength(34);
  });

  it.each(spoken.map((frame) => [describeFrame(frame), frame] as const))('decodes %s', (_, frame) => {
    const { advertisement, style } = decodeOk(unhex(frame.vrrpHex), envelopeOf(frame));
    expect(advertisement).toMatchObject({
      version: frame.version,
      family: frame.af,
      vrid: frame.vrid,
      priority: frame.priority,
      interval:
        frame.version === 2 ? seconds(frame.adverIntSec ?? -1) : centiseconds(frame.maxAdverIntCs ?? -1),
    });
    expect(advertisement.addresses).toHaveLength(frame.count);
    expect(advertisement.authentication.type).toBe(frame.authType === 1 ? 'pass' : 'none');
    expect(style).toBe(STYLES[frame.checksumStyle]);
  });

  it.each(spoken.map((frame) => [describeFrame(frame), frame] as const))('encodes %s again', (_, frame) => {
    const envelope = envelopeOf(frame);
    const { advertisement } = decodeOk(unhex(frame.vrrpHex), envelope);
    expect(hex(encodeAdvertisement(advertisement, { ...envelope, checksumStyle: 'rfc5798' }))).toBe(
      frame.vrrpHex,
    );
  });

  it.each(spoken.filter((f) => f.checksumStyle === 'ipv4-pseudo').map((f) => [describeFrame(f), f] as const))(
    'accepts and reports RFC 9568 style of %s',
    (_, frame) => {
      const envelope = envelopeOf(frame);
      const { advertisement } = decodeOk(unhex(frame.vrrpHex), envelope);
      const bytes = encodeAdvertisement(advertisement, { ...envelope, checksumStyle: 'rfc9568' });
      expect(hex(bytes.subarray(6, 8))).toBe(frame.rfc9568Checksum);
      expect(decodeOk(bytes, envelope)).toEqual({ advertisement, style: 'rfc9568' });
    },
  );

  it('refuses AH', () => {
    const frames = goldenVrrp.filter((frame) => frame.authType === 2);
    expect(frames).toHaveLength(2);
    for (const frame of frames) {
      expect(decodeAdvertisement(unhex(frame.vrrpHex), envelopeOf(frame))).toEqual({
        kind: 'discarded',
        reason: 'auth-type',
      });
    }
  });
});

const source = addr('10.99.0.1');
const v3: Advertisement = {
  version: 3,
  family: 4,
  vrid: 51,
  priority: 100,
  addresses: [addr('10.99.0.100')],
  interval: millis(100),
  authentication: { type: 'none' },
};
const from4: Envelope = { family: 4, source, destination: VRRP_GROUP_4, hopLimit: 255 };
const from6: Envelope = { family: 6, source: addr('fe80::1'), destination: VRRP_GROUP_6, hopLimit: 255 };
const encoded = (advertisement: Advertisement, envelope: Envelope): Uint8Array =>
  encodeAdvertisement(advertisement, { ...envelope, checksumStyle: 'rfc5798' });

/** `message` with some bytes replaced and the checksum made right again. */
function forged(changes: Readonly<Record<number, number>>, advertisement = v3, envelope = from4): Uint8Array {
  const message = encoded(advertisement, envelope);
  let delta = 0;
  for (const [at, value] of Object.entries(changes)) {
    const shift = Number(at) % 2 === 0 ? 8 : 0;
    delta += (value - (message[Number(at)] ?? 0)) << shift;
    message[Number(at)] = value;
  }
  // RFC 1624: the checksum moves against the sum, modulo 0xffff
  const old = ((message[6] ?? 0) << 8) | (message[7] ?? 0);
  const checksum = (((old - delta) % 0xffff) + 0xffff) % 0xffff;
  message[6] = checksum >> 8;
  message[7] = checksum & 0xff;
  return message;
}

const reasonOf = (message: Uint8Array, envelope: Envelope = from4): string => {
  const decoded = decodeAdvertisement(message, envelope);
  return decoded.kind === 'ok' ? 'ok' : decoded.reason;
};

describe('receipt (RFC 9568, 7.1)', () => {
  it('forges messages whose checksum is right', () => {
    expect(reasonOf(forged({ 2: 77 }))).toBe('ok');
  });

  it.each([
    ['ttl', encoded(v3, from4), { ...from4, hopLimit: 254 }],
    ['ttl', encoded(v3, from4), { ...from4, hopLimit: 0 }],
    ['version', forged({ 0: 0x41 }), from4],
    ['version', forged({ 0: 0x11 }), from4],
    ['type', forged({ 0: 0x32 }), from4],
    ['type', forged({ 0: 0x30 }), from4],
    ['truncated', new Uint8Array(0), from4],
    ['truncated', encoded(v3, from4).subarray(0, 7), from4],
    ['truncated', encoded(v3, from4).subarray(0, 11), from4],
    ['truncated', forged({ 3: 2 }), from4],
    ['checksum', encoded(v3, from4).with(2, 101), from4],
    ['checksum', encoded(v3, from4), { ...from4, source: addr('10.99.0.9') }],
    ['vrid', forged({ 1: 0 }), from4],
    ['interval-zero', forged({ 4: 0, 5: 0 }), from4],
    ['interval-zero', forged({ 4: 0xf0, 5: 0 }), from4],
  ] as const)('discards: %s', (reason, message, envelope) => {
    expect(reasonOf(message, envelope)).toBe(reason);
  });

  it('discards a count of zero', () => {
    const message = forged({ 3: 0, 8: 0, 9: 0, 10: 0, 11: 0 }).subarray(0, 8);
    // without its address the message is four bytes shorter, which the pseudo-header counts
    const bare = Uint8Array.from(message);
    bare[7] = (bare[7] ?? 0) + 4;
    expect(reasonOf(bare)).toBe('count-zero');
  });

  it('ignores the reserved bits', () => {
    expect(reasonOf(forged({ 4: 0xa0 }))).toBe('ok');
  });

  it('ignores bytes after the message', () => {
    expect(reasonOf(Uint8Array.from([...encoded(v3, from4), ...new Uint8Array(28).fill(7)]))).toBe('ok');
  });

  it('does not look at the hop limit of unicast', () => {
    expect(reasonOf(encoded(v3, from4), { ...from4, hopLimit: 64, unicast: true })).toBe('ok');
  });

  it('knows no version 2 over IPv6', () => {
    const v6: Advertisement = { ...v3, family: 6, addresses: [addr('fe80::100')] };
    expect(reasonOf(forged({ 0: 0x21 }, v6, from6), from6)).toBe('version');
  });

  it('wants a link-local address first over IPv6, and only there', () => {
    const global = addr('2001:db8::100');
    const v6: Advertisement = { ...v3, family: 6, addresses: [global, addr('fe80::100')] };
    expect(reasonOf(encoded(v6, from6), from6)).toBe('not-link-local');
    const right = { ...v6, addresses: [addr('fe80::100'), global] };
    expect(reasonOf(encoded(right, from6), from6)).toBe('ok');
  });

  it('discards IPv4-mapped addresses in an IPv6 list', () => {
    const v6: Advertisement = { ...v3, family: 6, addresses: [addr('fe80::100'), addr('::1')] };
    const changes = Object.fromEntries([...Array(16).keys()].map((i) => [24 + i, i < 10 ? 0 : 0xff]));
    expect(reasonOf(forged(changes, v6, from6), from6)).toBe('address-list');
  });
});

describe('refusal', () => {
  const expected: Expectation = {
    version: 3,
    vrid: 51,
    ownSources: [addr('10.99.0.2')],
    peers: null,
    authPass: null,
  };
  const v2: Advertisement = { ...v3, version: 2, interval: seconds(1) };
  const pass = (password: string): Advertisement => ({
    ...v2,
    authentication: { type: 'pass', data: passData(password) },
  });

  it.each([
    [null, v3, expected],
    ['version', v2, expected],
    ['vrid', { ...v3, vrid: 52 }, expected],
    ['own-packet', v3, { ...expected, ownSources: [source] }],
    ['unknown-peer', v3, { ...expected, peers: [addr('10.99.0.3')] }],
    [null, v3, { ...expected, peers: [source] }],
    ['auth-type', pass('secret'), { ...expected, version: 2 }],
    ['auth-type', v2, { ...expected, version: 2, authPass: passData('secret') }],
    ['auth-failed', pass('other'), { ...expected, version: 2, authPass: passData('secret') }],
    [null, pass('secret'), { ...expected, version: 2, authPass: passData('secret') }],
  ] as const)('is %s', (reason, advertisement, expectation) => {
    expect(refusal(advertisement, from4, expectation)).toBe(reason);
  });

  it('accepts the captured PASS, padded as keepalived pads it', () => {
    const frame = goldenVrrp.find((candidate) => candidate.authType === 1);
    expect(hex(passData('s3cret12'))).toBe(frame?.authData);
    expect(hex(passData('abc'))).toBe('6162630000000000');
  });
});

describe('encoding', () => {
  it.each([
    [{ vrid: 0 }],
    [{ vrid: 256 }],
    [{ priority: 256 }],
    [{ priority: -1 }],
    [{ addresses: [] }],
    [{ addresses: [addr('fe80::1')] }],
    [{ version: 2 as const, family: 6 as const, addresses: [addr('fe80::1')] }],
    [{ authentication: { type: 'pass' as const, data: passData('x') } }],
  ])('refuses %o', (change) => {
    expect(() => encoded({ ...v3, ...change }, from4)).toThrow(RangeError);
  });

  it('never promises a shorter interval than it keeps', () => {
    expect(decodeOk(encoded({ ...v3, interval: millis(101) }, from4), from4).advertisement.interval).toBe(
      millis(110),
    );
    const v2: Advertisement = { ...v3, version: 2, interval: millis(1_100) };
    expect(decodeOk(encoded(v2, from4), from4).advertisement.interval).toBe(seconds(2));
  });

  it('names the VRID of junk', () => {
    expect(vridOf(encoded(v3, from4).subarray(0, 3))).toBe(51);
    expect(vridOf(Uint8Array.of(0x31))).toBeNull();
  });

  it('knows the virtual MAC addresses', () => {
    expect(macText(virtualMac(4, 51))).toBe('00:00:5e:00:01:33');
    expect(macText(virtualMac(6, 51))).toBe('00:00:5e:00:02:33');
  });

  it('advertises a link-local address first over IPv6, derived when none is configured', () => {
    const configured = [addr('10.0.0.1'), addr('2001:db8::1'), addr('fe80::1')];
    const texts = (family: 4 | 6, list = configured): string[] =>
      advertisedAddresses(family, 51, list).map((address) => address.text);
    expect(texts(4)).toEqual(['10.0.0.1']);
    expect(texts(6)).toEqual(['fe80::1', '2001:db8::1']);
    expect(texts(6, [addr('2001:db8::1')])).toEqual(['fe80::200:5eff:fe00:233', '2001:db8::1']);
  });
});
