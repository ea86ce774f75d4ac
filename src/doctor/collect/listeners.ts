import { errnoOf, messageOf } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../../lib/ip.ts';
import type { Config } from '../../model/config.ts';
import type { Protocol } from '../../model/service.ts';
import type { Native } from '../../native/index.ts';
import { type DaemonFacts, type Fact, known, type ListenerFacts, missing } from '../facts.ts';
import type { Files } from './files.ts';
import { ownerOfPort } from './port-owner.ts';

/** Are the listeners of the configuration open in the daemon, or could they be? */
export function listenerFacts(
  files: Files,
  native: Native,
  config: Config,
  daemon: DaemonFacts,
): ListenerFacts[] {
  return config.services.flatMap(({ name, protocol, listen }) =>
    listen.map((endpoint) => ({
      service: name,
      protocol,
      endpoint: formatEndpoint(endpoint),
      port: endpoint.port,
      found: lookAt(files, native, { name, protocol, endpoint }, daemon),
    })),
  );
}

interface Wanted {
  readonly name: string;
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
}

function lookAt(files: Files, native: Native, wanted: Wanted, daemon: DaemonFacts): ListenerFacts['found'] {
  const text = formatEndpoint(wanted.endpoint);
  if (daemon.kind === 'forbidden' || daemon.kind === 'silent') {
    return missing('the daemon may have it open and cannot be asked');
  }
  if (daemon.kind === 'running') {
    const own = daemon.status.services.some(
      ({ protocol, listen }) => protocol === wanted.protocol && listen.includes(text),
    );
    if (own) return known({ kind: 'daemon' });
  }
  return tryToBind(files, native, wanted);
}

/** Binds for a moment, as the daemon would, but without sharing the port: nothing else tells as surely. */
function tryToBind(
  files: Files,
  native: Native,
  { protocol, endpoint }: Wanted,
): Fact<{ kind: 'free' } | { kind: 'taken'; by: string | null } | { kind: 'refused'; why: string }> {
  const options = {
    address: endpoint.address.text,
    port: endpoint.port,
    freebind: true,
    reusePort: false,
  };
  try {
    const fd =
      protocol === 'tcp'
        ? native.openTcpListener({ ...options, backlog: 1 })
        : native.openUdpSocket({ ...options, bufferSize: 0 });
    native.closeFd(fd);
    return known({ kind: 'free' });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EADDRINUSE')
      return known({ kind: 'taken', by: ownerOfPort(files, protocol, endpoint.port) });
    if (errno === 'EACCES') return missing('a port below 1024 needs root (CAP_NET_BIND_SERVICE)');
    return known({ kind: 'refused', why: messageOf(error) });
  }
}
