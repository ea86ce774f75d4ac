import { EXIT, TandemError } from '../lib/errors.ts';
import type { Config } from '../model/config.ts';
import type { ServiceSpec } from '../model/service.ts';

/**
 * File descriptors that a service can use at its limits: a TCP connection takes one for the client and, unless it
 * waits in the queue, one for the backend; a UDP session takes one. Each worker has a listening socket of its own on each
 * address, of which the supervisor keeps a duplicate. Infinity without a limit.
 */
export function descriptorsOf(service: ServiceSpec, workers: number): number {
  const clients = service.maxConnections ?? Number.POSITIVE_INFINITY;
  const listeners = service.listen.length * workers * 2;
  if (service.protocol === 'udp') return clients + listeners;
  let backends = 0;
  for (const backend of service.backends) backends += backend.maxConnections ?? Number.POSITIVE_INFINITY;
  return clients + Math.min(clients, backends) + listeners;
}

/**
 * The process-wide connection limit: `limits.max_connections`, else what the services' limits add up to, else
 * (a service without a limit) what the descriptors allow.
 *
 * Explicit limits that cannot be kept are refused: starting anyway would only move the failure to the worst
 * moment, when accept fails under load.
 *
 * @param workers of the data path
 * @param fdLimit RLIMIT_NOFILE after it has been raised as far as it goes
 * @throws TandemError 'fd-limit'
 */
export function fitConnections(config: Config, workers: number, fdLimit: number): number {
  const { maxConnections, fdReserve } = config.limits;
  const available = fdLimit - fdReserve;
  const fits = Math.floor(available / 2);
  const bounded = config.services.filter((service) => service.maxConnections !== null);
  const unbounded = bounded.length < config.services.length;

  const explicit =
    bounded.reduce((sum, service) => sum + descriptorsOf(service, workers), 0) + (unbounded ? 2 : 0);
  const ceiling = maxConnections === null ? Number.POSITIVE_INFINITY : maxConnections * 2;
  const needed = unbounded && maxConnections !== null ? ceiling : Math.min(explicit, ceiling);
  if (needed > available) {
    throw new TandemError(
      'fd-limit',
      `the configured limits need ${needed + fdReserve} file descriptors and the hard limit is ${fdLimit}`,
      {
        hint: `raise it (LimitNOFILE=${needed + fdReserve} in the systemd unit, or ulimit -Hn), or set limits.max_connections to at most ${fits}`,
        exitStatus: EXIT.osError,
      },
    );
  }
  if (maxConnections !== null) return maxConnections;
  return unbounded ? fits : bounded.reduce((sum, service) => sum + (service.maxConnections ?? 0), 0);
}
