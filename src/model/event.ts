/** Stable names of everything that is worth a line: the log's `event` field and `tandem events`. */
export const EVENT_NAMES = [
  'daemon.started',
  'daemon.stopping',
  'daemon.stopped',
  'daemon.manager',
  'config.reloaded',
  'config.rejected',
  'config.warning',
  'service.opened',
  'service.changed',
  'service.closed',
  'listener.failed',
  'backend.up',
  'backend.down',
  'backend.ejected',
  'backend.returned',
  'backend.admin',
  'backend.weight',
  'backend.drained',
  'backend.agent',
  'service.none-eligible',
  'service.eligible-again',
  'guard.refused',
  'connection.failed',
  'limit.warning',
  'limit.cleared',
  'worker.exited',
  'worker.stalled',
  'tracker.up',
  'tracker.down',
  'failover.transition',
  'failover.address-added',
  'failover.address-removed',
  'failover.address-restored',
  'failover.route-added',
  'failover.route-removed',
  'failover.route-restored',
  'failover.route-foreign',
  'failover.conflict',
  'failover.duplicate-address',
  'failover.link',
  'failover.stall',
  'failover.realtime',
  'failover.startup-delay',
  'failover.agent-started',
  'failover.agent-exited',
  'failover.agent-hung',
  'failover.supervisor-lost',
  'failover.supervisor-returned',
  'failover.discarded',
  'failover.cleanup',
  'failover.handover',
  'failover.drill',
  'failover.peer',
  'failover.comparison',
  'failover.pair-drift',
  'failover.witness',
  'failover.auth-warning',
  'failover.error',
  'notify.started',
  'notify.finished',
  'notify.failed',
  'notify.vetoed',
  'runtime.restored',
  'runtime.dropped',
  'runtime.set-aside',
  'runtime.unsaved',
  'runtime.saved',
  'admin.action',
  'admin.denied',
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export type EventLevel = 'info' | 'warn' | 'error';

export type EventFields = Readonly<Record<string, string | number | boolean | null>>;

/** Something that happened, before the timeline gives it a number and a time. */
export interface EventInput {
  readonly level: EventLevel;
  readonly name: EventName;
  /** One sentence for people. */
  readonly message: string;
  readonly fields: EventFields;
}

export interface TandemEvent extends EventInput {
  /** Grows by one; gaps mean that the ring has dropped events. */
  readonly seq: number;
  /** Wall-clock milliseconds since 1970. */
  readonly time: number;
}

/** How any part of Tandem tells that something happened. */
export type Emit = (event: EventInput) => void;
