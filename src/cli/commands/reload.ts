import type { Command } from 'commander';
import { EXIT } from '../../lib/errors.ts';
import { printable } from '../output.ts';
import type { Host } from './host.ts';

export function addReload(program: Command, host: Host): void {
  program
    .command('reload')
    .description('read the configuration again; a wrong one changes nothing (exit status 64)')
    .action((_options: object, command: Command) =>
      host.run(command, async (session) => {
        const result = await (await session.client()).reload();
        if (session.json) session.printJson(result);
        else if (result.changes.length === 0) session.print('nothing has changed');
        else session.print(...printable(result.changes));
        return EXIT.ok;
      }),
    );
}
