import type { Status } from '../admin/contract.ts';
import type { IpFamily } from '../lib/ip.ts';
import type { Config } from '../model/config.ts';
import type { ChecksumStyle, DiscardReason, FailoverGroupSpec, VrrpState } from '../model/failover.ts';
import type { Finding } from './finding.ts';

export type { Status };

/** What the collectors found, as plain data: the checks decide over it and ask nobody. */

/** Something that was looked up, or why it could not be. */
export type Fact<T> = { readonly value: T } | { readonly missing: string };

export const known = <T>(value: T): Fact<T> => ({ value });
export const missing = (why: string): { readonly missing: string } => ({ missing: why });

export type DaemonFacts =
  | { readonly kind: 'running'; readonly status: Status }
  /** It is there, and hangs or is stopped. */
  | { readonly kind: 'silent'; readonly why: string; readonly hint: string | null }
  /** There is none. */
  | { readonly kind: 'unreachable'; readonly why: string; readonly hint: string | null }
  /** This user may not ask. */
  | { readonly kind: 'forbidden'; readonly why: string; readonly hint: string | null };

/** A router that advertises on one link, by source and VRID; other VRIDs than ours too. */
export interface Heard {
  readonly source: string;
  readonly vrid: number;
  readonly version: 2 | 3;
  /** The last one's; 0 resigns. */
  readonly priority: number;
  readonly addresses: readonly string[];
  readonly intervalMillis: number;
  readonly checksum: ChecksumStyle | null;
  readonly hopLimit: number;
  readonly count: number;
  /** Since its last advertisement, when the listening ended. */
  readonly ageMillis: number;
  /** VRRPv2 PASS as its eight bytes in hexadecimal, for comparison alone; null for none. */
  readonly secret: string | null;
}

/** Messages of protocol 112 that are no advertisements. */
export interface Junk {
  readonly source: string;
  /** Null when the message is too short to have one. */
  readonly vrid: number | null;
  readonly reason: DiscardReason;
  readonly count: number;
}

/** What was heard of one family on one interface. This node's own advertisements are not among it. */
export interface Wire {
  readonly listenedMillis: number;
  readonly heard: readonly Heard[];
  readonly junk: readonly Junk[];
}

/** One virtual address. */
export interface AddressFacts {
  readonly address: string;
  readonly prefixLength: number;
  /** Interfaces of this host that hold it, with or without a lifetime. */
  readonly held: readonly { readonly interface: string; readonly permanent: boolean }[];
  /** MAC addresses that answer for it, this host's own left out. */
  readonly answers: Fact<readonly string[]>;
}

/** One family of a failover group. */
export interface RouterFacts {
  readonly group: FailoverGroupSpec;
  readonly family: IpFamily;
  /** What the daemon says of it; null when it does not run or does not know it. */
  readonly state: VrrpState | null;
  /** Advertisements that the daemon has accepted of its peer. */
  readonly received: number;
  readonly wire: Fact<Wire>;
  readonly addresses: readonly AddressFacts[];
  /** The derived link-local address of IPv6 included, as advertised. */
  readonly advertised: readonly string[];
  /** MAC addresses behind the sources that advertise our VRID, and the virtual MAC. */
  readonly routerMacs: readonly string[];
  /** VRRPv2 PASS of the configuration, as in `Heard.secret`. */
  readonly secret: string | null;
}

export type Manager =
  | { readonly kind: 'networkd'; readonly file: string | null; readonly keep: string | null }
  | { readonly kind: 'NetworkManager' };

/** An interface that a group names. Sysctls are those in force: the greater of "all" and the interface's own. */
export interface InterfaceFacts {
  readonly name: string;
  readonly families: readonly IpFamily[];
  /** Some group on it speaks multicast. */
  readonly multicast: boolean;
  /** Null when this host has no such interface. */
  readonly link: LinkFacts | null;
  readonly manager: Manager | null;
  readonly rpFilter: number | null;
  readonly arpIgnore: number | null;
  readonly arpAnnounce: number | null;
  readonly acceptDad: number | null;
  readonly ipv6Disabled: boolean;
  /** Other interfaces (not lo) that carry IPv4 addresses. */
  readonly otherInterfaces: readonly string[];
  /** Those of them with an address in the subnet of one of the virtual addresses. */
  readonly sameSubnet: readonly string[];
  /** Own IPv6 addresses that failed duplicate address detection. */
  readonly duplicates: readonly string[];
  /** A virtual IPv4 address on it is written without its subnet (/32). */
  readonly hostPrefix: boolean;
}

