import type { Command } from 'commander';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { VERSION } from '../../lib/version.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import { planUpgrade } from '../upgrade/plan.ts';
import { planLines } from '../upgrade/view.ts';
import { asker } from './asker.ts';
import type { Host } from './host.ts';

interface UpgradeOptions {
  readonly plan?: true;
  readonly to?: string;
}

const EXIT_HELP = `
It changes nothing: it looks at both nodes and says which command comes next, on which of them.
Exit status: 0 it is safe to go on, 1 it is not, and why.`;

export function addUpgrade(program: Command, host: Host): void {
  program
    .command('upgrade')
    .description('the steps of a rolling upgrade of the pair, as it stands now')
    .option('--plan', 'say what to do (there is nothing else that it does)')
    .option('--to <version>', 'the version that both nodes are to have')
    .addHelpText('after', EXIT_HELP)
    .action((options: UpgradeOptions, command: Command) =>
      host.run(command, (session) => upgrade(session, options)),
    );
}

async function upgrade(session: Session, { plan: wanted, to }: UpgradeOptions): Promise<number> {
  if (wanted !== true) {
    throw new TandemError('usage', 'tandem upgrade does not upgrade by itself', {
      hint: 'tandem upgrade --plan says what to do',
      exitStatus: EXIT.usage,
    });
  }
  const client = await session.client();
  const status = await client.status();
  const routers = status.failover?.routers ?? [];
  const asks = status.failover?.pair != null && routers.some(({ state }) => state === 'Active');
  const inquiry = asks ? await client.failoverCommand({ command: 'inquire', by: asker() }) : null;
  const plan = planUpgrade({ status, installed: VERSION, inquiry, target: to });
  if (session.json) session.printJson(plan);
  else session.print(...planLines(printable(plan), session.style));
  return plan.safe ? EXIT.ok : EXIT.failure;
}
