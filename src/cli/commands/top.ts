import { type Command, InvalidArgumentError } from 'commander';
import type { TopOptions } from '../top/run.ts';
import { parseSpan } from './arguments.ts';
import type { Host } from './host.ts';

const MAX_COUNT = 1_000_000;

export function addTop(program: Command, host: Host): void {
  program
    .command('top')
    .description('a live view with rates, to look at and to operate; plain snapshots where it is no terminal')
    .option('--interval <duration>', 'between two looks (default: 1s)', parseSpan)
    .option('--once', 'print one snapshot and end')
    .option('--count <n>', 'print so many snapshots and end', parseCount)
    .action((options: TopOptions, command: Command) =>
      host.run(command, async (session) => {
        // Loaded only here: no other command needs any of it.
        const { top } = await import('../top/run.ts');
        return top(session, options);
      }),
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MAX_COUNT) return count;
  throw new InvalidArgumentError(`It is a number from 1 to ${MAX_COUNT}.`);
}
