import { fitConnections } from '../control-path/descriptors.ts';
import { localPorts } from '../control-path/local-ports.ts';
import type { ProcessLimits } from '../data-path/protocol.ts';
import { EXIT, TandemError } from '../lib/errors.ts';
import { formatEndpoint, isUnspecified } from '../lib/ip.ts';
import type { Config, RelayKind } from '../model/config.ts';
import type { ServiceSpec } from '../model/service.ts';
import type { Native } from '../native/index.ts';

// What follows from a configuration and this host.

/** Pipes that a worker of the native relay may have, two descriptors each (native/src/relay-pipes.h: kMost and kMostFree). */
const PIPE_DESCRIPTORS = 2 * (32 + 8);

/** @throws TandemError 'fd-limit' */
export function processLimits(
  config: Config,
  { workers, relay }: { readonly workers: number; readonly relay: RelayKind },
  native: Native,
): ProcessLimits {
  const { hard } = native.getFdLimit();
  const { soft } = native.raiseFdLimit(hard);
  const fdLimit = relay === 'native' ? soft - workers * PIPE_DESCRIPTORS : soft;
  return {
    maxConnections: fitConnections(config, workers, fdLimit),
    fdReserve: config.limits.fdReserve,
    fdLimit,
    localPorts: localPorts(),
  };
}

/** The addon is always there, for the listening sockets; an older build of it may lack a relay. */
export function relayOf({ dataPath: { relay } }: Config, native: Native): RelayKind {
  if (relay !== 'auto') return relay;
  return 'openRelay' in native && 'openUdpRelay' in native ? 'native' : 'node';
}

/**
 * The check of a file looks at the `relay` that is written there; the one that runs is another until the restart, or with "auto"
 * and an addon that lacks the native one.
 * @param hint what would give the daemon the native relay
 * @throws TandemError 'relay-lacks' when `relay` cannot serve what is configured
 */
export function requireRelay({ services }: Config, relay: RelayKind, hint: string): void {
  if (relay === 'native') return;
  const lacking = services.flatMap(needsNative);
  if (lacking.length === 0) return;
  const message = `relay = "node" runs and cannot do this: ${lacking.join('; ')}`;
  throw new TandemError('relay-lacks', message, { hint, exitStatus: EXIT.usage });
}

function needsNative({ name, protocol, listen, source }: ServiceSpec): string[] {
  if (protocol === 'tcp') {
    return source?.kind === 'client' ? [`service ${name}: source = "client" takes transparent sockets`] : [];
  }
  return listen
    .filter(({ address }) => isUnspecified(address))
    .map(
      (endpoint) =>
        `service ${name}: UDP on the wildcard ${formatEndpoint(endpoint)} could be answered from another address`,
    );
}

/** Then nobody can go on once the role has moved. */
export function servesOnlyVirtualAddresses({ services, failover }: Config): boolean {
  if (failover === null) return false;
  const virtual = new Set(
    failover.groups.flatMap(({ addresses, excluded }) =>
      [...addresses, ...excluded].map(({ address }) => address.text),
    ),
  );
  return services.every((service) =>
    service.listen.every(({ address }) => !isUnspecified(address) && virtual.has(address.text)),
  );
}
