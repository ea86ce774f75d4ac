import type { Command } from 'commander';
import type { AdminClient } from '../../admin/client.ts';
import type { CommandResult } from '../../admin/contract.ts';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import { failoverLines } from '../status-view.ts';
import { asker } from './asker.ts';
import { lastEvent, watchDrain } from './drain.ts';
import { addDrill } from './failover-drill.ts';
import { addHistory } from './failover-history.ts';
import type { Host } from './host.ts';

const GROUP = '[group]';
const ABOUT_GROUP = 'one group alone (default: all of them)';

export function addFailover(program: Command, host: Host): void {
  const failover = program
    .command('failover')
    .description('who is active and why, and moving it')
    .action((_options: object, command: Command) => host.run(command, show));
  failover
    .command('status')
    .description('the virtual routers (the same as "tandem failover")')
    .action((_options: object, command: Command) => host.run(command, show));
  addHistory(failover, host);
  failover
    .command('handover')
    .description('give the addresses to the peer; with [failover.peer] without losing connections')
    .argument(GROUP, ABOUT_GROUP)
    .option('--require-peer', 'never by priority 0: fail when the peer cannot be asked, also with --force')
    .option('--force', 'also to a peer that is no better placed, and by priority 0 when it cannot be asked')
    .option('--wait', 'go on until the last connection that stayed here has gone, or the drain is over')
    .action((group: string | undefined, options: HandoverOptions, command: Command) =>
      host.run(command, (session) => handover(session, group, options)),
    );
  failover
    .command('takeover')
    .description('take the addresses from the peer')
    .argument(GROUP, ABOUT_GROUP)
    .option('--ask-peer', 'have the peer hand them over: planned, without losing connections')
    .action((group: string | undefined, options: { askPeer?: true }, command: Command) =>
      host.run(command, (session) =>
        act(session, (client) =>
          client.failoverCommand({
            command: options.askPeer === true ? 'retake' : 'takeover',
            by: asker(),
            ...(group === undefined ? {} : { group }),
          }),
        ),
      ),
    );
  addDrill(failover, host);
  failover
    .command('restart-agent')
    .description('replace the failover agent; the role stays')
    .action((_options: object, command: Command) =>
      host.run(command, (session) => act(session, (client) => client.restartAgent())),
    );
}

interface HandoverOptions {
  readonly requirePeer?: true;
  readonly force?: true;
  readonly wait?: true;
}

async function handover(
  session: Session,
  group: string | undefined,
  { requirePeer, force, wait }: HandoverOptions,
): Promise<number> {
  const client = await session.client();
  const since = wait === true ? await lastEvent(client) : 0;
  const status = await act(session, () =>
    client.failoverCommand({
      command: 'handover',
      by: asker(),
      ...(group === undefined ? {} : { group }),
      ...(requirePeer === undefined ? {} : { requirePeer }),
      ...(force === undefined ? {} : { force }),
    }),
  );
  if (wait === true && status === EXIT.ok) await watchDrain(session, client, since);
  return status;
}

async function show(session: Session): Promise<number> {
  const status = await (await session.client()).status();
  const { failover } = status;
  if (failover === null) {
    throw new TandemError('no-failover', 'this daemon has no failover', {
      hint: 'add a [failover] section to its configuration',
    });
  }
  if (session.json) session.printJson(failover);
  else session.print(...failoverLines(printable(failover), { style: session.style, now: Date.now() }));
  return failover.agent === 'dead' || failover.agent === 'hung' ? EXIT.failure : EXIT.ok;
}

async function act(session: Session, call: (client: AdminClient) => Promise<CommandResult>): Promise<number> {
  const result = await call(await session.client());
  if (session.json) session.printJson(result);
  else if (result.ok) session.print(printable(result.message));
  else session.note(`tandem: ${printable(result.message)}`);
  return result.ok ? EXIT.ok : EXIT.failure;
}
