import type { Duration } from '../lib/duration.ts';
import type { Endpoint } from '../lib/ip.ts';
import type { RelayKind } from '../model/config.ts';
import type { EventInput } from '../model/event.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import type { SourcesRef } from './guard/types.ts';

/** Messages between the supervisor and a data-path worker, both ways. Plain data: structured clone. */

export interface WorkerData {
  /** Layout in counters.ts. */
  readonly counters: SharedArrayBuffer;
  /** This worker's number: its region of the counters. */
  readonly worker: number;
  readonly limits: ProcessLimits;
  /** The supervisor's `clockOrigin`: times in shared memory are of one clock. */
  readonly clockOrigin: number;
  readonly relay: RelayKind;
}

export interface ProcessLimits {
  /** Over all services; already fitted to the file descriptors. */
  readonly maxConnections: number;
  /** New clients are refused ("fd-headroom") when fewer descriptors than this are free. */
  readonly fdReserve: number;
  /** The process's RLIMIT_NOFILE. */
  readonly fdLimit: number;
  /** How many ports the kernel has for outgoing connections (net.ipv4.ip_local_port_range). */
  readonly localPorts: number;
}

/**
 * A listening (TCP) or bound (UDP) socket: one of the group on its address, of which each worker has its own. The supervisor keeps the one that it opened; `fd` is a duplicate,
 * and the worker's own from here on.
 */
export interface ListenerFd {
  readonly fd: number;
  readonly endpoint: Endpoint;
  /** The worker whose socket it is. Another one is lent it while that one is dead or stalled. */
  readonly place: number;
}

export type ToWorker =
  | {
      readonly type: 'service-open';
      /** Row in the shared counters. */
      readonly slot: number;
      readonly spec: ServiceSpec;
      readonly listeners: readonly ListenerFd[];
      readonly backends: BackendSet;
      readonly sources: SourcesRef | null;
    }
  /** Changed settings apply at once; listeners named in `closed` close, `opened` are added. */
  | {
      readonly type: 'service-update';
      readonly spec: ServiceSpec;
      readonly opened: readonly ListenerFd[];
      readonly closed: readonly Endpoint[];
      readonly backends: BackendSet;
      readonly sources: SourcesRef | null;
    }
  /** What 'listener-wanted' asked for, or one that is lent. */
  | { readonly type: 'listener'; readonly service: string; readonly listener: ListenerFd }
  /** Listeners of this worker, which were lent, are no longer needed. */
  | { readonly type: 'return-place'; readonly place: number }
  | { readonly type: 'backends'; readonly service: string; readonly set: BackendSet }
  /** Stop accepting, let connections end until the deadline, then close them; answers 'service-closed'. */
  | { readonly type: 'service-close'; readonly service: string; readonly drain: Duration }
  | { readonly type: 'close-backend'; readonly service: string; readonly backend: string }
  | { readonly type: 'limits'; readonly limits: ProcessLimits }
  /** Close everything by the deadline, then answer 'stopped'. */
  | { readonly type: 'stop'; readonly drain: Duration };

/** The descriptors in a message. */
export function descriptorsIn(message: ToWorker): number[] {
  const listeners =
    message.type === 'service-open'
      ? message.listeners
      : message.type === 'service-update'
        ? message.opened
        : message.type === 'listener'
          ? [message.listener]
          : [];
  return listeners.map(({ fd }) => fd);
}

export type FromWorker =
  | { readonly type: 'ready' }
  /** The worker has read a message with these descriptors: they are its own from here on. Comes before it does anything. */
  | { readonly type: 'descriptors-taken'; readonly fds: readonly number[] }
  | { readonly type: 'service-opened'; readonly service: string }
  | { readonly type: 'service-closed'; readonly service: string }
  /** The worker has closed a listener to stop accepting; it needs a duplicate of it to go on. */
  | {
      readonly type: 'listener-wanted';
      readonly service: string;
      readonly endpoint: Endpoint;
      readonly place: number;
    }
  | { readonly type: 'event'; readonly event: EventInput }
  /** Failures one by one; 'connect-ok' only for the first success after a failure. */
  | {
      readonly type: 'traffic';
      readonly service: string;
      readonly backend: string;
      readonly outcome: TrafficOutcome;
    }
  | { readonly type: 'stopped' };
