import { seconds } from '../lib/duration.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { CloseReason } from '../model/reason.ts';
import { QuietTally } from './quiet-tally.ts';
import type { WorkerContext } from './worker-context.ts';

const QUIET = seconds(10);

/** Whose fault ended or prevented a connection; whatever is not here is an end as it should be. */
const SIDES = {
  'client-reset': 'client',
  'client-error': 'client',
  'backend-reset': 'backend',
  'backend-error': 'backend',
  'connect-refused': 'backend',
  'connect-timeout': 'backend',
  'connect-unreachable': 'backend',
  'icmp-unreachable': 'backend',
} as const satisfies Partial<Record<CloseReason | TrafficOutcome, 'client' | 'backend'>>;

export type Failure = keyof typeof SIDES;

export const isFailure = (reason: string): reason is Failure => Object.hasOwn(SIDES, reason);

/** Tells of a service's failed connections, clients' and backends' apart; the metrics count each of them. */
export class Failures {
  readonly #context: WorkerContext;
  readonly #service: string;
  readonly #tally = new QuietTally<Failure>(QUIET);

  constructor(context: WorkerContext, service: string) {
    this.#context = context;
    this.#service = service;
  }

  /** @param source the client's address */
  add(reason: Failure, source: string, backend: string): void {
    const count = this.#tally.add(reason, this.#context.wheel.now);
    if (count === null) return;
    const side = SIDES[reason];
    const what = count === 1 ? 'a connection' : `${count} connections`;
    const last = count === 1 ? '' : 'last ';
    this.#context.emit({
      // clients reset connections all day; a backend that does is worth a look
      level: side === 'client' ? 'info' : 'warn',
      name: 'connection.failed',
      message: `service ${this.#service}: ${what} failed: ${reason} (${last}client ${source}, backend ${backend})`,
      fields: { service: this.#service, side, reason, source, backend, count },
    });
  }
}
