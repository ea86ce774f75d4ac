import type { Command } from 'commander';
import type { AdminClient } from '../../admin/client.ts';
import type { Status } from '../../admin/contract.ts';
import { type Duration, millis, toMillis } from '../../lib/duration.ts';
import { EXIT, messageOf, TandemError } from '../../lib/errors.ts';
import { clip, printable } from '../output.ts';
import type { Session } from '../session.ts';
import { renderStatus, verdictOf } from '../status-view.ts';
import { parseSpan } from './arguments.ts';
import { type Host, pause, untilInterrupted } from './host.ts';

/** A daemon is not asked more often than this, whatever --interval says. */
const MIN_INTERVAL_MS = 200;

interface StatusOptions {
  readonly watch?: boolean;
  readonly interval?: Duration;
}

export function addStatus(program: Command, host: Host): void {
  program
    .command('status')
    .description('services, backends, limits, failover; exit status 1 when something is down')
    .option('-w, --watch', 'refresh until Ctrl-C')
    .option('--interval <duration>', 'between refreshes (default: 1s)', parseSpan)
    .action((options: StatusOptions, command: Command) =>
      host.run(command, (session) => (options.watch ? watch(session, options) : once(session))),
    );
}

async function once(session: Session): Promise<number> {
  const status = await (await session.client()).status();
  if (session.json) session.printJson(status);
  else session.print(...renderStatus(printable(status), { style: session.style, now: Date.now() }));
  return verdictOf(status);
}

async function watch(session: Session, options: StatusOptions): Promise<number> {
  const client = await session.client();
  const interval = Math.max(MIN_INTERVAL_MS, toMillis(options.interval ?? millis(1_000)));
  const screen = session.json || !session.io.stdout.isTTY ? null : new Screen(session.io.stdout);
  const { signal, dispose } = untilInterrupted();
  let before: Reading | undefined;
  screen?.enter();
  try {
    while (!signal.aborted) {
      const reading = await read(client);
      show(session, screen, reading, before);
      before = reading;
      await pause(interval, signal);
    }
  } finally {
    screen?.leave();
    dispose();
  }
  return EXIT.ok;
}

/** A status, or why there is none: a watched daemon may stop and come back. */
interface Reading {
  readonly at: number;
  readonly status: Status | undefined;
  readonly failure: string;
}

async function read(client: AdminClient): Promise<Reading> {
  const at = Date.now();
  try {
    return { at, status: await client.status(), failure: '' };
  } catch (error) {
    if (!(error instanceof TandemError) || error.exitStatus !== EXIT.unavailable) throw error;
    return { at, status: undefined, failure: messageOf(error) };
  }
}

function show(session: Session, screen: Screen | null, reading: Reading, before: Reading | undefined): void {
  const { status, at } = reading;
  if (session.json) {
    session.printJson(status ?? { error: { code: 'unreachable', message: reading.failure } });
    return;
  }
  const earlier = before?.status;
  const view = {
    style: session.style,
    now: at,
    ...(before === undefined || earlier === undefined
      ? {}
      : { before: { status: earlier, seconds: (at - before.at) / 1_000 } }),
  };
  const lines =
    status === undefined ? [session.style.red(reading.failure)] : renderStatus(printable(status), view);
  if (screen === null) session.print(...lines, '');
  else screen.draw(lines);
}

/** The terminal's other screen, redrawn whole without flicker; what was there before comes back. */
class Screen {
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  enter(): void {
    this.#out.write('\u001b[?1049h\u001b[?25l');
  }

  draw(lines: readonly string[]): void {
    // A terminal that does not keep up gets fewer frames, not a backlog.
    if (this.#out.writableNeedDrain) return;
    const { columns = 80, rows = 24 } = this.#out;
    const visible = lines.slice(0, rows - 1).map((line) => `${clip(line, columns)}\u001b[K\r\n`);
    this.#out.write(`\u001b[H${visible.join('')}\u001b[J`);
  }

  leave(): void {
    this.#out.write('\u001b[?25h\u001b[?1049l');
  }
}
