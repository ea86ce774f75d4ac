import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Status, TransitionEntry } from '../../admin/contract.ts';
import { EXIT, messageOf, TandemError } from '../../lib/errors.ts';
import { explainLines, historyLines } from '../history-view.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import type { Host } from './host.ts';

/** The commands below "failover" that tell why things are as they are. */
export function addHistory(failover: Command, host: Host): void {
  failover
    .command('explain')
    .description('why this node is Active or not, and what would change it')
    .argument('[group]', 'one group alone (default: all of them)')
    .action((group: string | undefined, _options: object, command: Command) =>
      host.run(command, (session) => explain(session, group)),
    );
  failover
    .command('history')
    .description('every transition with what caused it, oldest first')
    .option('--group <name>', 'one group alone')
    .action((options: { group?: string }, command: Command) =>
      host.run(command, (session) => history(session, options.group)),
    );
  failover
    .command('record')
    .description('write what led to the last transition as a scenario: start.json and input.jsonl')
    .argument('<directory>', 'made if it is not there')
    .option('--group <name>', 'one group alone')
    .action((directory: string, options: { group?: string }, command: Command) =>
      host.run(command, (session) => record(session, directory, options.group)),
    );
}

async function history(session: Session, group: string | undefined): Promise<number> {
  const answer = await (await session.client()).failoverHistory(group);
  if (session.json) session.printJson(answer);
  else session.print(...historyLines(printable(answer), { style: session.style, now: Date.now() }));
  return EXIT.ok;
}

async function explain(session: Session, group: string | undefined): Promise<number> {
  const client = await session.client();
  const past = await client.failoverHistory(group);
  const failover = ofGroup((await client.status()).failover, group);
  if (session.json) session.printJson({ ...failover, last: past.transitions.slice(-1) });
  else
    session.print(
      ...explainLines(printable(failover), printable(past), { style: session.style, now: Date.now() }),
    );
  return failover.stale ? EXIT.failure : EXIT.ok;
}

function ofGroup(failover: Status['failover'], group: string | undefined): NonNullable<Status['failover']> {
  if (failover === null) throw new TandemError('no-failover', 'this daemon has no failover');
  if (group === undefined) return failover;
  return { ...failover, routers: failover.routers.filter((router) => router.group === group) };
}

async function record(session: Session, directory: string, group: string | undefined): Promise<number> {
  const { transitions } = await (await session.client()).failoverHistory(group);
  const last = transitions.findLast(({ trace }) => trace !== null);
  if (last === undefined) throw new TandemError('no-history', 'there is no transition to write down');
  try {
    writeScenario(directory, last);
  } catch (error) {
    throw new TandemError('cannot-write', `cannot write the scenario: ${messageOf(error)}`, {
      exitStatus: EXIT.osError,
      cause: error,
    });
  }
  if (session.json) session.printJson({ directory, from: last.from, to: last.to, reason: last.reason });
  else session.print(printable(`${directory}: ${last.from} -> ${last.to} (${last.reason})`));
  return EXIT.ok;
}

/** In the form that test/scenarios/vrrp has. */
function writeScenario(directory: string, entry: TransitionEntry): void {
  const { trace, group, family, time, cause } = entry;
  const shows = `${group} IPv${family}, ${new Date(time).toISOString()}: ${cause}`;
  // not recursive: Node goes round in circles where a folder refuses new ones with ENOENT, as those of /proc do
  if (!existsSync(directory)) mkdirSync(directory);
  writeFileSync(join(directory, 'start.json'), `${JSON.stringify({ shows, ...trace?.start }, null, 2)}\n`);
  const lines = trace?.input.map((input) => `${JSON.stringify(input)}\n`) ?? [];
  writeFileSync(join(directory, 'input.jsonl'), lines.join(''));
}
