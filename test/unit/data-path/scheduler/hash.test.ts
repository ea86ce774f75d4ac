import { describe, expect, it } from 'vitest';
import { hashAddress, hashId, hashTuple, murmur3 } from '../../../../src/data-path/scheduler/hash.ts';
import { client, ip } from '../../../support/pool.ts';

describe('murmur3', () => {
  // the published vectors of MurmurHash3_x86_32
  it.each([
    ['', 0x0, 0x0],
    ['', 0x1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['ffffffff', 0x0, 0x76293b50],
    ['21436587', 0x0, 0xf55b516b],
    ['21436587', 0x5082edee, 0x2362f9de],
    ['214365', 0x0, 0x7e4a8634],
    ['2143', 0x0, 0xa0f7b07a],
    ['21', 0x0, 0x72661cf4],
    ['00000000', 0x0, 0x2362f9de],
    ['000000', 0x0, 0x85f0b427],
    ['0000', 0x0, 0x30f4c306],
    ['00', 0x0, 0x514e28b7],
    ['61616161', 0x9747b28c, 0x5a97808a],
    ['616263', 0x0, 0xb3dd93fa],
    ['48656c6c6f2c20776f726c6421', 0x9747b28c, 0x24884cba],
  ])('of %s seeded %d', (hex, seed, expected) => {
    expect(murmur3(Buffer.from(hex, 'hex'), seed)).toBe(expected);
  });

  it('reads no further than the given length', () => {
    expect(murmur3(Buffer.from('616263ffffffff', 'hex'), 0, 3)).toBe(0xb3dd93fa);
  });
});

describe('hashes of clients and backends', () => {
  it('takes an id as UTF-8 and an address as bytes', () => {
    expect(hashId('abc', 0)).toBe(0xb3dd93fa);
    expect(hashAddress(ip('97.97.97.97'), 0x9747b28c)).toBe(0x5a97808a);
  });

  it('takes a mapped IPv4 address for the IPv4 address', () => {
    expect(hashAddress(ip('::ffff:192.0.2.1'), 7)).toBe(hashAddress(ip('192.0.2.1'), 7));
  });

  it('takes source, its port, destination and its port in network order', () => {
    const bytes = Buffer.from([192, 0, 2, 1, 0x9c, 0x40, 10, 0, 0, 100, 0, 80]);
    expect(hashTuple(client('192.0.2.1', 40_000), 9)).toBe(murmur3(bytes, 9));
    // a longer tuple before leaves nothing behind
    hashTuple(client('2001:db8::1', 1), 9);
    expect(hashTuple(client('192.0.2.1', 40_000), 9)).toBe(murmur3(bytes, 9));
  });
});
