import type { IpAddress, IpFamily, IpPrefix } from '../../../lib/ip.ts';
import type { TomlValue } from '../toml.ts';
import type { Section } from './journal.ts';
import type { Statement } from './parser.ts';

/** What a keepalived configuration says, in its own terms and units (seconds), as far as Tandem has use for it. */
export interface KeepalivedModel {
  readonly globals: Globals;
  readonly instances: readonly VrrpInstance[];
  readonly syncGroups: readonly SyncGroup[];
  readonly trackers: readonly TrackerDefinition[];
  readonly linkDelays: ReadonlyMap<string, LinkDelays>;
  /** Of garp_group, by interface. */
  readonly spacings: ReadonlyMap<string, ArpSpacing>;
  readonly virtualServers: readonly VirtualServer[];
}

export interface Globals {
  readonly routerId: string | undefined;
  readonly version: number | undefined;
  readonly realtimePriority: number | undefined;
  readonly startupDelay: number | undefined;
  readonly strict: boolean;
  readonly defaultInterface: string;
  readonly announce: Announce;
  readonly timeouts: LvsTimeouts;
}

/** Gratuitous ARPs and neighbour advertisements; seconds. Undefined is keepalived's own default. */
export interface Announce {
  readonly repeat: number | undefined;
  /** A second batch after this long. */
  readonly delay: number | undefined;
  readonly refresh: number | undefined;
  readonly refreshRepeat: number | undefined;
  /** In place of `repeat` and `delay` when a lower priority was seen while master. */
  readonly conflictRepeat: number | undefined;
  readonly conflictDelay: number | undefined;
  readonly spacing: ArpSpacing;
}

/** Between two of them, whatever they are about. */
export interface ArpSpacing {
  readonly arp: number | undefined;
  readonly neighbor: number | undefined;
}

export interface LvsTimeouts {
  readonly tcp?: number;
  readonly tcpfin?: number;
  readonly udp?: number;
}

export interface VirtualIp {
  readonly item: Statement;
  readonly prefix: IpPrefix;
  /** The interface that it names. */
  readonly device: string | undefined;
  /** Of virtual_ipaddress_excluded. */
  readonly excluded: boolean;
}

export interface Peer {
  readonly item: Statement;
  readonly address: IpAddress;
}

/** interface_up_down_delays of one interface. */
export interface LinkDelays {
  readonly section: Section;
  readonly name: string;
  readonly item: Statement;
  readonly down: number;
  readonly up: number;
}

/** A vrrp_script, vrrp_track_process or track_file. */
export interface TrackerDefinition {
  readonly kind: 'script' | 'process' | 'file';
  readonly section: Section;
  readonly name: string;
  readonly weight: number;
  readonly reverse: boolean;
  /** Undefined when Tandem cannot look at it; the journal says why. */
  readonly look: Look | undefined;
}

/** How Tandem looks at something, in the terms of [[failover.track]]; seconds. */
export interface Look {
  readonly keys: Readonly<Record<string, TomlValue | undefined>>;
  readonly interval: number;
  readonly rise: number;
  readonly fall: number;
  /** It must not be there: the look is turned round. */
  readonly invert: boolean;
}

export type TrackKind = TrackerDefinition['kind'] | 'interface';

/** A line of track_script and its like. */
export interface TrackUse {
  readonly item: Statement;
  readonly kind: TrackKind;
  readonly name: string;
  /** Undefined takes the definition's; an interface has 0. */
  readonly weight: number | undefined;
  readonly reverse: boolean | undefined;
}

export interface SyncGroup {
  readonly section: Section;
  readonly name: string;
  /** Lines of its `group`, one for each name. */
  readonly members: readonly { readonly item: Statement; readonly name: string }[];
  readonly tracks: readonly TrackUse[];
  /** sync_group_tracking_weight: weights of its members count. */
  readonly weighs: boolean;
}

export interface VrrpInstance {
  readonly section: Section;
  readonly name: string;
  /** Of its advertised addresses; undefined without any. */
  readonly family: IpFamily | undefined;
  readonly interface: string | undefined;
  readonly vrid: number | undefined;
  readonly priority: number;
  readonly advertInterval: number;
  readonly version: number | undefined;
  readonly startsAsMaster: boolean;
  readonly noPreempt: Statement | undefined;
  readonly preemptDelay: number;
  readonly addresses: readonly VirtualIp[];
  readonly peers: readonly Peer[];
  readonly source: IpAddress | undefined;
  readonly announce: Announce;
  readonly tracks: readonly TrackUse[];
}

export interface ServerAddress {
  readonly address: IpAddress;
  /** 0 is every port. */
  readonly port: number;
}

export interface VirtualServer {
  readonly section: Section;
  /** As written: "10.0.0.100 80", "group WEB". */
  readonly title: string;
  /** The group's name, when it is one. */
  readonly group: string | undefined;
  readonly listen: readonly ServerAddress[];
  readonly protocol: string;
  readonly realServers: readonly RealServer[];
  readonly sorryServer: (ServerAddress & { readonly statement: Statement }) | undefined;
}

export interface RealServer extends ServerAddress {
  readonly section: Section;
  readonly weight: number;
  /** 0 is without limit. */
  readonly maxConnections: number;
}
