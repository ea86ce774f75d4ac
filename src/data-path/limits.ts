import type { PoolMember, ServiceSpec } from '../model/service.ts';
import type { CounterReader } from './counters.ts';
import type { LimitReading } from './guard/limit-watch.ts';
import type { ProcessLimits } from './protocol.ts';

/** A running service, as far as its limits go. */
export interface LimitedService {
  /** Row in the shared counters. */
  readonly slot: number;
  readonly spec: ServiceSpec;
  /** Sources known of and the most that there may be; null without a limit on them. */
  readonly sources: { readonly used: number; readonly max: number } | null;
  readonly members: readonly Pick<PoolMember, 'id' | 'slot' | 'endpoint' | 'maxConnections'>[];
}

/** How much of every limit is used now: for the utilisation gauges, `status` and the LimitWatch. */
export function readLimits(
  counters: CounterReader,
  limits: ProcessLimits,
  services: readonly LimitedService[],
): LimitReading[] {
  const { connections, fdsInUse } = counters.process();
  return [
    { name: 'process-connections', subject: null, used: connections, max: limits.maxConnections },
    { name: 'file-descriptors', subject: null, used: fdsInUse, max: limits.fdLimit - limits.fdReserve },
    ...services.flatMap((service) => serviceLimits(counters, limits, service)),
    ...services.flatMap((service) => backendLimits(counters, service)),
    ...services.flatMap((service) => portLimits(counters, limits, service)),
  ];
}

function serviceLimits(
  counters: CounterReader,
  limits: ProcessLimits,
  { slot, spec, sources }: LimitedService,
): LimitReading[] {
  const { connections, queued } = counters.service(slot);
  const subject = spec.name;
  const readings: LimitReading[] = [];
  if (spec.protocol === 'udp') {
    const max = spec.maxConnections ?? limits.maxConnections;
    readings.push({ name: 'udp-sessions', subject, used: connections, max });
  } else if (spec.maxConnections !== null) {
    readings.push({ name: 'service-connections', subject, used: connections, max: spec.maxConnections });
  }
  if (sources !== null) readings.push({ name: 'source-table', subject, ...sources });
  if (spec.queue.max > 0) readings.push({ name: 'queue', subject, used: queued, max: spec.queue.max });
  return readings;
}

function backendLimits(counters: CounterReader, { spec, members }: LimitedService): LimitReading[] {
  return members.flatMap(({ id, slot, maxConnections }): LimitReading[] => {
    if (maxConnections === null) return [];
    const used = counters.backendConnections(slot);
    return [{ name: 'backend-connections', subject: `${spec.name}/${id}`, used, max: maxConnections }];
  });
}

/**
 * Local ports: every source address has the range once for each backend (a connection is told apart by all four of
 * its addresses and ports). Clients' own addresses bring ports of their own.
 */
function portLimits(
  counters: CounterReader,
  { localPorts }: ProcessLimits,
  { spec, members }: LimitedService,
): LimitReading[] {
  if (spec.protocol === 'udp' || spec.source?.kind === 'client') return [];
  const pool = spec.source?.addresses ?? [];
  return members.map(({ id, slot, endpoint }): LimitReading => {
    const sources = pool.filter(({ family }) => family === endpoint.address.family).length;
    const used = counters.backendConnections(slot);
    const max = localPorts * Math.max(1, sources);
    return { name: 'source-ports', subject: `${spec.name}/${id}`, used, max };
  });
}
