import type { Duration } from '../lib/duration.ts';
import type { Endpoint, IpAddress, IpPrefix } from '../lib/ip.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';
import type { AgentCheckSpec } from './agent-check.ts';
import type { HealthSpec, PassiveSpec } from './health.ts';

export type Protocol = 'tcp' | 'udp';

export const ALGORITHMS = [
  'round-robin',
  'least-connections',
  'random-two',
  'source-hash',
  'maglev',
  'first',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/**
 * What a hash is taken of: the client's address; its address and port with the service's (5-tuple); or the TLS server
 * name, and the client's address where it names none.
 */
export const HASH_KEYS = ['source', 'tuple', 'server-name'] as const;
export type HashKey = (typeof HASH_KEYS)[number];

export interface ScheduleSpec {
  readonly algorithm: Algorithm;
  /** maglev only: source-hash always takes the client's address. */
  readonly hashKey: HashKey;
  /** maglev's table size, a prime. */
  readonly tableSize: number;
  /** Bounded load: a backend's ceiling in per cent of the mean load (> 100); null when unbounded. */
  readonly balanceFactor: number | null;
}

/**
 * What happens when neither a primary nor a backup backend is eligible: refuse the client; send it to a
 * primary as if health did not matter ("fail-open"); or to a backup as if health did not matter.
 */
export type NoneEligible = 'reject' | 'fail-open' | 'backup';

/** `count` new connections each `per`, of which `burst` may come at once. */
export interface RateSpec {
  readonly count: number;
  readonly per: Duration;
  readonly burst: number;
}

/** Limits for each client network: /32 and /128 unless set wider. */
export interface SourceLimitSpec {
  readonly maxConnections: number | null;
  readonly rate: RateSpec | null;
  /** IPv4 prefix length that counts as one source, 8 to 32. */
  readonly prefix4: number;
  /** IPv6 prefix length that counts as one source, 16 to 128. */
  readonly prefix6: number;
}

/** Clients that wait for a slot on a full backend, first in first out. `max` 0 turns waiting off. */
export interface QueueSpec {
  readonly max: number;
  readonly timeout: Duration;
}

export interface TimeoutSpec {
  /** To a backend, for each attempt. */
  readonly connect: Duration;
  /** No byte in either direction. */
  readonly idle: Duration;
  /** After one side has closed its half. */
  readonly fin: Duration;
  /** UDP: no datagram in either direction. */
  readonly session: Duration;
  /** From accept until the PROXY header and the ClientHello have come, where they are waited for. */
  readonly preface: Duration;
}

export interface BackendSpec {
  /** Identity for hashing, metrics and commands: `id` where set, else "address:port". Unique in a service. */
  readonly id: string;
  readonly endpoint: Endpoint;
  /** 0 to 256; 0 takes no new clients. */
  readonly weight: number;
  readonly maxConnections: number | null;
  /** Used only when no backend without this mark is eligible. */
  readonly backup: boolean;
  /** Who is asked what the backend would like; null: nobody. */
  readonly agentCheck: AgentCheckSpec | null;
}

/** The PROXY protocol tells who the client of a relayed connection is. TCP only. */
export interface ProxyProtocolSpec {
  /** Every client begins with a header, and these proxies alone may connect; null: no client does. */
  readonly accept: readonly IpPrefix[] | null;
  /** What each backend gets before the client's bytes; null for nothing. */
  readonly send: ProxyVersion | null;
}

/** The address that connections to backends leave from. */
export type SourceSpec =
  /** The client's own (IP_TRANSPARENT), where the backend's family is the client's. */
  | { readonly kind: 'client' }
  /** These in turn, where there is one of the backend's family: each has ports of its own. */
  | { readonly kind: 'pool'; readonly addresses: readonly IpAddress[] };

/** Clients whose TLS server name is one of these are served by another service. */
export interface SniRoute {
  /** In lower case; "*.example.org" is any name that ends so. */
  readonly names: readonly string[];
  readonly service: string;
}

/** A service as configured. Plain data: it crosses threads by structured clone. */
export interface ServiceSpec {
  /** Unique; [a-zA-Z0-9_.-]+ */
  readonly name: string;
  readonly protocol: Protocol;
  readonly listen: readonly Endpoint[];
  readonly schedule: ScheduleSpec;
  readonly noneEligible: NoneEligible;
  /** Connections (TCP) or sessions (UDP) at once. */
  readonly maxConnections: number | null;
  /** TCP at `maxConnections`: stop accepting and let the kernel's backlog hold, or accept and close. */
  readonly onLimit: 'wait' | 'reject';
  readonly rate: RateSpec | null;
  readonly sourceLimit: SourceLimitSpec | null;
  /** When not empty, only these networks are served. */
  readonly allow: readonly IpPrefix[];
  /** Refused first of all. */
  readonly deny: readonly IpPrefix[];
  readonly queue: QueueSpec;
  readonly timeouts: TimeoutSpec;
  /** Further connect attempts after the first one fails. */
  readonly retries: number;
  /** May a retry go to another backend? */
  readonly redispatch: boolean;
  /** TCP_NODELAY on both sides. */
  readonly noDelay: boolean;
  /** SO_KEEPALIVE on both sides. */
  readonly keepAlive: boolean;
  /** Kernel accept backlog. */
  readonly backlog: number;
  readonly proxyProtocol: ProxyProtocolSpec;
  /** Null: the kernel chooses. */
  readonly source: SourceSpec | null;
  /** Not empty: TLS clients are looked at and routed; those without a route stay here. */
  readonly sni: readonly SniRoute[];
  readonly health: HealthSpec | null;
  readonly passive: PassiveSpec | null;
  /** Linear ramp from 10 % to 100 % of the weight after a recovery; 0 is off. */
  readonly slowStart: Duration;
  /** TCP connections of a backend that goes down. */
  readonly onDown: 'keep' | 'close';
  readonly backends: readonly BackendSpec[];
}

/** What the operator wants of a backend: all, no new clients, or nothing. */
export const ADMIN_STATES = ['ready', 'draining', 'maintenance'] as const;
export type AdminState = (typeof ADMIN_STATES)[number];

/** How a backend stands towards clients right now, as the pool tells the data path. */
export type Disposition =
  /** Takes new clients. */
  | 'eligible'
  /** Takes no new clients; the ones it has go on (draining, weight 0, an unused backup). */
  | 'keep'
  /** Down or in maintenance: UDP sessions move with their next datagram. */
  | 'leave';

/** One backend as the data path sees it. */
export interface PoolMember {
  readonly id: string;
  /** Row in the shared counters. */
  readonly slot: number;
  readonly endpoint: Endpoint;
  /** Effective weight: configured or set at run time, times slow start and agent share. > 0 when eligible. */
  readonly weight: number;
  readonly maxConnections: number | null;
  readonly disposition: Disposition;
}

/** Everything the data path needs to know about a service's backends; replaced whole at each change. */
export interface BackendSet {
  /** Grows with every change, so that a late message cannot undo a newer one. */
  readonly version: number;
  readonly members: readonly PoolMember[];
}
