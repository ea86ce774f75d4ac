import { type Duration, type Instant, micros, seconds, toMicros } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';

/**
 * What a service manager is told (sd_notify(3)): READY=1, RELOADING=1, STOPPING=1, STATUS=, WATCHDOG=1. It never
 * disturbs the daemon: what cannot be sent is tried again with the next `tick`, and a socket that does not work is told
 * of once.
 */
export interface ServiceManagerOptions {
  /** Sends one datagram; throws when that fails. Null: nobody is to be told. */
  readonly send: ((message: Uint8Array) => void) | null;
  /** How long the manager waits for a sign of life (WATCHDOG_USEC); null when it does not. */
  readonly watchdog: Duration | null;
  readonly pid: number;
  /** CLOCK_MONOTONIC in microseconds. */
  readonly monotonicMicros: () => bigint;
  readonly warn: (message: string) => void;
}

/** How often a sign of life is given: often, so that a fault has all but this of the manager's patience to pass. */
const SIGN_OF_LIFE = seconds(1);
/** Messages that are kept for a manager that does not read at the moment: more states than a daemon goes through. */
const MAX_WAITING = 16;
/** Bytes of a status line: systemd cuts what is longer than its buffer of 4 KiB, with all that it says. */
const MAX_STATUS = 512;

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #period: Duration;
  readonly #waiting: string[] = [];
  #status = '';
  #broken = false;
  #lastSign: Instant | null = null;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const { watchdog } = options;
    this.#period = micros(Math.min(SIGN_OF_LIFE, watchdog === null ? SIGN_OF_LIFE : watchdog / 4));
  }

  /** Started, or through with a reload. */
  ready(): void {
    this.#tell(`READY=1\nMAINPID=${this.#options.pid}`);
  }

  reloading(): void {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${this.#options.monotonicMicros()}`);
  }

  /** @param within how long the stop may take, whatever TimeoutStopSec= says */
  stopping(within: Duration): void {
    this.#tell(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${Math.round(toMicros(within))}`);
  }

  /** One line for `systemctl status`; the same again is not sent. */
  status(line: string): void {
    const text = line.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MAX_STATUS);
    if (text === this.#status) return;
    // of a line that is old before it could be sent nobody need hear
    if (this.#waiting.length > 0 || !this.#send(`STATUS=${text}`)) return;
    this.#status = text;
  }

  /**
   * To be called several times a second.
   * @param fault why no sign of life may be given; null when all is well. Asked when one is due
   */
  tick(now: Instant, fault: () => string | null): void {
    this.#flush();
    if (this.#options.watchdog === null) return;
    if (this.#lastSign !== null && now - this.#lastSign < this.#period) return;
    if (fault() === null && this.#send('WATCHDOG=1')) this.#lastSign = now;
  }

  #tell(message: string): void {
    if (this.#options.send === null) return;
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
    this.#flush();
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#send(next)) return;
      this.#waiting.shift();
    }
  }

  #send(message: string): boolean {
    const { send, warn } = this.#options;
    if (send === null) return false;
    try {
      send(Buffer.from(message));
      this.#broken = false;
      return true;
    } catch (error) {
      if (!this.#broken) warn(`the service manager cannot be told: ${messageOf(error)}`);
      this.#broken = true;
      return false;
    }
  }
}

/** How the manager wants to be told: the variables of sd_notify(3) and sd_watchdog_enabled(3). */
export function managerVariables(
  env: NodeJS.ProcessEnv,
  pid: number,
): { readonly socket: string | null; readonly watchdog: Duration | null } {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = env;
  const socket = NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === '' ? null : NOTIFY_SOCKET;
  const period = Number(WATCHDOG_USEC);
  const ours = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  const watchdog = socket !== null && ours && Number.isSafeInteger(period) && period > 0;
  return { socket, watchdog: watchdog ? micros(period) : null };
}

/** They are for this process alone: a program that it starts must not speak in its name. */
export function forgetManagerVariables(env: NodeJS.ProcessEnv): void {
  delete env['NOTIFY_SOCKET'];
  delete env['WATCHDOG_USEC'];
  delete env['WATCHDOG_PID'];
}
