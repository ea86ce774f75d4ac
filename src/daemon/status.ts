import type { BackendStatus, ServiceStatus } from '../admin/contract.ts';
import type { BackendView } from '../control-path/pool-backend.ts';
import { formatEndpoint } from '../lib/ip.ts';
import type { BackendCounters, ServiceCounters } from '../model/counters.ts';
import type { ScheduleSpec, ServiceSpec } from '../model/service.ts';

/** What `status` says of one backend: the pool's view beside the data path's counters. */
export function backendStatus(view: BackendView, counters: BackendCounters): BackendStatus {
  return {
    ...view,
    connections: counters.connections,
    connects: counters.connects,
    connectErrors: counters.connectErrors,
    bytesIn: counters.bytesIn,
    bytesOut: counters.bytesOut,
  };
}

export function serviceStatus(
  spec: ServiceSpec,
  counters: Omit<ServiceCounters, 'sources'>,
  backends: BackendStatus[],
): ServiceStatus {
  return {
    name: spec.name,
    protocol: spec.protocol,
    listen: spec.listen.map(formatEndpoint),
    schedule: describeSchedule(spec.schedule),
    connections: counters.connections,
    maxConnections: spec.maxConnections,
    queued: counters.queued,
    accepted: counters.accepted,
    bytesIn: counters.bytesIn,
    bytesOut: counters.bytesOut,
    refused: Object.fromEntries(Object.entries(counters.refused).filter(([, count]) => count > 0)),
    backends,
  };
}

/** "maglev(source, 65537)", "least-connections". */
export function describeSchedule(schedule: ScheduleSpec): string {
  const { algorithm, hashKey, tableSize, balanceFactor } = schedule;
  const details: string[] = [];
  if (algorithm === 'maglev') details.push(hashKey, String(tableSize));
  if (balanceFactor !== null) details.push(`at most ${balanceFactor}% of the mean`);
  return details.length === 0 ? algorithm : `${algorithm}(${details.join(', ')})`;
}
