import type { Command } from 'commander';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { VERSION } from '../../lib/version.ts';
import type { Session } from '../session.ts';
import type { Host } from './host.ts';

export function addVersion(program: Command, host: Host): void {
  program
    .command('version')
    .description("this command's version, and the daemon's where one can be reached")
    .action((_options: object, command: Command) => host.run(command, version));
}

async function version(session: Session): Promise<number> {
  const daemon = await daemonVersion(session);
  if (session.json) session.printJson({ command: VERSION, daemon, node: process.versions.node });
  else session.print(`tandem ${VERSION} (daemon: ${daemon ?? 'not reached'}, node ${process.versions.node})`);
  return EXIT.ok;
}

async function daemonVersion(session: Session): Promise<string | null> {
  try {
    return (await (await session.client()).status()).version;
  } catch (error) {
    if (error instanceof TandemError) return null;
    throw error;
  }
}
