import type { Probe } from '../../control-path/health/probe.ts';
import { formatDuration, millis, toMillis } from '../../lib/duration.ts';
import type { Endpoint } from '../../lib/ip.ts';
import type { Config } from '../../model/config.ts';
import type { ProbeSpec } from '../../model/health.ts';
import type { ServiceSpec } from '../../model/service.ts';
import { type BackendFacts, known, missing } from '../facts.ts';

/** A probe may take no longer, whatever its own time-out says; all of them together neither. */
const PROBE_MS = 2_000;
const ALL_MS = 4_000;
/** At once. */
const PROBES = 32;

/** One probe for every backend, as its health check asks, or a connection where it has none. */
export async function backendFacts(config: Config, probe: Probe): Promise<BackendFacts[]> {
  const deadline = AbortSignal.timeout(ALL_MS);
  const waiting = config.services.flatMap((service) =>
    service.backends.map(({ id, endpoint, backup }) => async (): Promise<BackendFacts> => {
      const result = await askOne(service, endpoint, probe, deadline);
      return { service: service.name, backend: id, backup, result };
    }),
  );
  const facts: BackendFacts[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) facts.push(await next());
  };
  await Promise.all(Array.from({ length: PROBES }, work));
  return facts;
}

async function askOne(
  service: ServiceSpec,
  endpoint: Endpoint,
  probe: Probe,
  deadline: AbortSignal,
): Promise<BackendFacts['result']> {
  const spec = probeOf(service);
  if (spec === null) return missing('a UDP service without a health check says nothing when asked');
  // it would run with this user's rights and environment instead of the daemon's
  if (spec.type === 'exec') return missing('programs of "exec" checks are run by the daemon alone');
  if (deadline.aborted)
    return missing(`the time for all backends (${formatDuration(millis(ALL_MS))}) ran out`);
  const time = Math.min(PROBE_MS, service.health === null ? PROBE_MS : toMillis(service.health.timeout));
  const signal = AbortSignal.timeout(time);
  const target = { address: endpoint.address, port: service.health?.port ?? endpoint.port };
  let progress = '';
  const outcome = await probe(spec, target, signal, (text) => {
    progress = `; ${text}`;
  });
  if (signal.aborted)
    return known({ ok: false, detail: `timed out after ${formatDuration(millis(time))}${progress}` });
  return known({ ok: outcome.ok, detail: outcome.detail });
}

function probeOf(service: ServiceSpec): ProbeSpec | null {
  if (service.health !== null) return service.health.probe;
  return service.protocol === 'tcp' ? { type: 'tcp', tls: null, exchange: [], sendProxy: null } : null;
}
