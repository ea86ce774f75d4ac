import type { Instant } from '../lib/duration.ts';
import type { SharedFloats } from '../lib/shared-floats.ts';
import {
  type CounterMap,
  mapCounters,
  PROCESS_GAUGES,
  S_CONNECTIONS,
  SERVICE_GAUGES,
} from './counters-layout.ts';

/** Clients of a full backend, and clients of a full service who are not let in yet (`on_limit = "wait"`). */
export type Line = 'queue' | 'door';

/** What the workers tell each other through the shared counters, beside the gauges: as one of them sees it. */
export class SharedState {
  /** The rate of each service, a Gcra's theoretical arrival time. */
  readonly arrivals: SharedFloats;
  /** RecentFailures has the meaning. */
  readonly failures: SharedFloats;
  readonly #map: CounterMap;
  readonly #worker: number;
  readonly #lines: Readonly<Record<Line, readonly Float64Array[]>>;

  /** @throws RangeError when the buffer is not one of `createCounters` or has no such worker */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#map = mapCounters(buffer);
    if (this.#map.heads[worker] === undefined) throw new RangeError(`no worker ${worker} in the counters`);
    this.#worker = worker;
    this.#lines = { queue: this.#map.heads, door: this.#map.doors };
    this.arrivals = this.#map.arrivals;
    this.failures = this.#map.failures;
  }

  get worker(): number {
    return this.#worker;
  }

  // The lines of a service: each worker has a part of them, and the one that has waited longest goes first over all

  /** Since when the first in this worker's part has waited; null when nobody does. */
  publishHead(line: Line, service: number, since: Instant | null): void {
    const heads = this.#lines[line][this.#worker];
    if (heads !== undefined) heads[service] = since ?? 0;
  }

  /** The worker whose first in line has waited longer than `since` (null: than nobody), or null. */
  longerWaiting(line: Line, service: number, since: Instant | null): number | null {
    let oldest = since ?? Number.POSITIVE_INFINITY;
    let found: number | null = null;
    this.#lines[line].forEach((heads, worker) => {
      const head = heads[service] ?? 0;
      if (worker === this.#worker || head === 0 || head >= oldest) return;
      oldest = head;
      found = worker;
    });
    return found;
  }

  // UDP sessions that make room for those of another worker

  /** Asks the worker with most of the service's sessions to end its oldest one. False: no other has any. */
  requestEviction(service: number): boolean {
    const cell = PROCESS_GAUGES + service * SERVICE_GAUGES + S_CONNECTIONS;
    let most = 0;
    let chosen: number | null = null;
    this.#map.shares.forEach((share, worker) => {
      const held = share[cell] ?? 0;
      if (worker === this.#worker || held <= most) return;
      most = held;
      chosen = worker;
    });
    if (chosen === null) return false;
    Atomics.store(this.#map.evicts, service, chosen + 1);
    this.wake(chosen);
    return true;
  }

  /** True once for a request to this worker. */
  takeEviction(service: number): boolean {
    const mine = this.#worker + 1;
    return Atomics.compareExchange(this.#map.evicts, service, mine, 0) === mine;
  }

  // Is a success on this backend news?

  markTroubled(backend: number): void {
    Atomics.store(this.#map.troubled, backend, 1);
  }

  /** True for the first success after a failure, whichever workers saw the two. */
  clearTroubled(backend: number): boolean {
    return (
      Atomics.load(this.#map.troubled, backend) === 1 &&
      Atomics.exchange(this.#map.troubled, backend, 0) === 1
    );
  }

  // Waking each other: a message would cost a turn of both event loops, and a queue that somebody has to bound

  wake(worker: number): void {
    Atomics.add(this.#map.wakes, worker, 1);
    Atomics.notify(this.#map.wakes, worker);
  }

  /**
   * Calls `woken` soon after another worker has called `wake`; several calls may become one.
   * @returns ends it
   */
  onWake(woken: () => void): () => void {
    const { wakes } = this.#map;
    let ended = false;
    const sleep = (seen: number): void => {
      const waiting = Atomics.waitAsync(wakes, this.#worker, seen);
      // "not-equal": called meanwhile
      const next = waiting.async ? waiting.value : Promise.resolve();
      void next.then(() => {
        if (ended) return;
        const now = Atomics.load(wakes, this.#worker);
        woken();
        sleep(now);
      });
    };
    sleep(Atomics.load(wakes, this.#worker));
    return () => {
      ended = true;
      this.wake(this.#worker);
    };
  }
}
