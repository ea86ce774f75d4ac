import type { AdminClient } from '../../admin/client.ts';
import type { BackendStatus, Status } from '../../admin/contract.ts';
import { TandemError } from '../../lib/errors.ts';
import type { AdminState } from '../../model/service.ts';
import { addSample, type DrainTrack, progressOf, progressText, startDrain } from '../drain-progress.ts';
import { clip, printable } from '../output.ts';
import type { Session } from '../session.ts';
import type { Target } from './arguments.ts';
import { pause, untilInterrupted } from './host.ts';

const POLL_MS = 500;

/** A backend that has been changed, and how it was last seen. */
export interface Changed {
  readonly target: Target;
  readonly backend: BackendStatus;
}

/** How the waiting ended. "taken-back": somebody has given it another state, so that it need never be empty. */
export type WaitEnd = 'empty' | 'timeout' | 'SIGINT' | 'SIGTERM' | 'taken-back';

export interface Waited {
  readonly end: WaitEnd;
  readonly backends: readonly Changed[];
}

export interface WaitOptions {
  readonly timeoutMs: number;
  /** What was set; null where that is no state. */
  readonly state: AdminState | null;
}

/**
 * Waits until these backends have no connections, and tells how many there are: a line that changes on a
 * terminal, a line for each change elsewhere, and JSON lines on standard output with --json.
 * @throws TandemError "unknown-backend" when a reload removes one, or as AdminClient does
 */
export async function waitDrained(
  session: Session,
  client: AdminClient,
  first: readonly Changed[],
  { timeoutMs, state }: WaitOptions,
): Promise<Waited> {
  const deadline = performance.now() + timeoutMs;
  const progress = new ProgressLine(session, first);
  const { signal, dispose } = untilInterrupted();
  let backends = first;
  let track = startDrain(leftIn(first), performance.now());
  try {
    for (;;) {
      const left = leftIn(backends);
      if (left === 0) return { end: 'empty', backends };
      if (state !== null && backends.some(({ backend }) => backend.admin !== state)) {
        return { end: 'taken-back', backends };
      }
      if (signal.aborted) return { end: signal.reason === 'SIGTERM' ? 'SIGTERM' : 'SIGINT', backends };
      if (performance.now() >= deadline) return { end: 'timeout', backends };
      progress.show(track, backends);
      await pause(Math.min(POLL_MS, Math.max(1, deadline - performance.now())), signal);
      if (signal.aborted) continue;
      const status = await client.status();
      backends = first.map(({ target, backend }) => ({ target, backend: find(status, target, backend.id) }));
      track = addSample(track, leftIn(backends), performance.now());
    }
  } finally {
    progress.end();
    dispose();
  }
}

const leftIn = (backends: readonly Changed[]): number =>
  backends.reduce((sum, { backend }) => sum + backend.connections, 0);

function find({ services }: Status, { service }: Target, id: string): BackendStatus {
  const backends = services.find(({ name }) => name === service)?.backends ?? [];
  const backend = backends.find((candidate) => candidate.id === id);
  if (backend !== undefined) return backend;
  throw new TandemError('unknown-backend', `${service}/${id} is no longer there`, {
    hint: 'a reload has removed it; its connections end with the drain time-out',
  });
}

class ProgressLine {
  readonly #session: Session;
  readonly #name: string;
  readonly #total: number;
  #shown = '';

  constructor(session: Session, backends: readonly Changed[]) {
    const [only] = backends;
    this.#session = session;
    this.#total = backends.length;
    this.#name =
      backends.length === 1 && only !== undefined
        ? printable(`${only.target.service}/${only.backend.id}`)
        : `${backends.length} backends`;
  }

  show(track: DrainTrack, backends: readonly Changed[]): void {
    const progress = progressOf(track);
    const busy = backends.filter(({ backend }) => backend.connections > 0).length;
    if (this.#session.json) {
      this.#session.printJson({ progress: { ...progress, backends: this.#total, busy } });
      return;
    }
    const { stderr } = this.#session.io;
    const several = this.#total === 1 ? '' : `, ${this.#total - busy} of ${this.#total} empty`;
    const text = `${this.#name}: ${progressText(progress, stderr.isTTY === true)}${several}`;
    // elsewhere than on a terminal the estimate alone is no news
    const news = stderr.isTTY ? text : String(progress.left);
    if (news === this.#shown) return;
    this.#shown = news;
    stderr.write(stderr.isTTY ? `\r${clip(text, (stderr.columns || 80) - 1)}\u001b[K` : `${text}\n`);
  }

  end(): void {
    if (this.#shown !== '' && this.#session.io.stderr.isTTY) this.#session.io.stderr.write('\r\u001b[K');
  }
}
