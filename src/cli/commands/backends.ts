import { type Command, InvalidArgumentError } from 'commander';
import type { AdminClient } from '../../admin/client.ts';
import type { BackendStatus } from '../../admin/contract.ts';
import { type Duration, toMillis } from '../../lib/duration.ts';
import { EXIT, messageOf, TandemError } from '../../lib/errors.ts';
import type { AdminState } from '../../model/service.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import { backendTable } from '../status-view.ts';
import { parseSpan, parseTarget, parseWeight, type Target } from './arguments.ts';
import type { Host } from './host.ts';
import { expandTargets, needsList } from './targets.ts';
import { type Changed, type Waited, waitDrained } from './wait-drained.ts';

interface ChangeOptions {
  readonly persist?: boolean;
  readonly wait?: boolean;
  readonly timeout?: Duration;
}

/** What is done to every backend that is named. */
interface Change {
  readonly apply: (
    client: AdminClient,
    target: Target,
    persist: { readonly persist?: true },
  ) => Promise<BackendStatus>;
  /** What is set; null for a weight. */
  readonly state: AdminState | null;
}

const STATE_COMMANDS = [
  { name: 'drain', state: 'draining', about: 'give it no new clients, let the ones it has finish' },
  { name: 'maintenance', state: 'maintenance', about: 'take it out: no clients, UDP sessions move away' },
  { name: 'ready', state: 'ready', about: 'give it clients again' },
] as const;

const EXIT_HELP = `
A name can have "*" in it: "web/*" is every backend of web, "*/10.0.1.11:*" that host in every service.
Exit status of --wait: 0 the last connection has gone, 1 it has not (time-out, or taken back meanwhile),
130 and 143 Ctrl-C and SIGTERM; what was set stays then.`;

export function addBackends(program: Command, host: Host): void {
  const backends = program
    .command('backends')
    .description(
      'list the backends, or change some (a change lasts until the next reload; with --persist it is kept over restarts, too)',
    )
    .action((_options: object, command: Command) => host.run(command, list));
  addChanges(backends, host, '');
  addChanges(program, host, 'short for "backends ...": ');
}

/** The commands that change backends; they are there with and without "backends" before them. */
function addChanges(parent: Command, host: Host, prefix: string): void {
  for (const { name, state, about } of STATE_COMMANDS) {
    const command = changeCommand(parent, name, prefix + about).action(
      (targets: Target[], options: ChangeOptions, self: Command) =>
        host.run(self, (session) =>
          change(session, targets, options, {
            apply: (client, { service, backend }, persist) =>
              client.setState(service, backend, { state, ...persist }),
            state,
          }),
        ),
    );
    command.argument('<service/backend...>', 'as in "tandem backends"', collectTargets);
    if (state !== 'ready') addWait(command);
  }
  addWait(changeCommand(parent, 'weight', `${prefix}set its weight; 0 gives it no new clients`))
    .usage('[options] <service/backend...> <weight>')
    .argument('<service/backend...>', 'as in "tandem backends", and then 0 to 256 or "configured"')
    .action((words: string[], options: ChangeOptions, self: Command) => {
      const { targets, weight } = readWeight(words, self);
      return host.run(self, (session) =>
        change(session, targets, options, {
          apply: (client, { service, backend }, persist) =>
            client.setWeight(service, backend, { weight, ...persist }),
          state: null,
        }),
      );
    });
}

const collectTargets = (text: string, before: readonly Target[] | undefined): Target[] => [
  ...(before ?? []),
  parseTarget(text),
];

/** The last word is the weight; what is wrong is told as commander tells it. */
function readWeight(words: readonly string[], self: Command): { targets: Target[]; weight: number | null } {
  const last = words.at(-1) ?? '';
  const names = words.slice(0, -1);
  if (names.length === 0) return self.error("error: missing required argument 'weight'");
  const read = <T>(parse: (text: string) => T, text: string, argument: string): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      return self.error(`error: '${text}' is invalid for argument '${argument}'. ${error.message}`);
    }
  };
  return {
    targets: names.map((name) => read(parseTarget, name, 'service/backend')),
    weight: read(parseWeight, last, 'weight'),
  };
}

