/** The captured frames of keepalived 2.2.7 and FRR 8.4 (test/fixtures/vrrp-golden.json). */
import { readFileSync } from 'node:fs';
import { type IpAddress, parseIp } from '../../src/lib/ip.ts';
import type { Envelope } from '../../src/vrrp/packet.ts';

export interface GoldenVrrp {
  readonly source: string;
  readonly kind: 'vrrp';
  readonly af: 4 | 6;
  readonly version: 2 | 3;
  readonly vrid: number;
  readonly priority: number;
  readonly count: number;
  readonly checksum: string;
  readonly checksumStyle: 'ipv4-pseudo' | 'ipv6-pseudo' | 'no-pseudo';
  readonly ttl?: number;
  readonly hopLimit?: number;
  readonly srcIp: string;
  readonly dstIp: string;
  readonly vrrpHex: string;
  readonly maxAdverIntCs?: number;
  readonly adverIntSec?: number;
  readonly authType?: number;
  readonly authData?: string;
  readonly rfc9568Checksum?: string;
}

export interface GoldenArp {
  readonly source: string;
  readonly kind: 'garp';
  readonly op: number;
  readonly senderMac: string;
  readonly targetMac: string;
  readonly ip: string;
  readonly etherSrc: string;
  readonly etherDst: string;
  readonly frameHex: string;
}

export interface GoldenNa {
  readonly source: string;
  readonly kind: 'na';
  readonly target: string;
  readonly srcIp: string;
  readonly flags: string;
  readonly etherSrc: string;
  readonly etherDst: string;
  readonly frameHex: string;
}

const all = JSON.parse(readFileSync(new URL('../fixtures/vrrp-golden.json', import.meta.url), 'utf8')) as (
  | GoldenVrrp
  | GoldenArp
  | GoldenNa
)[];

export const goldenVrrp = all.filter((frame) => frame.kind === 'vrrp');
export const goldenArp = all.filter((frame) => frame.kind === 'garp');
export const goldenNa = all.filter((frame) => frame.kind === 'na');

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
export const macText = (mac: Uint8Array): string =>
  [...mac].map((b) => b.toString(16).padStart(2, '0')).join(':');

export function addr(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function envelopeOf(frame: GoldenVrrp): Envelope {
  return {
    family: frame.af,
    source: addr(frame.srcIp),
    destination: addr(frame.dstIp),
    hopLimit: frame.ttl ?? frame.hopLimit ?? -1,
    unicast: frame.source.includes('unicast'),
  };
}
