import { compareIp, type Endpoint, formatEndpoint, isUnspecified } from '../lib/ip.ts';
import { type Finding, fault } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema } from './schema.ts';
import { quote } from './values.ts';

interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly endpoint: Endpoint;
  readonly path: KeyPath;
  readonly owner: string;
}

/** Two sockets of one protocol on one address and port: the second could not be bound, or would steal. */
export function checkListeners(file: FileSchema): Finding[] {
  const listeners = listenersOf(file);
  const clashes = listeners.flatMap((listener, index) => {
    const earlier = listeners.slice(0, index).find((other) => clash(other, listener));
    return earlier === undefined ? [] : [clashFault(listener, earlier)];
  });
  return file.data_path.relay === 'node' ? [...clashes, ...listeners.flatMap(wildcardFault)] : clashes;
}

function listenersOf(file: FileSchema): Listener[] {
  const listeners = file.service.flatMap((service, index) =>
    service.listen.map((endpoint, i): Listener => {
      const path = ['service', index, 'listen', i];
      return { protocol: service.protocol, endpoint, path, owner: `service ${quote(service.name)}` };
    }),
  );
  if (file.metrics !== undefined) {
    const { listen: endpoint } = file.metrics;
    listeners.push({ protocol: 'tcp', endpoint, path: ['metrics', 'listen'], owner: '[metrics]' });
  }
  if (file.admin.listen !== undefined) {
    const path = ['admin', 'listen'];
    listeners.push({ protocol: 'tcp', endpoint: file.admin.listen, path, owner: '[admin]' });
  }
  return listeners;
}

/** IPv6 listeners are IPV6_V6ONLY, so a wildcard covers its own family alone. */
function clash(a: Listener, b: Listener): boolean {
  const [x, y] = [a.endpoint.address, b.endpoint.address];
  if (a.protocol !== b.protocol || a.endpoint.port !== b.endpoint.port || x.family !== y.family) return false;
  return compareIp(x, y) === 0 || isUnspecified(x) || isUnspecified(y);
}

function clashFault(listener: Listener, earlier: Listener): Finding {
  const own = formatEndpoint(listener.endpoint);
  const other = formatEndpoint(earlier.endpoint);
  const how = own === other ? `${own} is taken by` : `${own} overlaps with ${other} of`;
  const hint = 'choose another port or another address';
  return fault(listener.path, `${how} ${earlier.owner}, which uses ${listener.protocol} too`, hint);
}

/** The kernel picks a wildcard socket's source address: replies would not come from where the client wrote to. */
function wildcardFault({ protocol, endpoint, path }: Listener): Finding[] {
  if (protocol !== 'udp' || !isUnspecified(endpoint.address)) return [];
  const message = `${formatEndpoint(endpoint)} is a wildcard: with relay = "node" UDP replies could leave from another address`;
  return [fault(path, message, 'list every address that clients write to, or remove relay = "node"')];
}
