import type { BackendCounters, ProcessCounters, ServiceCounters, WorkerCounters } from '../model/counters.ts';
import { CLOSE_REASONS, REFUSAL_REASONS, SESSION_END_REASONS } from '../model/reason.ts';
import {
  ACCEPTED,
  B_BYTES_IN,
  B_BYTES_OUT,
  BACKEND_GAUGES,
  BACKEND_TOTALS,
  BYTES_IN,
  BYTES_OUT,
  CLOSED,
  CONNECT_ERRORS,
  CONNECTIONS,
  CONNECTS,
  type CounterMap,
  type CountersSize,
  DATAGRAMS_DROPPED,
  DATAGRAMS_IN,
  DATAGRAMS_OUT,
  FDS,
  HEARTBEATS,
  LAG,
  mapCounters,
  PROCESS_GAUGES,
  PROCESS_TOTALS,
  REDISPATCHES,
  REFUSED,
  RETRIES,
  S_CONNECTIONS,
  S_QUEUED,
  SECONDS,
  SECONDS_COUNT,
  SERVICE_GAUGES,
  SERVICE_TOTALS,
  SESSIONS_ENDED,
} from './counters-layout.ts';

/** What the supervisor reads, and the little that it alone may change. */
export class CounterReader {
  readonly size: CountersSize;
  readonly #map: CounterMap;

  /** @throws RangeError when the buffer is not one of {@link createCounters}. */
  constructor(buffer: SharedArrayBuffer) {
    this.#map = mapCounters(buffer);
    this.size = this.#map.size;
  }

  /** Connections and descriptors over all workers, the worst lag and the sum of the heartbeats. */
  process(): ProcessCounters {
    return {
      connections: this.#gauge(CONNECTIONS),
      fdsInUse: this.#gauge(FDS),
      loopLagSeconds: Math.max(...this.#map.totals.map((region) => region[LAG] ?? 0)),
      heartbeats: this.#total(HEARTBEATS),
    };
  }

  /** One worker's part of them. A worker whose heartbeats stand still has stalled. */
  worker(worker: number): WorkerCounters {
    const [share, totals] = [this.#map.shares[worker], this.#map.totals[worker]];
    return {
      connections: share?.[CONNECTIONS] ?? 0,
      loopLagSeconds: totals?.[LAG] ?? 0,
      heartbeats: totals?.[HEARTBEATS] ?? 0,
    };
  }

  /** Without the sources: they are in the service's {@link SourceTable}. */
  service(slot: number): Omit<ServiceCounters, 'sources'> {
    const { gauge, total } = this.#serviceRow(slot);
    return {
      connections: this.#gauge(gauge + S_CONNECTIONS),
      queued: this.#gauge(gauge + S_QUEUED),
      accepted: this.#total(total + ACCEPTED),
      bytesIn: this.#total(total + BYTES_IN),
      bytesOut: this.#total(total + BYTES_OUT),
      datagramsIn: this.#total(total + DATAGRAMS_IN),
      datagramsOut: this.#total(total + DATAGRAMS_OUT),
      datagramsDropped: this.#total(total + DATAGRAMS_DROPPED),
      refused: this.#byReason(REFUSAL_REASONS, total + REFUSED),
      closed: this.#byReason(CLOSE_REASONS, total + CLOSED),
      sessionsEnded: this.#byReason(SESSION_END_REASONS, total + SESSIONS_ENDED),
    };
  }

  backend(slot: number): BackendCounters {
    const { gauge, total } = this.#backendRow(slot);
    return {
      connections: this.#gauge(gauge),
      connects: this.#total(total + CONNECTS),
      connectErrors: this.#total(total + CONNECT_ERRORS),
      retries: this.#total(total + RETRIES),
      redispatches: this.#total(total + REDISPATCHES),
      bytesIn: this.#total(total + B_BYTES_IN),
      bytesOut: this.#total(total + B_BYTES_OUT),
      connectSecondsSum: this.#total(total + SECONDS),
      connectSecondsCount: this.#total(total + SECONDS_COUNT),
    };
  }

  /** In flight on a backend: what draining waits for. */
  backendConnections(slot: number): number {
    return this.#gauge(this.#backendRow(slot).gauge);
  }

  /** Gives back all that a worker held. Call it once the worker has exited and before its successor starts. */
  releaseWorker(worker: number): void {
    const share = this.#map.shares[worker];
    if (share === undefined) throw new RangeError(`no worker ${worker} in the counters`);
    share.forEach((held, cell) => {
      Atomics.sub(this.#map.gauges, cell, held);
    });
    share.fill(0);
    this.#map.heads[worker]?.fill(0);
    this.#map.doors[worker]?.fill(0);
  }

  /** For SlotAllocator: is nothing in use in this row? */
  isServiceIdle(slot: number): boolean {
    const { gauge } = this.#serviceRow(slot);
    for (let field = 0; field < SERVICE_GAUGES; field++) if (this.#gauge(gauge + field) !== 0) return false;
    return true;
  }

  /** For SlotAllocator: sets the row's totals and its rate back; its gauges are 0 already. */
  clearService(slot: number): void {
    const { total } = this.#serviceRow(slot);
    this.#map.arrivals.set(slot, 0);
    Atomics.store(this.#map.evicts, slot, 0);
    for (const region of this.#map.totals) region.fill(0, total, total + SERVICE_TOTALS);
  }

  /** For SlotAllocator: its successor inherits no failures. */
  clearBackend(slot: number): void {
    const { total } = this.#backendRow(slot);
    this.#map.failures.set(slot, 0);
    Atomics.store(this.#map.troubled, slot, 0);
    for (const region of this.#map.totals) region.fill(0, total, total + BACKEND_TOTALS);
  }

  #serviceRow(slot: number): Row {
    checkSlot(slot, this.size.services);
    return { gauge: PROCESS_GAUGES + slot * SERVICE_GAUGES, total: PROCESS_TOTALS + slot * SERVICE_TOTALS };
  }

  #backendRow(slot: number): Row {
    checkSlot(slot, this.size.backends);
    const { services } = this.size;
    return {
      gauge: PROCESS_GAUGES + services * SERVICE_GAUGES + slot * BACKEND_GAUGES,
      total: PROCESS_TOTALS + services * SERVICE_TOTALS + slot * BACKEND_TOTALS,
    };
  }

  #gauge(cell: number): number {
    return Atomics.load(this.#map.gauges, cell);
  }

  #total(cell: number): number {
    let sum = 0;
    for (const region of this.#map.totals) sum += region[cell] ?? 0;
    return sum;
  }

  #byReason<R extends string>(reasons: readonly R[], first: number): Record<R, number> {
    const entries = reasons.map((reason, i) => [reason, this.#total(first + i)] as const);
    return Object.fromEntries(entries) as Record<R, number>;
  }
}

interface Row {
  readonly gauge: number;
  readonly total: number;
}

function checkSlot(slot: number, count: number): void {
  if (!Number.isInteger(slot) || slot < 0 || slot >= count)
    throw new RangeError(`no slot ${slot} of ${count}`);
}
