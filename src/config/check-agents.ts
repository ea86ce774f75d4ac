import { formatDuration } from '../lib/duration.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import { agentCheckOf } from './resolve.ts';
import type { FileSchema, ServiceSection } from './schema.ts';

/** [service.agent_check] and [service.backend.agent_check], which override it key by key. */
export function checkAgents(file: FileSchema): Finding[] {
  return file.service.flatMap((service, index) => [
    ...missingPorts(service, ['service', index]),
    ...service.backend.flatMap((_, at) => checkTimes(service, at, ['service', index])),
    ...service.backend.flatMap((_, at) => checkPort(service, at, ['service', index])),
  ]);
}

const hasNoPort = (service: ServiceSection, at: number): boolean => {
  const backend = service.backend[at];
  const check = backend === undefined ? null : agentCheckOf(backend, service.agent_check);
  return check !== null && check.port === undefined;
};

/** Told once for the service, or for each backend that has a table of its own. */
function missingPorts(service: ServiceSection, path: KeyPath): Finding[] {
  const at = service.backend.flatMap((_, index) => (hasNoPort(service, index) ? [index] : []));
  const own = at.filter((index) => service.backend[index]?.agent_check !== undefined);
  const hint = 'write the port on which the agent listens, such as port = 9777';
  const message = 'has no port to ask the agent on';
  const places =
    own.length < at.length
      ? [[...path, 'agent_check']]
      : own.map((i) => [...path, 'backend', i, 'agent_check']);
  return places.map((place) => fault(place, message, hint));
}

function checkTimes(service: ServiceSection, at: number, path: KeyPath): Finding[] {
  const backend = service.backend[at];
  const check = backend === undefined ? null : agentCheckOf(backend, service.agent_check);
  if (check === null || check.timeout <= check.interval) return [];
  const key = (['timeout', 'interval'] as const).find((one) => backend?.agent_check?.[one] !== undefined);
  // one of the service's own is told with its first backend
  if (key === undefined && at > 0) return [];
  const place =
    key === undefined ? [...path, 'agent_check', 'timeout'] : [...path, 'backend', at, 'agent_check', key];
  const interval = formatDuration(check.interval);
  const message = `the timeout of ${formatDuration(check.timeout)} is longer than the interval of ${interval}`;
  return [fault(place, message, `write a timeout of at most "${interval}", or a longer interval`)];
}

/** It would hear a web server say "HTTP/1.1 400", or nothing at all. */
function checkPort(service: ServiceSection, at: number, path: KeyPath): Finding[] {
  const backend = service.backend[at];
  const check = backend === undefined ? null : agentCheckOf(backend, service.agent_check);
  if (backend === undefined || check === null || service.protocol !== 'tcp') return [];
  if (check.port !== backend.address.port || check.address !== undefined) return [];
  const place =
    backend.agent_check?.port === undefined
      ? [...path, 'agent_check', 'port']
      : [...path, 'backend', at, 'agent_check', 'port'];
  const message = `${check.port} is where the backend itself serves: its agent listens on a port of its own`;
  return [warning(place, message, "write the agent's port")];
}
