import type { Command } from 'commander';
import type { AdminClient } from '../../admin/client.ts';
import type { BackendStatus } from '../../admin/contract.ts';
import { type Duration, toMillis } from '../../lib/duration.ts';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import { backendTable } from '../status-view.ts';
import { parseSpan, parseTarget, parseWeight, type Target } from './arguments.ts';
import { type Host, pause, untilInterrupted } from './host.ts';

const POLL_MS = 500;

interface ChangeOptions {
  readonly persist?: boolean;
  readonly wait?: boolean;
  readonly timeout?: Duration;
}

const STATE_COMMANDS = [
  { name: 'drain', state: 'draining', about: 'give it no new clients, let the ones it has finish' },
  { name: 'maintenance', state: 'maintenance', about: 'take it out: no clients, UDP sessions move away' },
  { name: 'ready', state: 'ready', about: 'give it clients again' },
] as const;

export function addBackends(program: Command, host: Host): void {
  const backends = program
    .command('backends')
    .description(
      'list the backends, or change one (a change lasts until the next reload, with --persist until the daemon ends)',
    )
    .action((_options: object, command: Command) => host.run(command, list));
  for (const { name, state, about } of STATE_COMMANDS) {
    const command = changeCommand(backends, name, about).action(
      (target: Target, options: ChangeOptions, self: Command) =>
        host.run(self, (session) =>
          change(session, target, options, (client, persist) =>
            client.setState(target.service, target.backend, { state, ...persist }),
          ),
        ),
    );
    if (state !== 'ready') addWait(command);
  }
  addWait(changeCommand(backends, 'weight', 'set its weight; 0 gives it no new clients'))
    .argument('<weight>', '0 to 256, or "configured" for what the file says', parseWeight)
    .action((target: Target, weight: number | null, options: ChangeOptions, self: Command) =>
      host.run(self, (session) =>
        change(session, target, options, (client, persist) =>
          client.setWeight(target.service, target.backend, { weight, ...persist }),
        ),
      ),
    );
}

function changeCommand(parent: Command, name: string, about: string): Command {
  return parent
    .command(name)
    .description(about)
    .argument('<service/backend>', 'as in "tandem backends"', parseTarget)
    .option('--persist', 'keep it over reloads');
}

function addWait(command: Command): Command {
  return command
    .option('--wait', 'wait until it has no connections any more')
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
  target: Target,
  options: ChangeOptions,
  apply: (client: AdminClient, persist: { persist?: true }) => Promise<BackendStatus>,
): Promise<number> {
  const client = await session.client();
  let backend = await apply(client, options.persist ? { persist: true } : {});
  let status: number = EXIT.ok;
  if (options.wait) {
    const end = await drained(session, client, target, backend, options.timeout);
    backend = end.backend;
    if (!end.empty) status = EXIT.failure;
  }
  if (session.json) session.printJson(backend);
  else session.print(sentence(target, printable(backend)));
  return status;
}

function sentence({ service }: Target, backend: BackendStatus): string {
  const left = `${backend.connections} connection${backend.connections === 1 ? '' : 's'}`;
  return `${service}/${backend.id}: ${backend.admin}, ${backend.health}, weight ${backend.weight}, ${left}`;
}

/** Waits for the last connection, telling on standard error how many there are. */
async function drained(
  session: Session,
  client: AdminClient,
  target: Target,
  first: BackendStatus,
  timeout: Duration | undefined,
): Promise<{ backend: BackendStatus; empty: boolean }> {
  const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + toMillis(timeout);
  const progress = new Progress(session);
  const { signal, dispose } = untilInterrupted();
  let backend = first;
  try {
    while (backend.connections > 0 && Date.now() < deadline && !signal.aborted) {
      progress.show(`${target.service}/${target.backend}: ${backend.connections} connections left`);
      await pause(Math.min(POLL_MS, deadline - Date.now()), signal);
      backend = await find(client, target.service, first.id);
    }
  } finally {
    progress.end();
    dispose();
  }
  return { backend, empty: backend.connections === 0 };
}

async function find(client: AdminClient, service: string, id: string): Promise<BackendStatus> {
  const { services } = await client.status();
  const backends = services.find(({ name }) => name === service)?.backends ?? [];
  const backend = backends.find((candidate) => candidate.id === id);
  if (backend !== undefined) return backend;
  throw new TandemError('unknown-backend', `${service}/${id} is no longer there`, {
    hint: 'a reload has removed it; its connections end with the drain time-out',
  });
}

/** One line that is written over on a terminal, and only when it changes elsewhere. */
class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #quiet: boolean;
  #last = '';

  constructor(session: Session) {
    this.#out = session.io.stderr;
    this.#quiet = session.json;
  }

  show(text: string): void {
    if (this.#quiet || text === this.#last) return;
    this.#last = text;
    const line = printable(text);
    this.#out.write(this.#out.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
  }

  end(): void {
    if (this.#last !== '' && this.#out.isTTY) this.#out.write('\r\u001b[K');
  }
}
