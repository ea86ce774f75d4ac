import { describe, expect, it } from 'vitest';
import { arpProbe, decodeArp, encodeArp, gratuitousArp } from '../../../src/vrrp/arp.ts';
import { onesComplementSum, pseudoHeaderSum } from '../../../src/vrrp/checksum.ts';
import {
  decodeNeighbourAdvertisement,
  encodeNeighbourAdvertisement,
  neighbourSolicitation,
  unsolicitedNeighbourAdvertisement,
} from '../../../src/vrrp/ndp.ts';
import { addr, goldenArp, goldenNa, hex, macText, unhex } from '../../support/golden.ts';

describe('captured gratuitous ARPs', () => {
  it.each(goldenArp.map((frame) => [`${frame.source} ${frame.ip}`, frame] as const))('%s', (_, frame) => {
    const decoded = decodeArp(unhex(frame.frameHex));
    if (decoded === null) throw new Error('not decoded');
    expect(macText(decoded.senderMac)).toBe(frame.senderMac);
    expect(macText(decoded.targetMac)).toBe(frame.targetMac);
    expect(macText(decoded.etherSource)).toBe(frame.etherSrc);
    expect(decoded.senderIp.text).toBe(frame.ip);
    expect(decoded.targetIp.text).toBe(frame.ip);
    expect(hex(encodeArp(decoded))).toBe(frame.frameHex);
    expect(hex(gratuitousArp(decoded.senderMac, addr(frame.ip)))).toBe(frame.frameHex);
  });
});

describe('captured neighbour advertisements', () => {
  it.each(goldenNa.map((frame) => [`${frame.source} ${frame.target}`, frame] as const))('%s', (_, frame) => {
    const decoded = decodeNeighbourAdvertisement(unhex(frame.frameHex));
    if (decoded === null) throw new Error('not decoded');
    expect(decoded.target.text).toBe(frame.target);
    expect(decoded.source.text).toBe(frame.srcIp);
    const flags = `${decoded.router ? 'R' : ''}${decoded.solicited ? 'S' : ''}${decoded.override ? 'O' : ''}`;
    expect(flags).toBe(frame.flags);
    expect(hex(encodeNeighbourAdvertisement(decoded))).toBe(frame.frameHex);
    if (flags !== 'RO' || decoded.targetMac === null) return;
    expect(hex(unsolicitedNeighbourAdvertisement(decoded.targetMac, addr(frame.target)))).toBe(
      frame.frameHex,
    );
  });

  it('holds one like our own, so that the comparison above happens', () => {
    expect(goldenNa.filter((frame) => frame.flags === 'RO').length).toBeGreaterThan(0);
  });
});

describe('what is not one of them', () => {
  const arp = unhex(goldenArp[0]?.frameHex ?? '');
  const na = unhex(goldenNa[0]?.frameHex ?? '');

  it.each([
    ['truncated', arp.subarray(0, 41)],
    ['EtherType', arp.with(13, 0x07)],
    ['hardware type', arp.with(15, 6)],
    ['protocol type', arp.with(16, 0x86)],
    ['hardware length', arp.with(18, 8)],
    ['protocol length', arp.with(19, 16)],
    ['operation', arp.with(21, 3)],
  ])('ARP: %s', (_, frame) => {
    expect(decodeArp(frame)).toBeNull();
  });

  it.each([
    ['truncated', na.subarray(0, 80)],
    ['EtherType', na.with(13, 0xdc)],
    ['IP version', na.with(14, 0x40)],
    ['next header', na.with(20, 17)],
    ['hop limit', na.with(21, 254)],
    ['type', na.with(54, 135)],
    ['checksum', na.with(56, (na[56] ?? 0) ^ 1)],
  ])('NA: %s', (_, frame) => {
    expect(decodeNeighbourAdvertisement(frame)).toBeNull();
  });
});

describe('asking who has an address', () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);

  it('an ARP Probe claims nothing (RFC 5227, 2.1.1)', () => {
    expect(hex(arpProbe(mac, addr('10.0.0.100')))).toBe(
      'ffffffffffff' +
        '020000000001' +
        '0806' +
        '0001080006040001' +
        '020000000001' +
        '00000000' +
        '000000000000' +
        '0a000064',
    );
  });

  it('a Neighbour Solicitation goes to the solicited-node group, hop limit 255, with a right checksum', () => {
    const [source, target] = [addr('fe80::1'), addr('2001:db8::12:3456')];
    const frame = neighbourSolicitation(mac, source, target);
    const group = 'ff0200000000000000000001ff123456';
    expect(hex(frame.subarray(0, 14))).toBe('3333ff123456' + '020000000001' + '86dd');
    expect(hex(frame.subarray(14, 54))).toBe(`6000000000203aff${hex(source.bytes)}${group}`);
    const message = frame.subarray(54);
    expect(hex(message.subarray(0, 2))).toBe('8700');
    expect(hex(message.subarray(4))).toBe(`00000000${hex(target.bytes)}0101020000000001`);
    const pseudo = pseudoHeaderSum(source, addr('ff02::1:ff12:3456'), 58, message.length);
    expect(onesComplementSum(message, pseudo)).toBe(0xffff);
  });
});
