import type { AdminClient } from '../../admin/client.ts';
import type { DrainStatus } from '../../admin/contract.ts';
import { formatAge, printable } from '../output.ts';
import type { Session } from '../session.ts';
import { pause, untilInterrupted } from './host.ts';

const POLL_MS = 500;

/** The number of the last event so far. */
export async function lastEvent(client: AdminClient): Promise<number> {
  let last = 0;
  for await (const { seq } of client.events({ after: 0, follow: false })) last = seq;
  return last;
}

/**
 * Shows how the connections that stayed here become fewer, until the last has gone or the drain is over, and
 * prints how it ended: the daemon's own words of after event `since`. Ctrl-C ends the watching, not the drain.
 */
export async function watchDrain(session: Session, client: AdminClient, since: number): Promise<void> {
  const interrupted = untilInterrupted();
  const progress = new Progress(session);
  try {
    while (!interrupted.signal.aborted) {
      const { failover } = await client.status();
      const drains = (failover?.drains ?? []).filter(({ role }) => role === 'giver');
      if (drains.length === 0) break;
      progress.show(drainText(drains));
      await pause(POLL_MS, interrupted.signal);
    }
    progress.end();
    for await (const event of client.events({ after: since, follow: false })) {
      const { millis } = event.fields;
      if (event.name === 'failover.handover' && typeof millis === 'number') {
        session.print(printable(event.message));
      }
    }
  } finally {
    progress.end();
    interrupted.dispose();
  }
}

function drainText(drains: readonly DrainStatus[]): string {
  const left = drains.reduce((sum, { connections }) => sum + (connections ?? 0), 0);
  const first = drains.reduce((sum, { initially }) => sum + (initially ?? 0), 0);
  const ends = Math.max(...drains.map(({ endsInMillis }) => endsInMillis));
  const counted = drains.every(({ connections }) => connections !== null);
  const number = counted ? `${left} of ${first} connections left` : 'counting connections';
  return `draining: ${number}, over in ${formatAge(ends)} at the latest`;
}

/** On a terminal one line that changes; elsewhere a line for every change, without the countdown's. */
class Progress {
  readonly #session: Session;
  #shown = '';

  constructor(session: Session) {
    this.#session = session;
  }

  show(text: string): void {
    const { stderr } = this.#session.io;
    if (stderr.isTTY) stderr.write(`\r\u001b[K${text}`);
    else if (text.split(',')[0] !== this.#shown.split(',')[0]) this.#session.note(text);
    this.#shown = text;
  }

  end(): void {
    const { stderr } = this.#session.io;
    if (stderr.isTTY && this.#shown !== '') stderr.write('\r\u001b[K');
    this.#shown = '';
  }
}
