import type { Duration } from '../lib/duration.ts';
import type { Endpoint, IpAddress } from '../lib/ip.ts';

/** Something on the network that answers whenever the network is there. */
export type WitnessCheck =
  /** A neighbour: an ARP request, or a neighbour solicitation for an IPv6 address. */
  | { readonly type: 'arp'; readonly interface: string; readonly address: IpAddress }
  /** An ICMP echo. */
  | { readonly type: 'icmp'; readonly address: IpAddress }
  /** Any HTTP answer below 500. */
  | {
      readonly type: 'http';
      readonly endpoint: Endpoint;
      readonly tls: boolean;
      readonly path: string;
      /** As the URL has it, for the Host header. */
      readonly host: string;
    };

export interface WitnessSpec {
  readonly check: WitnessCheck;
  readonly interval: Duration;
  readonly timeout: Duration;
  readonly fall: number;
  readonly rise: number;
  /** What an Active node does that neither sees the witness nor hears its peer. */
  readonly policy: 'resign' | 'stay';
}

/** "10.0.0.254 (arp)" */
export function describeWitness({ check }: WitnessSpec): string {
  const what = check.type === 'http' ? check.host : check.address.text;
  return `${what} (${check.type})`;
}

export const WITNESS_STATES = ['unknown', 'up', 'down'] as const;
/** Debounced; unknown before the first answer is in or has not come. */
export type WitnessSeen = (typeof WITNESS_STATES)[number];
