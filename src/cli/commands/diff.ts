import type { Command } from 'commander';
import { EXIT } from '../../lib/errors.ts';
import { diffLines } from '../diff-view.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import type { Host } from './host.ts';

const EXIT_HELP = `
Exit status, as diff(1): 0 what runs is what the file says, 1 it is not. 64 the file cannot be loaded as it is now.`;

export function addDiff(program: Command, host: Host): void {
  program
    .command('diff')
    .description('what runs against the file: what was set at run time, and what is not reloaded yet')
    .addHelpText('after', EXIT_HELP)
    .action((_options: object, command: Command) => host.run(command, diff));
}

async function diff(session: Session): Promise<number> {
  const result = await (await session.client()).diff();
  const { problems, persistence } = printable(result);
  if (session.json) session.printJson(result);
  else {
    session.print(...diffLines(printable(result), { style: session.style, now: Date.now() }));
    const { renderProblem } = await import('../../config/errors.ts');
    for (const problem of problems) session.note(renderProblem({ ...problem, hint: problem.hint }));
    if (persistence.fault !== null) session.note(`tandem: ${persistence.fault}`);
  }
  if (problems.some(({ severity }) => severity === 'error')) return EXIT.usage;
  return result.same ? EXIT.ok : EXIT.failure;
}
