import { Argument, type Command } from 'commander';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { completionScript, SHELLS, type Shell, TARGETS_COMMAND } from '../completion-scripts.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import type { Host } from './host.ts';

export function addCompletion(program: Command, host: Host): void {
  program
    .command('completion')
    .description('print the completion script of a shell: . <(tandem completion bash)')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .action((shell: Shell, _options: object, command: Command) =>
      host.run(command, async (session) => {
        session.io.stdout.write(completionScript(program, shell));
        return EXIT.ok;
      }),
    );
  program
    .command(TARGETS_COMMAND, { hidden: true })
    .description('the backends, for completion')
    .action((_options: object, command: Command) => host.run(command, targets));
}

async function targets(session: Session): Promise<number> {
  try {
    const { services } = printable(await (await session.client()).status());
    session.print(...services.flatMap(({ name, backends }) => backends.map(({ id }) => `${name}/${id}`)));
  } catch (error) {
    // In the middle of a command line an error would only be in the way: there is nothing to offer.
    if (!(error instanceof TandemError)) throw error;
  }
  return EXIT.ok;
}
