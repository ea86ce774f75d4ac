import { Command, CommanderError } from 'commander';
import { EXIT, messageOf, TandemError } from '../lib/errors.ts';
import { VERSION } from '../lib/version.ts';
import { addBackends } from './commands/backends.ts';
import { addCheck } from './commands/check.ts';
import { addCompletion } from './commands/completion.ts';
import { addDiff } from './commands/diff.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEvents } from './commands/events.ts';
import { addFailover } from './commands/failover.ts';
import { Host } from './commands/host.ts';
import { addImport } from './commands/import.ts';
import { addInit } from './commands/init.ts';
import { addReload } from './commands/reload.ts';
import { addRun } from './commands/run.ts';
import { addStatus } from './commands/status.ts';
import { addTop } from './commands/top.ts';
import { addUpgrade } from './commands/upgrade.ts';
import { addVersion } from './commands/version.ts';
import { DEFAULT_CONFIG, DEFAULT_SOCKET, type GlobalOptions, type Io, reportError } from './session.ts';

export const EXIT_HELP = `
Exit status: 0 well, 1 the answer is no, 64 wrong command line or configuration, 69 no daemon reached,
71 refused by the system, 77 a permission is missing.`;

/** All commands; `host` keeps the exit status of the one that runs. */
export function buildProgram(host: Host): Command {
  const program = new Command('tandem')
    .description('L4 TCP/UDP load balancer with built-in VRRP failover')
    .version(VERSION, '-V, --version', "print this command's version")
    .option('-c, --config <file>', `the configuration (default: ${DEFAULT_CONFIG})`)
    .option('-s, --socket <path>', `the daemon's socket (default: $TANDEM_SOCKET, else ${DEFAULT_SOCKET})`)
    .option('--json', 'answer in JSON, for programs')
    .option('--no-color', 'no colours on a terminal either (as NO_COLOR=1)')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => host.io.stdout.write(text),
      writeErr: (text) => host.io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'tandem: ')),
    })
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXIT_HELP)
    .exitOverride();
  const add = [
    addRun,
    addCheck,
    addStatus,
    addTop,
    addBackends,
    addFailover,
    addDoctor,
    addReload,
    addDiff,
    addEvents,
    addInit,
    addImport,
    addUpgrade,
  ];
  for (const register of [...add, addCompletion, addVersion]) register(program, host);
  return program;
}

/**
 * Runs one command line (without "node" and the script). Errors have been told to the user when it resolves.
 * @returns the exit status of the process.
 */
export async function runCli(argv: readonly string[], io: Io = process): Promise<number> {
  const host = new Host(io);
  const flags = { json: argv.includes('--json'), color: !argv.includes('--no-color') };
  io.stdout.on('error', (error) => endUnheard(error, io, flags));
  // There is nobody left to tell; what is being done goes on, and its exit status says how it went.
  io.stderr.on('error', () => undefined);
  try {
    await buildProgram(host).parseAsync([...argv], { from: 'user' });
    return host.status ?? EXIT.ok;
  } catch (error) {
    // Commander has printed its own errors, and help is not one.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    reportError(error, io, flags);
    return error instanceof TandemError ? error.exitStatus : EXIT.failure;
  }
}

/** The answer cannot be written: its reader has what it wants ("tandem status | head"), or the disk is full. */
function endUnheard(cause: NodeJS.ErrnoException, io: Io, flags: GlobalOptions): void {
  if (cause.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
  const error = new TandemError('output', `the answer cannot be written: ${messageOf(cause)}`, {
    hint: 'what was written of it is not complete',
    cause,
  });
  reportError(error, io, flags);
  process.exit(EXIT.osError);
}
