import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipFromBytes, ipOfPeer, ipOfPeerBytes } from '../../../src/lib/ip.ts';

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);

describe('ipOfPeerBytes', () => {
  it('is the address that the bytes are, known or not, and the same as of its text', () => {
    fc.assert(
      fc.property(address, (bytes) => {
        const expected = ipFromBytes(bytes);
        expect(ipOfPeerBytes(bytes)).toEqual(expected);
        expect(ipOfPeerBytes(Uint8Array.from(bytes))).toBe(ipOfPeerBytes(bytes));
        expect(ipOfPeer(expected.text).bytes).toEqual(ipOfPeerBytes(bytes).bytes);
      }),
    );
  });

  it('keeps no hold of the bytes it was given', () => {
    const bytes = Uint8Array.of(192, 0, 2, 77);
    const found = ipOfPeerBytes(bytes);
    bytes[3] = 78;
    expect(found.text).toBe('192.0.2.77');
    expect(ipOfPeerBytes(bytes).text).toBe('192.0.2.78');
  });

  it('refuses what is no address', () => {
    expect(() => ipOfPeerBytes(new Uint8Array(5))).toThrow(RangeError);
  });
});
