import type { Command } from 'commander';
import type { AdminClient } from '../../admin/client.ts';
import { type Duration, toMillis } from '../../lib/duration.ts';
import { EXIT } from '../../lib/errors.ts';
import type { TandemEvent } from '../../model/event.ts';
import { printable, type Style } from '../output.ts';
import type { Session } from '../session.ts';
import { parseSince } from './arguments.ts';
import { type Host, untilInterrupted } from './host.ts';

/** Shown of the past by --follow without --since. */
const FOLLOW_CONTEXT = 10;

type Since = { readonly seq: number } | { readonly span: Duration };

interface EventsOptions {
  readonly follow?: boolean;
  readonly since?: Since;
}

export function addEvents(program: Command, host: Host): void {
  program
    .command('events')
    .description('what has happened, oldest first')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--since <seq|duration>', 'after the event of that number, or not older than that', parseSince)
    .action((options: EventsOptions, command: Command) =>
      host.run(command, (session) => events(session, options)),
    );
}

async function events(session: Session, options: EventsOptions): Promise<number> {
  const client = await session.client();
  const follow = options.follow === true;
  const { signal, dispose } = untilInterrupted();
  const since = options.since;
  const after = await startOf(client, follow, since);
  const oldest = since !== undefined && 'span' in since ? Date.now() - toMillis(since.span) : 0;
  const printer = new EventPrinter(session);
  try {
    for await (const event of client.events({ after, follow, signal })) {
      if (event.time >= oldest) printer.print(event);
    }
  } finally {
    dispose();
  }
  return EXIT.ok;
}

async function startOf(client: AdminClient, follow: boolean, since: Since | undefined): Promise<number> {
  if (since !== undefined) return 'seq' in since ? since.seq : 0;
  if (!follow) return 0;
  let last = 0;
  for await (const event of client.events({ after: 0, follow: false })) last = event.seq;
  return Math.max(0, last - FOLLOW_CONTEXT);
}

class EventPrinter {
  readonly #session: Session;
  #lastSeq = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  print(event: TandemEvent): void {
    const missed = this.#lastSeq === 0 ? 0 : event.seq - this.#lastSeq - 1;
    this.#lastSeq = event.seq;
    if (missed > 0) this.#session.note(`(${missed} events missed: they came faster than they were read)`);
    if (this.#session.json) this.#session.printJson(event);
    else this.#session.print(eventText(printable(event), this.#session.style));
  }
}

const LEVEL_COLOR = { info: 'green', warn: 'yellow', error: 'red' } as const;

/** "2026-01-31T12:00:00.123Z 42 warn  backend.down: web/10.0.1.11:8080 is down  reason=timeout" */
export function eventText(event: TandemEvent, style: Style): string {
  const level = style[LEVEL_COLOR[event.level]](event.level.padEnd(5));
  const fields = Object.entries(event.fields).map(([key, value]) => `${key}=${quoted(value)}`);
  const tail = fields.length === 0 ? '' : `  ${style.dim(fields.join(' '))}`;
  const time = new Date(event.time).toISOString();
  return `${style.dim(time)} ${event.seq} ${level} ${style.bold(event.name)}: ${event.message}${tail}`;
}

function quoted(value: string | number | boolean | null): string {
  const text = String(value);
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
}
