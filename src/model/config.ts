import type { Duration } from '../lib/duration.ts';
import type { Endpoint } from '../lib/ip.ts';
import type { FailoverSpec } from './failover.ts';
import type { ServiceSpec } from './service.ts';

/** What relays TCP and UDP: the native addon, Node's `net` and `dgram`, or the first of these that there is. */
export const RELAYS = ['auto', 'native', 'node'] as const;
/** What it comes to. */
export type RelayKind = 'native' | 'node';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The whole configuration after validation: every default filled in, every text parsed. */
export interface Config {
  /** Absolute path of the file. */
  readonly path: string;
  readonly node: {
    readonly name: string;
    readonly logLevel: LogLevel;
  };
  readonly limits: {
    /** Connections and sessions at once over all services; null takes what file descriptors allow. */
    readonly maxConnections: number | null;
    /** A limit's gauge above this share (0 to 1) is a warning event. */
    readonly warnAt: number;
    /** Descriptors kept free for the daemon itself. */
    readonly fdReserve: number;
  };
  readonly dataPath: {
    /** Worker threads, 1 to 64; null is one for each core. */
    readonly workers: number | null;
    readonly relay: (typeof RELAYS)[number];
  };
  /** How long a removed service or a stopping daemon waits for its connections. */
  readonly drainTimeout: Duration;
  readonly services: readonly ServiceSpec[];
  readonly failover: FailoverSpec | null;
  readonly admin: {
    readonly socket: string;
    /** Group that may use the socket (mode 0660); null: owner alone (0600). */
    readonly group: string | null;
    /** Where what operators set with `--persist` is kept; null: in the service manager's state directory, if any. */
    readonly stateFile: string | null;
    /** The admin API and the status page over HTTP; null: on the socket alone. */
    readonly http: AdminHttpSpec | null;
  };
  readonly metrics: { readonly listen: Endpoint } | null;
}

/** Where the admin API is served beside its unix socket. Beyond loopback, both secrets are there. */
export interface AdminHttpSpec {
  readonly listen: Endpoint;
  /** File with the token that every action needs; null: nothing can be changed here. */
  readonly tokenFile: string | null;
  /** Files in PEM; null: plain HTTP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
}
