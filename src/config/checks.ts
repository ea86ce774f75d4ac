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

/** sun_path of unix(7) has 108 bytes, the last of them NUL. */
const MAX_SOCKET_PATH = 107;

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

function checkAdmin({ admin }: FileSchema): Finding[] {
  const length = Buffer.byteLength(admin.socket);
  if (length <= MAX_SOCKET_PATH) return [];
  const hint = `write at most ${MAX_SOCKET_PATH} bytes, such as "/run/tandem/admin.sock"`;
  return [fault(['admin', 'socket'], `is ${length} bytes long: too long for a unix socket`, hint)];
}