function changeCommand(parent: Command, name: string, about: string): Command {
  return parent
    .command(name)
    .description(about)
    .option('--persist', 'keep it over reloads and restarts; without, the next reload ends it')
    .addHelpText('after', EXIT_HELP);
}

function addWait(command: Command): Command {
  return command
    .option('--wait', 'wait until they have no connections any more, and show how many are left')
    .option('--timeout <duration>', 'with --wait: give up after this (exit status 1)', parseSpan);
}

async function list(session: Session): Promise<number> {
  const { services } = await (await session.client()).status();
  if (session.json) {
    session.printJson(services.map(({ name, backends }) => ({ service: name, backends })));
    return EXIT.ok;
  }
  for (const { name, protocol, backends } of printable(services)) {
    session.print(`${session.style.bold(name)}  ${protocol}`);
    session.print(...backendTable(backends, session.style).map((line) => `  ${line}`));
  }
  return EXIT.ok;
}

async function change(
  session: Session,
  named: readonly Target[],
  options: ChangeOptions,
  { apply, state }: Change,
): Promise<number> {
  const client = await session.client();
  const targets = needsList(named) ? expandTargets(named, (await client.status()).services) : named;
  const changed: Changed[] = [];
  let failed = 0;
  for (const target of targets) {
    try {
      changed.push({
        target,
        backend: await apply(client, target, options.persist ? { persist: true } : {}),
      });
    } catch (error) {
      // the others are still to be changed: a reload can have removed this one in between
      if (targets.length === 1 || !(error instanceof TandemError)) throw error;
      if (error.exitStatus === EXIT.unavailable) throw error;
      session.note(`tandem: ${printable(`${target.service}/${target.backend}: ${messageOf(error)}`)}`);
      failed++;
    }
  }
  if (!options.wait || changed.length === 0) {
    show(session, changed);
    return failed > 0 ? EXIT.failure : EXIT.ok;
  }
  const timeoutMs = options.timeout === undefined ? Number.POSITIVE_INFINITY : toMillis(options.timeout);
  const waited = await waitDrained(session, client, changed, { timeoutMs, state });
  show(session, waited.backends);
  const status = tellEnd(session, waited);
  return status === EXIT.ok && failed > 0 ? EXIT.failure : status;
}

/** Says why it no longer waits, unless it has what it waited for. */
function tellEnd(session: Session, { end }: Waited): number {
  const note = (text: string): void => {
    if (!session.json) session.note(`tandem: ${text}`);
  };
  switch (end) {
    case 'empty':
      return EXIT.ok;
    case 'timeout':
      note('the time is up; what was set stays, "ready" takes it back');
      return EXIT.failure;
    case 'taken-back':
      note('its state was changed meanwhile: not waiting any longer');
      return EXIT.failure;
    case 'SIGINT':
    case 'SIGTERM':
      note('no longer waiting; what was set stays, "ready" takes it back');
      // as a shell tells of a command that a signal has ended
      return end === 'SIGINT' ? 130 : 143;
  }
}

function show(session: Session, changed: readonly Changed[]): void {
  for (const { target, backend } of changed) {
    if (session.json) session.printJson({ service: target.service, ...backend });
    else session.print(sentence(target, printable(backend)));
  }
}

function sentence({ service }: Target, backend: BackendStatus): string {
  const left = `${backend.connections} connection${backend.connections === 1 ? '' : 's'}`;
  const kept = (setting: 'state' | 'weight'): string =>
    backend.persisted.includes(setting) ? ' (persisted)' : '';
  const state = `${backend.admin}${kept('state')}, ${backend.health}`;
  return `${service}/${backend.id}: ${state}, weight ${backend.weight}${kept('weight')}, ${left}`;
}
