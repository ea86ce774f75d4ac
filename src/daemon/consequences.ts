import { fitConnections } from '../control-path/descriptors.ts';
import { localPorts } from '../control-path/local-ports.ts';
import type { ProcessLimits } from '../data-path/protocol.ts';
import { isUnspecified } from '../lib/ip.ts';
import type { Config, RelayKind } from '../model/config.ts';
import type { Native } from '../native/index.ts';

// What follows from a configuration and this host.

/** @throws TandemError 'fd-limit' */
export function processLimits(config: Config, workers: number, native: Native): ProcessLimits {
  const { hard } = native.getFdLimit();
  const { soft } = native.raiseFdLimit(hard);
  return {
    maxConnections: fitConnections(config, workers, soft),
    fdReserve: config.limits.fdReserve,
    fdLimit: soft,
    localPorts: localPorts(),
  };
}

/** The addon is always there, for the listening sockets; an older build of it may lack a relay. */
export function relayOf({ dataPath: { relay } }: Config, native: Native): RelayKind {
  if (relay !== 'auto') return relay;
  return 'openRelay' in native && 'openUdpRelay' in native ? 'native' : 'node';
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
