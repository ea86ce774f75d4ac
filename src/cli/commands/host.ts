import type { Command } from 'commander';
import type { ExitStatus } from '../../lib/errors.ts';
import { type Io, type Session, sessionOf } from '../session.ts';

/** Runs the body of whichever command was chosen and keeps its exit status. */
export class Host {
  readonly io: Io;
  /** Undefined until a command has run. */
  status: ExitStatus | number | undefined;

  constructor(io: Io) {
    this.io = io;
  }

  async run(command: Command, body: (session: Session) => Promise<number>): Promise<void> {
    this.status = await body(sessionOf(command, this.io));
  }
}

/**
 * Aborts at Ctrl-C or SIGTERM, with the signal's name as the reason, for commands that go on until then;
 * `dispose` gives the signals back.
 */
export function untilInterrupted(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const abort = (signal: NodeJS.Signals): void => controller.abort(signal);
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  return {
    signal: controller.signal,
    dispose() {
      process.removeListener('SIGINT', abort);
      process.removeListener('SIGTERM', abort);
    },
  };
}

/** Waits, or less when `signal` aborts. */
export function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, millis);
    signal.addEventListener('abort', done);
  });
}
