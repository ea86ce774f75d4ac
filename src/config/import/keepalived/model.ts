import type { IpAddress, IpFamily, IpPrefix } from '../../../lib/ip.ts';
import type { Section } from './journal.ts';
import type { Statement } from './parser.ts';

/** What a keepalived configuration says, in its own terms and units (seconds), as far as Tandem has use for it. */
export interface KeepalivedModel {
  readonly globals: Globals;
  readonly instances: readonly VrrpInstance[];
  readonly virtualServers: readonly VirtualServer[];
}

export interface Globals {
  readonly routerId: string | undefined;
  readonly version: number | undefined;
  readonly realtimePriority: number | undefined;
  readonly defaultInterface: string;
  readonly announce: Announce;
  readonly timeouts: LvsTimeouts;
}

export interface Announce {
  readonly repeat: number | undefined;
  readonly interval: number | undefined;
  readonly refresh: number | undefined;
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
