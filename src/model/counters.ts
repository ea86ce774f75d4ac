import type { CloseReason, RefusalReason, SessionEndReason } from './reason.ts';

/** Readings of the shared counters (data-path/counters.ts), as metrics and status use them. */

export interface ServiceCounters {
  /** TCP connections or UDP sessions now, queued ones included. */
  readonly connections: number;
  readonly queued: number;
  /** Sources in the limit table. */
  readonly sources: number;
  /** Totals since the service's slot was taken. */
  readonly accepted: number;
  /** From clients towards backends, in bytes. */
  readonly bytesIn: number;
  /** From backends towards clients, in bytes. */
  readonly bytesOut: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  /** Datagrams lost in the forwarder: send errors, no session allowed. */
  readonly datagramsDropped: number;
  readonly refused: Readonly<Record<RefusalReason, number>>;
  readonly closed: Readonly<Record<CloseReason, number>>;
  readonly sessionsEnded: Readonly<Record<SessionEndReason, number>>;
}

export interface BackendCounters {
  /** In flight: established, connecting, and queued for this backend. */
  readonly connections: number;
  readonly connects: number;
  readonly connectErrors: number;
  readonly retries: number;
  /** A retry that left this backend for another. */
  readonly redispatches: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Sum and count of connect times in seconds. */
  readonly connectSecondsSum: number;
  readonly connectSecondsCount: number;
}

/** One data-path worker's part. */
export interface WorkerCounters {
  readonly connections: number;
  /** As in {@link ProcessCounters}. */
  readonly loopLagSeconds: number;
  readonly heartbeats: number;
}

/** What the health checks of a backend have found, since it joined. */
export interface CheckCounters {
  /** "ok", or the reason of a failure -> how often. */
  readonly results: ReadonlyMap<string, number>;
  /** How long the last one took. */
  readonly lastSeconds: number;
}

export interface ProcessCounters {
  readonly connections: number;
  /** Descriptors that the data path counts as its own. */
  readonly fdsInUse: number;
  /** Longest event-loop delay of the worst worker over the last second or so, in seconds. */
  readonly loopLagSeconds: number;
  /** Grows several times a second while a worker's event loop turns. */
  readonly heartbeats: number;
}
