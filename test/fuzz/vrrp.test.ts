import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipFromBytes } from '../../src/lib/ip.ts';
import { DISCARD_REASONS } from '../../src/model/failover.ts';
import { decodeArp, encodeArp } from '../../src/vrrp/arp.ts';
import { claimOfArp, claimOfNeighbourMessage } from '../../src/vrrp/claim.ts';
import { decodeNeighbourAdvertisement, encodeNeighbourAdvertisement } from '../../src/vrrp/ndp.ts';
import {
  type Decoded,
  decodeAdvertisement,
  type Envelope,
  encodeAdvertisement,
  vridOf,
} from '../../src/vrrp/packet.ts';
import { envelopeOf, goldenArp, goldenNa, goldenVrrp, hex, unhex } from '../support/golden.ts';

const RUNS = { numRuns: 2_000 };
const bytes = fc.uint8Array({ maxLength: 1_600 });

const envelope: fc.Arbitrary<Envelope> = fc
  .oneof(
    fc
      .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([source, destination]) => ({ family: 4 as const, source, destination })),
    fc
      .tuple(fc.uint8Array({ minLength: 15, maxLength: 15 }), fc.uint8Array({ minLength: 15, maxLength: 15 }))
      .map(([source, destination]) => ({
        family: 6 as const,
        source: Uint8Array.of(0xfe, ...source),
        destination: Uint8Array.of(0xff, ...destination),
      })),
  )
  .chain(({ family, source, destination }) =>
    fc.record({
      family: fc.constant(family),
      source: fc.constant(ipFromBytes(source)),
      destination: fc.constant(ipFromBytes(destination)),
      hopLimit: fc.constantFrom(255, 254, 64, 0),
      unicast: fc.boolean(),
    }),
  );

/** A captured message with bytes changed, cut off or added. */
function mutated(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .record({
      original: fc.constantFrom(...originals),
      changes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      length: fc.option(fc.nat({ max: 120 })),
      tail: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ original, changes, length, tail }) => {
      const copy = Uint8Array.from(original);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return Uint8Array.from([...copy.subarray(0, length ?? copy.length), ...tail]);
    });
}

/** Whatever is accepted is sound, and what we would send for it is accepted alike. */
function expectSound(decoded: Decoded, from: Envelope): void {
  if (decoded.kind === 'discarded') {
    expect(DISCARD_REASONS).toContain(decoded.reason);
    return;
  }
  const { advertisement, checksumStyle } = decoded;
  expect(advertisement.vrid).toBeGreaterThan(0);
  expect(advertisement.addresses.length).toBeGreaterThan(0);
  expect(advertisement.interval).toBeGreaterThan(0);
  const again = encodeAdvertisement(advertisement, { ...from, checksumStyle: checksumStyle ?? 'rfc5798' });
  expect(decodeAdvertisement(again, from)).toEqual(decoded);
}

describe('the advertisement decoder', () => {
  it('takes any bytes from anywhere', () => {
    fc.assert(
      fc.property(bytes, envelope, (message, from) => {
        vridOf(message);
        expectSound(decodeAdvertisement(message, from), from);
      }),
      RUNS,
    );
  });

  it('takes mutations of what real routers send', () => {
    const frames = fc.constantFrom(...goldenVrrp);
    let accepted = 0;
    fc.assert(
      fc.property(frames, mutated(goldenVrrp.map((frame) => unhex(frame.vrrpHex))), (frame, message) => {
        const from = envelopeOf(frame);
        const decoded = decodeAdvertisement(message, from);
        if (decoded.kind === 'ok') accepted++;
        expectSound(decoded, from);
      }),
      RUNS,
    );
    expect(accepted, 'the property above was tried on something').toBeGreaterThan(0);
  });

  it('notices every flip of up to 15 bits in a row', () => {
    const spoken = goldenVrrp.filter((frame) => frame.authType !== 2);
    fc.assert(
      fc.property(
        fc.constantFrom(...spoken),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (frame, at, flip) => {
          const message = unhex(frame.vrrpHex);
          const where = at % message.length;
          message[where] = (message[where] ?? 0) ^ flip;
          expect(decodeAdvertisement(message, envelopeOf(frame)).kind).toBe('discarded');
        },
      ),
      RUNS,
    );
  });
});

describe('the ARP and NA decoders', () => {
  const frames = [...goldenArp, ...goldenNa].map((frame) => unhex(frame.frameHex));

  it('take any bytes and return what encodes again', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, mutated(frames)), (frame) => {
        const arp = decodeArp(frame);
        if (arp !== null) expect(hex(encodeArp(arp))).toBe(hex(frame.subarray(0, 42)));
        const na = decodeNeighbourAdvertisement(frame);
        if (na !== null) expect(decodeNeighbourAdvertisement(encodeNeighbourAdvertisement(na))).toEqual(na);
      }),
      RUNS,
    );
  });

  it('find in any message a claim that is whole, or none', () => {
    const messages = goldenNa.map((frame) => unhex(frame.frameHex).subarray(54));
    let claims = 0;
    fc.assert(
      fc.property(fc.oneof(bytes, mutated(frames), mutated(messages)), (said) => {
        for (const claim of [claimOfArp(said), claimOfNeighbourMessage(said)]) {
          if (claim === null) continue;
          claims++;
          expect(claim.mac).toHaveLength(6);
          expect([4, 16]).toContain(claim.address.bytes.length);
        }
      }),
      RUNS,
    );
    expect(claims, 'the property above was tried on something').toBeGreaterThan(0);
  });
});
