import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeClientHello, HELLO_MAX } from '../../src/data-path/preface/client-hello.ts';
import { ipFromBytes } from '../../src/lib/ip.ts';
import { decodeProxyHeader, encodeProxyHeader } from '../../src/lib/proxy-header.ts';

const endpoint = (size: 4 | 16) =>
  fc.record({
    address: fc.uint8Array({ minLength: size, maxLength: size }).map(ipFromBytes),
    port: fc.integer({ min: 0, max: 65_535 }),
  });
const addresses = fc.oneof(
  fc.record({ source: endpoint(4), destination: endpoint(4) }),
  fc.record({ source: endpoint(16), destination: endpoint(16) }),
);
/** Types that are passed on. */
const tlv = fc.tuple(fc.integer({ min: 5, max: 255 }), fc.uint8Array({ maxLength: 40 }));
const tlvs = fc
  .array(tlv, { maxLength: 5 })
  .map((list) => Uint8Array.from(list.flatMap(([type, value]) => [type, 0, value.length, ...value])));
const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });

function damaged(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
  return copy;
}

describe('PROXY headers', () => {
  it('of any bytes come to a verdict, and a longer input never takes back a fault or a header', () => {
    const begin = fc.constantFrom(
      'PROXY ',
      'PROXY TCP4 ',
      '\r\n\r\n\0\r\nQUIT\n',
      '\r\n\r\n\0\r\nQUIT\n!',
      '',
    );
    fc.assert(
      fc.property(begin, fc.uint8Array({ maxLength: 300 }), fc.nat(), (first, rest, cut) => {
        const bytes = Buffer.concat([Buffer.from(first, 'latin1'), rest]);
        const early = decodeProxyHeader(bytes.subarray(0, cut % (bytes.length + 1)));
        const whole = decodeProxyHeader(bytes);
        if (early.status !== 'incomplete') expect(whole).toEqual(early);
        if (whole.status === 'complete') expect(whole.length).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 3_000 },
    );
  });

  it('are read back, and survive any damage', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2), addresses, tlvs, damage, (version, who, extra, changes) => {
        const bytes = encodeProxyHeader(version, who, extra);
        const decoded = decodeProxyHeader(bytes);
        expect(decoded).toMatchObject({ status: 'complete', length: bytes.length });
        if (decoded.status === 'complete' && version === 2) {
          expect(Buffer.from(decoded.header.tlvs)).toEqual(Buffer.from(extra));
        }
        expect(() => decodeProxyHeader(damaged(bytes, changes))).not.toThrow();
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('ClientHello', () => {
  const extension = fc.tuple(fc.constantFrom(0, 16, 43, 65_281), fc.uint8Array({ maxLength: 30 }));
  const hello = fc
    .tuple(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(extension, { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
    )
    .map(([session, list, size]) => {
      const extensions = list.flatMap(([type, body]) => [type >> 8, type & 255, 0, body.length, ...body]);
      const body = [
        ...[3, 3, ...Array<number>(32).fill(7), session.length, ...session, 0, 2, 19, 1, 1, 0],
        ...[extensions.length >> 8, extensions.length & 255, ...extensions],
      ];
      const message = [1, 0, body.length >> 8, body.length & 255, ...body];
      const records: number[] = [];
      for (let at = 0; at < message.length; at += size) {
        const fragment = message.slice(at, at + size);
        records.push(22, 3, 1, 0, fragment.length, ...fragment);
      }
      return Uint8Array.from(records);
    });

  it('of any bytes comes to a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
        decodeClientHello(Uint8Array.from([22, 3, 1, 0, rest.length & 127, ...rest]));
        decodeClientHello(rest);
      }),
      { numRuns: 3_000 },
    );
  });

  it('with any extensions, cut and damaged anywhere, comes to a verdict that more bytes do not change', () => {
    fc.assert(
      fc.property(hello, damage, fc.nat(), (whole, changes, cut) => {
        const bytes = damaged(whole, changes);
        const early = decodeClientHello(bytes.subarray(0, cut % (bytes.length + 1)));
        const late = decodeClientHello(bytes);
        if (early.status !== 'incomplete') expect(late).toEqual(early);
        if (late.status === 'complete') expect(late.hello.serverName ?? 'none').toMatch(/^[a-z0-9._-]+$/);
        expect(decodeClientHello(new Uint8Array(HELLO_MAX).fill(22))).not.toEqual({ status: 'incomplete' });
      }),
      { numRuns: 3_000 },
    );
  });
});
