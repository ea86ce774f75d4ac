import { type Command, Option } from 'commander';
import type { LogFormat } from '../../observability/logger.ts';
import { DEFAULT_CONFIG, type Session } from '../session.ts';
import type { Host } from './host.ts';

interface RunOptions {
  readonly logFormat?: LogFormat;
  readonly watch?: boolean;
}

export function addRun(program: Command, host: Host): void {
  program
    .command('run')
    .description('run the daemon in the foreground')
    .addOption(
      new Option('--log-format <format>', 'default: pretty on a terminal, json otherwise').choices([
        'pretty',
        'json',
      ]),
    )
    .option('--watch', 'reload whenever the configuration file changes')
    .action((options: RunOptions, command: Command) => host.run(command, (session) => run(session, options)));
}

/** Ends when the daemon has stopped, with its exit status. */
async function run(session: Session, { logFormat, watch }: RunOptions): Promise<number> {
  // Loaded only here: no other command needs the daemon's insides.
  const { runDaemon } = await import('../../daemon.ts');
  // The reader of the log can go, and a terminal be closed, in every format: forwarding goes on.
  session.io.stdout.removeAllListeners('error').on('error', () => undefined);
  return runDaemon({
    configPath: session.configOption ?? DEFAULT_CONFIG,
    ...(logFormat === undefined ? {} : { logFormat }),
    watch: watch === true,
  });
}
