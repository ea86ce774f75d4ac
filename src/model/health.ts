import type { Duration } from '../lib/duration.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';

/** One way to find out whether a backend works. Each probe ends within `timeout`. */
export type ProbeSpec =
  | TcpProbeSpec
  | HttpProbeSpec
  | {
      readonly type: 'udp';
      /** Payload sent. */
      readonly send: Uint8Array;
      /** Prefix that the reply must begin with; null accepts any reply. */
      readonly expect: Uint8Array | null;
    }
  | {
      readonly type: 'dns';
      /** Name asked for. */
      readonly query: string;
      readonly recordType: 'A' | 'AAAA' | 'NS' | 'SOA' | 'TXT';
      /** Answer code wanted: 0 NOERROR, 3 NXDOMAIN... */
      readonly expectRcode: number;
    }
  | {
      readonly type: 'exec';
      /** Program and arguments; never a shell string. Exit status 0 is healthy. */
      readonly command: readonly [string, ...string[]];
    };

export interface TcpProbeSpec {
  readonly type: 'tcp';
  /** null: without TLS. */
  readonly tls: {
    /** The server name; null names nobody. */
    readonly host: string | null;
    /** Check the backend's certificate against the system's roots. */
    readonly verify: boolean;
  } | null;
  /** What is said and must be answered, in this order; empty: that a connection comes about is enough. */
  readonly exchange: readonly ExchangeStep[];
  /** A PROXY header that names nobody comes first; null for none. */
  readonly sendProxy: ProxyVersion | null;
}

export interface ExchangeStep {
  readonly send: Uint8Array | null;
  /** What the backend says from then on contains this. */
  readonly expect: Uint8Array | null;
  /** It matches this regular expression, each byte being a character (source text; validated when read). */
  readonly expectRegex: string | null;
}

export interface HttpProbeSpec {
  readonly type: 'http';
  readonly tls: boolean;
  /** With TLS: check the backend's certificate against the system's roots. */
  readonly tlsVerify: boolean;
  readonly method: string;
  readonly path: string;
  /** Host header and SNI; null sends the backend's address. */
  readonly host: string | null;
  readonly expectStatus: readonly number[];
  /** The body contains this text. */
  readonly expectBody: string | null;
  /** The body matches this regular expression (source text; validated when read). */
  readonly expectRegex: string | null;
  /** JSON pointer (RFC 6901) -> value that it must have. */
  readonly expectJson: Readonly<Record<string, string | number | boolean | null>>;
  /** A PROXY header that names nobody comes first, also before TLS; null for none. */
  readonly sendProxy: ProxyVersion | null;
}

export interface HealthSpec {
  readonly probe: ProbeSpec;
  /** Probe this port instead of the backend's own. */
  readonly port: number | null;
  readonly interval: Duration;
  /** Interval while a verdict is in doubt (between rise and fall). */
  readonly fastInterval: Duration;
  /** Every interval is stretched or shrunk by up to this share, 0 to 0.5. */
  readonly jitter: number;
  readonly timeout: Duration;
  /** Consecutive successes until up. */
  readonly rise: number;
  /** Consecutive failures until down. */
  readonly fall: number;
  /** "checking": not eligible until the first probe, which decides alone; "up": eligible at once. */
  readonly initial: 'checking' | 'up';
}

/** "unchecked": the service has no active check, the backend counts as up. */
export type HealthState = 'up' | 'down' | 'checking' | 'unchecked';

/** Why a probe failed: the word of log, metric and test. */
export const PROBE_FAILURES = [
  'timeout',
  'refused',
  'unreachable',
  'reset',
  'tls',
  'protocol',
  'status',
  'body-mismatch',
  'body-too-large',
  'json-mismatch',
  'rcode',
  'exit-status',
  'exec-failed',
  /** This host could not even ask (no descriptor, no memory, no port): says nothing about the backend. */
  'local',
] as const;
export type ProbeFailure = (typeof PROBE_FAILURES)[number];

/** What one probe found. `detail` is a phrase for people: "HTTP 503", "connection refused". */
export type ProbeResult =
  | { readonly ok: true; readonly latency: Duration; readonly detail: string }
  | {
      readonly ok: false;
      readonly latency: Duration;
      readonly reason: ProbeFailure;
      readonly detail: string;
    };

/** Ejection by what real traffic shows. */
export interface PassiveSpec {
  /** Consecutive failures (connect refused or timed out, reset before any byte, ICMP unreachable). */
  readonly failures: number;
  /** First ejection lasts this long, the n-th n times as long... */
  readonly baseEjection: Duration;
  /** ...up to this. */
  readonly maxEjection: Duration;
  /** Never more than this share of the service's backends at once, in per cent. */
  readonly maxEjectedPercent: number;
}

/** What traffic showed of a backend. */
export type TrafficOutcome =
  | 'connect-ok'
  | 'connect-refused'
  | 'connect-timeout'
  | 'connect-unreachable'
  | 'early-reset'
  | 'icmp-unreachable';
