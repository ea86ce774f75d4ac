import type { IpPrefix } from '../../lib/ip.ts';
import type { SharedFloats } from '../../lib/shared-floats.ts';
import type { RefusalReason } from '../../model/reason.ts';
import type { RateSpec, SourceLimitSpec } from '../../model/service.ts';
import type { SourceTicket } from './source-table.ts';

/** The part of a ServiceSpec that the guard enforces. */
export interface GuardSpec {
  readonly maxConnections: number | null;
  readonly rate: RateSpec | null;
  readonly sourceLimit: SourceLimitSpec | null;
  readonly allow: readonly IpPrefix[];
  readonly deny: readonly IpPrefix[];
}

/** The part of the worker's ProcessLimits that the guard enforces. */
export interface GuardLimits {
  readonly maxConnections: number;
  readonly fdReserve: number;
  readonly fdLimit: number;
}

/** The shared gauges that limits are taken from, exact over all workers (CounterWriter is one). */
export interface SharedGauges {
  processConnections(): number;
  tryEnterProcess(max: number): boolean;
  leaveProcess(): void;
  serviceConnections(slot: number): number;
  tryEnterService(slot: number, max: number | null): boolean;
  leaveService(slot: number): void;
  fdsInUse(): number;
}

/** What the workers share beside the gauges (SharedState has it). */
export interface SharedRates {
  /** The theoretical arrival time of each service. */
  readonly arrivals: SharedFloats;
}

/** A service's sources in memory that all workers share; null where sources have no limit. */
export interface SourcesRef {
  /** Another one means other memory: counting begins anew. */
  readonly generation: number;
  readonly buffer: SharedArrayBuffer;
}

/** What an admitted client holds until `release`: its source's place, or null where sources have no limit. */
export type Ticket = SourceTicket | null;

export type Admission =
  | { readonly admitted: true; readonly ticket: Ticket }
  | { readonly admitted: false; readonly reason: RefusalReason };