export interface LinkFacts {
  readonly up: boolean;
  readonly carrier: boolean;
  readonly mtu: number;
  /** IFF_MULTICAST; null when unknown. */
  readonly multicast: boolean | null;
  /** Mbit/s; null when the driver does not tell. */
  readonly speed: number | null;
  readonly duplex: string | null;
  readonly wireless: boolean;
  /** The Linux bridge that it is, or is a port of. */
  readonly bridge: { readonly name: string; readonly snooping: boolean; readonly querier: boolean } | null;
}

export interface HostFacts {
  readonly interfaces: readonly InterfaceFacts[];
  readonly nonlocalBind: { readonly v4: number | null; readonly v6: number | null };
  /** "6.1.0-13-amd64" */
  readonly kernel: string;
  /** "20.20.2" */
  readonly node: string;
  /** DMI's vendor and product: "Amazon EC2", "QEMU". */
  readonly machine: string | null;
  /** What says that this host's clock is kept; null when nothing does. */
  readonly clockKeptBy: string | null;
  /** The path of nft; null when there is none. */
  readonly nft: string | null;
  readonly somaxconn: number | null;
  readonly localPorts: { readonly first: number; readonly last: number } | null;
  /** Null without connection tracking. */
  readonly conntrack: { readonly count: number; readonly max: number } | null;
  readonly firstUnprivilegedPort: number;
}

/** The process that does, or would do, the work: the daemon when it runs, else this command. */
export interface ProcessFacts {
  readonly of: 'daemon' | 'this command';
  /** CapEff as bits; null when it cannot be read. */
  readonly capabilities: bigint | null;
  /** Connections that fit into the descriptors, or why the configuration does not. */
  readonly descriptors:
    | { readonly fits: number; readonly hardLimit: number }
    | { readonly why: string; readonly fix: string };
  readonly realtime: RealtimeFacts;
}

export interface RealtimeFacts {
  /** SCHED_FIFO is in force in the daemon's agent, or could be set here; null when not known. */
  readonly granted: boolean | null;
  /** sched_rt_runtime_us; -1 is without a limit. */
  readonly runtimeMicros: number | null;
}

export interface ListenerFacts {
  readonly service: string;
  readonly protocol: 'tcp' | 'udp';
  readonly endpoint: string;
  readonly port: number;
  /** "daemon": it has it open; "taken" names the program where that can be known. */
  readonly found: Fact<
    | { readonly kind: 'daemon' }
    | { readonly kind: 'free' }
    | { readonly kind: 'taken'; readonly by: string | null }
    | { readonly kind: 'refused'; readonly why: string }
  >;
}

export interface BackendFacts {
  readonly service: string;
  readonly backend: string;
  readonly backup: boolean;
  readonly result: Fact<{ readonly ok: boolean; readonly detail: string }>;
}

export interface Facts {
  readonly config: Config;
  /** Of loading the file: "failover.group[0].interface: this host has no ...". */
  readonly configWarnings: readonly { readonly text: string; readonly hint: string | null }[];
  /** Wall-clock milliseconds of the file's last change; null when it cannot be read. */
  readonly configChangedAt: number | null;
  readonly daemon: DaemonFacts;
  readonly routers: readonly RouterFacts[];
  readonly host: HostFacts;
  readonly process: ProcessFacts;
  readonly listeners: readonly ListenerFacts[];
  readonly backends: readonly BackendFacts[];
}

/** Judges one subject; pure. */
export type Check = (facts: Facts) => Finding[];

/** "web IPv4" */
export function routerName({ group, family }: Pick<RouterFacts, 'group' | 'family'>): string {
  return `${group.name} IPv${family}`;
}
