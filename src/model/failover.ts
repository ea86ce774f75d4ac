import type { Duration } from '../lib/duration.ts';
import type { Endpoint, IpAddress, IpFamily, IpPrefix } from '../lib/ip.ts';
import type { TrackSpec } from './track.ts';
import type { WitnessSpec } from './witness.ts';

/** RFC 9568's states. RFC 5798 and older call Active "Master". */
export type VrrpState = 'Initialize' | 'Backup' | 'Active';

export type VrrpVersion = 2 | 3;

/** What the VRRPv3 checksum over IPv4 covers: RFC 5798 a pseudo-header too, RFC 9568 the message alone. */
export type ChecksumStyle = 'rfc5798' | 'rfc9568';

export interface AnnounceSpec {
  /** Gratuitous ARPs / unsolicited NAs for each address when becoming Active. */
  readonly repeat: number;
  /** Between them. */
  readonly interval: Duration;
  /** A second batch of `repeat` this long after becoming Active; 0 is none. */
  readonly delay: Duration;
  /** Again, this often, while Active; 0 is never. */
  readonly refresh: Duration;
  /** How many then. */
  readonly refreshRepeat: number;
  /** Between the announcements of two addresses. */
  readonly pace: Duration;
  /** In place of `repeat` and `delay` when another router was found Active beside this one. */
  readonly conflictRepeat: number;
  readonly conflictDelay: Duration;
}

/** A virtual address and where it is held. */
export interface VirtualAddress extends IpPrefix {
  /** Null: where the group is. */
  readonly device: string | null;
}

/** Unicast advertisements instead of multicast. */
export interface UnicastSpec {
  /** Own source address; null takes the interface's primary one (IPv6: link-local). */
  readonly source: IpAddress | null;
  readonly peers: readonly IpAddress[];
}

/** A program and its arguments; no shell. */
export type CommandLine = readonly [string, ...string[]];

/** Programs that the supervisor runs when a virtual router changes its state; null for none. */
export interface NotifySpec {
  readonly active: CommandLine | null;
  readonly backup: CommandLine | null;
  /** Initialize for any reason but the daemon's stop. */
  readonly fault: CommandLine | null;
  readonly stopped: CommandLine | null;
  /** For each of them; then it is killed. */
  readonly timeout: Duration;
  /** Asked before the router becomes Active: exit status 0 lets it, any other does not. */
  readonly beforeClaim: CommandLine | null;
  readonly beforeClaimTimeout: Duration;
  /** When beforeClaim has no answer in time, or cannot run. */
  readonly onTimeout: 'proceed' | 'refuse';
}

/** A route that is there while the group is Active. */
export interface VirtualRoute {
  /** The default route is 0.0.0.0/0 or ::/0. */
  readonly to: IpPrefix;
  /** Null: straight onto the interface. */
  readonly via: IpAddress | null;
  /** Null: the interface that leads to `via`. */
  readonly device: string | null;
  /** 254 is the main table. */
  readonly table: number;
  /** Null: the kernel's default. */
  readonly metric: number | null;
  /** Preferred source address; null: the kernel chooses. */
  readonly source: IpAddress | null;
}

/** One virtual router id with its addresses: IPv4 and IPv6 run one VRRP state machine each. */
export interface FailoverGroupSpec {
  readonly name: string;
  readonly interface: string;
  /** 1 to 255 */
  readonly vrid: number;
  readonly version: VrrpVersion;
  /** 1 to 254; 255 is the address owner. */
  readonly priority: number;
  readonly addresses: readonly VirtualAddress[];
  /** Held and announced like the others, but not part of the advertisements. */
  readonly excluded: readonly VirtualAddress[];
  readonly routes: readonly VirtualRoute[];
  /** The names of the interfaces with the virtual router's MAC address, by family; null for the host's own. */
  readonly virtualMac: Readonly<Record<IpFamily, string>> | null;
  /** False: packets to the virtual addresses are dropped (RFC 9568, 6.1: Accept_Mode). */
  readonly accept: boolean;
  readonly advertiseInterval: Duration;
  readonly preempt: boolean;
  /** A node that could preempt waits this long first. */
  readonly preemptDelay: Duration;
  readonly checksum: ChecksumStyle;
  readonly unicast: UnicastSpec | null;
  /** VRRPv2 "PASS" (RFC 2338): 1 to 8 bytes, for interoperation only. Never logged. */
  readonly authPass: string | null;
  readonly announce: AnnounceSpec;
  /** How long the kernel keeps the address after the last refresh (whole seconds, at least 1). */
  readonly lease: Duration;
  /** Groups with the same text here move together; null: this one moves alone. */
  readonly sync: string | null;
  /** Names of the trackers that count for this group. */
  readonly track: readonly string[];
  readonly notify: NotifySpec | null;
}

