import { checkAdmin } from './check-admin.ts';
import { checkAgents } from './check-agents.ts';
import { checkFailover } from './check-failover.ts';
import { checkHost } from './check-host.ts';
import { checkListeners } from './check-listeners.ts';
import { checkPrefaces } from './check-preface.ts';
import { checkRoutes } from './check-routes.ts';
import { checkServices } from './check-services.ts';
import { checkSources } from './check-source.ts';
import { checkTracks } from './check-tracks.ts';
import type { Environment } from './environment.ts';
import { type Finding, fault } from './finding.ts';
import type { FileSchema } from './schema.ts';

/** What the schema cannot say: how keys go together, and how the file goes with this host. Pure. */
export function checkConfig(file: FileSchema, environment: Environment): Finding[] {
  return [
    ...checkPurpose(file),
    ...checkServices(file),
    ...checkAgents(file),
    ...checkListeners(file),
    ...checkPrefaces(file),
    ...checkSources(file),
    ...checkFailover(file),
    ...checkRoutes(file),
    ...checkTracks(file),
    ...checkHost(file, environment),
    ...checkAdmin(file),
  ];
}

function checkPurpose(file: FileSchema): Finding[] {
  if (file.service.length > 0 || file.failover !== undefined) return [];
  const hint = 'add a [[service]]; "tandem init" writes a commented file to begin with';
  return [fault(['service'], 'there is nothing to do: no [[service]] and no [failover]', hint)];
}
