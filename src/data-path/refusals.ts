import { seconds } from '../lib/duration.ts';
import type { RefusalReason } from '../model/reason.ts';
import { QuietTally } from './quiet-tally.ts';
import type { WorkerContext } from './worker-context.ts';

/** Refusals come in floods: one event a reason in this time tells of all of them. */
const QUIET = seconds(10);

/** Counts a service's refusals and tells of them, each reason at most once in ten seconds. */
export class Refusals {
  readonly #context: WorkerContext;
  readonly #service: string;
  readonly #slot: number;
  readonly #tally = new QuietTally<RefusalReason>(QUIET);

  constructor(context: WorkerContext, service: string, slot: number) {
    this.#context = context;
    this.#service = service;
    this.#slot = slot;
  }

  /** @param source the client's address */
  add(reason: RefusalReason, source: string): void {
    this.#context.counters.refused(this.#slot, reason);
    const count = this.#tally.add(reason, this.#context.wheel.now);
    if (count === null) return;
    const who = count === 1 ? `a client (${source})` : `${count} clients (last ${source})`;
    this.#context.emit({
      level: 'warn',
      name: 'guard.refused',
      message: `service ${this.#service} refused ${who}: ${reason}`,
      fields: { service: this.#service, reason, source, count },
    });
  }
}
