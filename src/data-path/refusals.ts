import { after, type Instant, instant, seconds } from '../lib/duration.ts';
import type { RefusalReason } from '../model/reason.ts';
import type { WorkerContext } from './worker-context.ts';

/** Refusals come in floods: one event a reason in this time tells of all of them. */
const QUIET = seconds(10);

interface Tally {
  count: number;
  quietUntil: Instant;
}

/** Counts a service's refusals and tells of them, each reason at most once in ten seconds. */
export class Refusals {
  readonly #context: WorkerContext;
  readonly #service: string;
  readonly #slot: number;
  readonly #tallies = new Map<RefusalReason, Tally>();

  constructor(context: WorkerContext, service: string, slot: number) {
    this.#context = context;
    this.#service = service;
    this.#slot = slot;
  }

  /** @param source the client's address */
  add(reason: RefusalReason, source: string): void {
    this.#context.counters.refused(this.#slot, reason);
    const now = this.#context.wheel.now;
    const tally = this.#tallies.get(reason) ?? { count: 0, quietUntil: instant(Number.NEGATIVE_INFINITY) };
    this.#tallies.set(reason, tally);
    tally.count++;
    if (now < tally.quietUntil) return;
    const { count } = tally;
    tally.count = 0;
    tally.quietUntil = after(now, QUIET);
    const who = count === 1 ? `a client (${source})` : `${count} clients (last ${source})`;
    this.#context.emit({
      level: 'warn',
      name: 'guard.refused',
      message: `service ${this.#service} refused ${who}: ${reason}`,
      fields: { service: this.#service, reason, source, count },
    });
  }
}
