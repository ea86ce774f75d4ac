import { type Duration, formatDuration, millis, toMillis } from '../../lib/duration.ts';
import { EXIT } from '../../lib/errors.ts';
import { pause, untilInterrupted } from '../commands/host.ts';
import type { Session } from '../session.ts';
import { Feed } from './feed.ts';
import type { Model } from './model.ts';
import { renderPlain } from './render.ts';
import { ASCII, hasUnicode, lineText, UNICODE } from './spans.ts';

/** A daemon is not asked more often than this, whatever --interval says. */
const MIN_INTERVAL_MS = 200;
/** A pipe has no width: room for every column. */
const PLAIN_WIDTH = 160;

export interface TopOptions {
  readonly interval?: Duration;
  readonly once?: true;
  readonly count?: number;
}

/** `tandem top`: live on a terminal, snapshots elsewhere or when they are asked for. */
export async function top(session: Session, options: TopOptions): Promise<number> {
  const { io } = session;
  const intervalMs = Math.max(MIN_INTERVAL_MS, toMillis(options.interval ?? millis(1_000)));
  const count = options.count ?? (options.once === true || !isTerminal(session) ? 1 : undefined);
  const client = await session.client();
  if (count !== undefined) return snapshots(session, new Feed(client, intervalMs), count, intervalMs);
  // a snapshot needs no library to draw with
  const { Live } = await import('./live.ts');
  const rhythm = `every ${formatDuration(millis(intervalMs))}`;
  await new Live({ io, client, intervalMs, rhythm, color: session.color }).run();
  return EXIT.ok;
}

const isTerminal = ({ io, json }: Session): boolean =>
  !json && io.stdin.isTTY === true && io.stdout.isTTY === true && io.env['TERM'] !== 'dumb';

/** Each a look after the one before, so that the first one has rates, too. */
async function snapshots(session: Session, feed: Feed, count: number, intervalMs: number): Promise<number> {
  const { signal, dispose } = untilInterrupted();
  try {
    await feed.read();
    for (let i = 0; i < count; i++) {
      await pause(intervalMs, signal);
      if (signal.aborted) break;
      const model = await feed.read();
      if (i > 0 && !session.json) session.print('');
      show(session, model);
    }
  } finally {
    dispose();
  }
  return EXIT.ok;
}

function show(session: Session, model: Model): void {
  if (session.json) {
    const { at, totals, rows, events, status } = model;
    session.printJson({ at, totals, rows, events, status });
    return;
  }
  const glyphs = hasUnicode(session.io.env) ? UNICODE : ASCII;
  const width = session.io.stdout.columns ?? PLAIN_WIDTH;
  session.print(...renderPlain(model, glyphs, width).map((line) => lineText(line, session.style)));
}