/** The other node's supervisor: who is asked for a planned handover, and who may ask. */
export interface PeerSpec {
  readonly address: IpAddress;
  /** Where its supervisor listens. */
  readonly port: number;
  /** Where this node's supervisor listens. */
  readonly listen: Endpoint;
  /** Absolute path of the file with the pre-shared key. */
  readonly secretFile: string;
  /** How long connections live on at the node that gave the addresses away; 0 keeps none. */
  readonly drain: Duration;
}

export interface FailoverSpec {
  readonly groups: readonly FailoverGroupSpec[];
  readonly tracks: readonly TrackSpec[];
  /** SCHED_FIFO priority for the agent, 1 to 99; 0 leaves the normal scheduler. */
  readonly realtimePriority: number;
  /** After the daemon's start its groups take no part in an election for this long. */
  readonly startupDelay: Duration;
  /** Null: a handover is priority 0, as towards any other VRRP router. */
  readonly peer: PeerSpec | null;
  readonly witness: WitnessSpec | null;
}

/** What the supervisor says for and against this node, for one group. */
export interface Standing {
  /** Why the group may take no part at all (Initialize); null for nothing. */
  readonly fault: string | null;
  /** Added to the group's priority, -254 to 254; the result is never below 1. */
  readonly weight: number;
  /** Why the weight is not 0; null when it is. */
  readonly reason: string | null;
}

/** Nothing for it and nothing against it. */
export const GOOD_STANDING: Standing = { fault: null, weight: 0, reason: null };

/** By the group's name; a group that is not in it is in good standing. */
export type Standings = Readonly<Record<string, Standing>>;

/** Weights and their sum stay within this: the whole range of priorities. */
export const MAX_WEIGHT = 254;

/** Why a received advertisement was thrown away; counted by reason, touches no timer. */
export const DISCARD_REASONS = [
  'ttl',
  'version',
  'type',
  'truncated',
  'checksum',
  'vrid',
  'count-zero',
  'interval-zero',
  'auth-type',
  'auth-failed',
  'not-link-local',
  'unknown-peer',
  'own-packet',
  'address-list',
] as const;
export type DiscardReason = (typeof DISCARD_REASONS)[number];

/** Why a virtual router changed its state: the input that caused it. */
export const TRANSITION_REASONS = [
  'startup',
  'address-owner',
  'active-down-expired',
  'peer-priority-zero',
  'higher-priority-seen',
  'equal-priority-greater-address-seen',
  'preempt',
  'handover',
  'takeover',
  'resumed',
  'link-down',
  'link-up',
  'unfit',
  'fit',
  'supervisor-lost',
  'agent-lost',
  'partner-fault',
  'partner-well',
  'partner-left',
  'lease-expired',
  'reconfigured',
  'shutdown',
] as const;
export type TransitionReason = (typeof TRANSITION_REASONS)[number];

/** A virtual router as `status` shows it. Ages are relative to the snapshot. */
export interface VirtualRouterStatus {
  readonly group: string;
  readonly family: IpFamily;
  readonly vrid: number;
  readonly interface: string;
  readonly state: VrrpState;
  /** The last transition's reason, and when, in wall-clock milliseconds. */
  readonly reason: TransitionReason;
  readonly since: number;
  readonly priority: number;
  readonly effectivePriority: number;
  readonly addresses: readonly string[];
  /** Does the kernel hold the addresses on this node now? */
  readonly holdsAddresses: boolean;
  /** The routes that move along, and whether they are in place. */
  readonly routes: readonly { readonly route: string; readonly installed: boolean }[];
  /** Milliseconds since the kernel was last told to keep the addresses; null when none are leased. */
  readonly leaseAgeMillis: number | null;
  /** A sentence for people: why this node is Active or not. */
  readonly explanation: string;
  /** Sentences for people: what would change that. */
  readonly outlook: readonly string[];
  readonly peer: {
    readonly address: string;
    readonly priority: number;
    readonly intervalMillis: number;
    readonly checksum: ChecksumStyle | null;
    /** Milliseconds since its last accepted advertisement. */
    readonly ageMillis: number;
  } | null;
  readonly advertisementsSent: number;
  readonly advertisementsReceived: number;
  readonly discarded: Readonly<Partial<Record<DiscardReason, number>>>;
  readonly transitions: number;
  /** Other routers that were Active beside this one. */
  readonly conflicts: number;
  /** Claims of its addresses by hosts that are no router of this VRID, while it was Active. */
  readonly duplicates: {
    readonly count: number;
    readonly last: { readonly address: string; readonly mac: string; readonly ageMillis: number } | null;
  };
}

/** A drain that goes on: connections of before a handover live on at the giver. */
export interface DrainStatus {
  readonly group: string;
  /** 'giver': the connections are here; 'taker': this node sends their packets on to the giver. */
  readonly role: 'giver' | 'taker';
  /** Old connections left, and at first; null while they have not been counted, and on the taker. */
  readonly connections: number | null;
  readonly initially: number | null;
  readonly endsInMillis: number;
}
