import type { Environment } from './environment.ts';
import type { Finding } from './finding.ts';
import type { FileSchema } from './schema.ts';

/** What the schema cannot say: how keys go together, and how the file goes with this host. */
export function checkConfig(_file: FileSchema, _environment: Environment): Finding[] {
  return [];
}
