import type { Instant } from '../lib/duration.ts';
import type { CounterWriter } from './counters.ts';
import { RecentFailures } from './scheduler/recent-failures.ts';
import type { LoadReader } from './scheduler/types.ts';

/** The schedulers' view of the backends: connections over all workers, failures as this worker saw them. */
export class SharedLoad implements LoadReader {
  readonly #counters: CounterWriter;
  readonly #now: () => Instant;
  readonly #failures: RecentFailures;

  /** @param backendSlots rows for backends in the counters */
  constructor(counters: CounterWriter, backendSlots: number, now: () => Instant) {
    this.#counters = counters;
    this.#now = now;
    this.#failures = new RecentFailures(backendSlots);
  }

  active(slot: number): number {
    return this.#counters.backendConnections(slot);
  }

  recentFailures(slot: number): number {
    return this.#failures.level(slot, this.#now());
  }

  connectFailed(slot: number): void {
    this.#failures.failed(slot, this.#now());
  }

  connectSucceeded(slot: number): void {
    this.#failures.succeeded(slot, this.#now());
  }
}
