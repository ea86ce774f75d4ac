import type { BackendCounters, ProcessCounters, ServiceCounters } from '../model/counters.ts';
import {
  CLOSE_REASONS,
  type CloseReason,
  REFUSAL_REASONS,
  type RefusalReason,
  SESSION_END_REASONS,
  type SessionEndReason,
} from '../model/reason.ts';
import {
  ACCEPTED,
  B_BYTES_IN,
  B_BYTES_OUT,
  BACKEND_GAUGES,
  BACKEND_TOTALS,
  BYTES_IN,
  BYTES_OUT,
  CLOSE_INDEX,
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
  REFUSAL_INDEX,
  REFUSED,
  RETRIES,
  S_CONNECTIONS,
  S_QUEUED,
  S_SOURCES,
  SECONDS,
  SECONDS_COUNT,
  SERVICE_GAUGES,
  SERVICE_TOTALS,
  SESSION_END_INDEX,
  SESSIONS_ENDED,
} from './counters-layout.ts';

export { type CountersSize, createCounters } from './counters-layout.ts';

/** What a data-path worker counts. Slots must be ones that the supervisor's SlotAllocator gave. */
export class CounterWriter {
  readonly #gauges: Int32Array;
  readonly #share: Int32Array;
  readonly #totals: Float64Array;
  readonly #services: number;

  /** @throws RangeError when the buffer is not one of {@link createCounters} or has no such worker. */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    const map = mapCounters(buffer);
    const [share, totals] = [map.shares[worker], map.totals[worker]];
    if (share === undefined || totals === undefined)
      throw new RangeError(`no worker ${worker} in the counters`);
    this.#gauges = map.gauges;
    this.#share = share;
    this.#totals = totals;
    this.#services = map.size.services;
  }

  // The process

  processConnections(): number {
    return Atomics.load(this.#gauges, CONNECTIONS);
  }

  /** Takes one of `max` connections of the process, exact over all workers; false when there is none. */
  tryEnterProcess(max: number): boolean {
    return this.#tryTake(CONNECTIONS, max);
  }

  leaveProcess(): void {
    this.#change(CONNECTIONS, -1);
  }

  fdsInUse(): number {
    return Atomics.load(this.#gauges, FDS);
  }

  /** One more descriptor belongs to the data path: a listener, an accepted client, a backend's socket. */
  fdOpened(): void {
    this.#change(FDS, 1);
    this.progress();
  }

  fdClosed(): void {
    this.#change(FDS, -1);
    this.progress();
  }

  /** Called several times a second; `lagSeconds` is the longest event-loop delay of late. */
  heartbeat(lagSeconds: number): void {
    this.#totals[LAG] = lagSeconds;
    this.progress();
  }

  /**
   * A beat from within the work: when thousands of clients come or go at once, the loop reaches its timers late, and
   * a worker that is behind must not be taken for one that hangs.
   */
  progress(): void {
    this.#count(HEARTBEATS, 1);
  }

  // A service

  serviceConnections(slot: number): number {
    return Atomics.load(this.#gauges, this.#serviceGauge(slot, S_CONNECTIONS));
  }

  /** Takes one of the service's `max` connections (null: unlimited, still counted); false when there is none. */
  tryEnterService(slot: number, max: number | null): boolean {
    return this.#tryTake(this.#serviceGauge(slot, S_CONNECTIONS), max);
  }

  leaveService(slot: number): void {
    this.#change(this.#serviceGauge(slot, S_CONNECTIONS), -1);
  }

  /** +1 when a client begins to wait for a backend, -1 when it no longer does. */
  queued(slot: number, change: 1 | -1): void {
    this.#change(this.#serviceGauge(slot, S_QUEUED), change);
  }

  /** This worker's source table has grown or shrunk by so many. */
  sources(slot: number, change: number): void {
    this.#change(this.#serviceGauge(slot, S_SOURCES), change);
  }

  /** The guard admitted a client. */
  accepted(slot: number): void {
    this.#count(this.#serviceTotal(slot, ACCEPTED), 1);
  }

  refused(slot: number, reason: RefusalReason): void {
    this.#count(this.#serviceTotal(slot, REFUSED + REFUSAL_INDEX[reason]), 1);
  }

  closed(slot: number, reason: CloseReason): void {
    this.#count(this.#serviceTotal(slot, CLOSED + CLOSE_INDEX[reason]), 1);
  }

  sessionEnded(slot: number, reason: SessionEndReason): void {
    this.#count(this.#serviceTotal(slot, SESSIONS_ENDED + SESSION_END_INDEX[reason]), 1);
  }

  /** Bytes from a client, counted for its service and its backend. */
  bytesIn(service: number, backend: number, bytes: number): void {
    this.#count(this.#serviceTotal(service, BYTES_IN), bytes);
    this.#count(this.#backendTotal(backend, B_BYTES_IN), bytes);
    this.progress();
  }

  /** Bytes from a backend, counted for its service and for itself. */
  bytesOut(service: number, backend: number, bytes: number): void {
    this.#count(this.#serviceTotal(service, BYTES_OUT), bytes);
    this.#count(this.#backendTotal(backend, B_BYTES_OUT), bytes);
    this.progress();
  }

  datagramIn(service: number): void {
    this.#count(this.#serviceTotal(service, DATAGRAMS_IN), 1);
  }

  datagramOut(service: number): void {
    this.#count(this.#serviceTotal(service, DATAGRAMS_OUT), 1);
  }

  datagramDropped(service: number): void {
    this.#count(this.#serviceTotal(service, DATAGRAMS_DROPPED), 1);
  }

  // A backend

  /** In flight on the backend, over all workers. */
  backendConnections(slot: number): number {
    return Atomics.load(this.#gauges, this.#backendGauge(slot));
  }

  /** Takes one of the backend's `max` connections (null: unlimited, still counted); false when it is full. */
  tryEnterBackend(slot: number, max: number | null): boolean {
    return this.#tryTake(this.#backendGauge(slot), max);
  }

  leaveBackend(slot: number): void {
    this.#change(this.#backendGauge(slot), -1);
  }

  /** A connect attempt begins. */
  connectStarted(slot: number): void {
    this.#count(this.#backendTotal(slot, CONNECTS), 1);
  }

  connectSucceeded(slot: number, seconds: number): void {
    this.#count(this.#backendTotal(slot, SECONDS), seconds);
    this.#count(this.#backendTotal(slot, SECONDS_COUNT), 1);
  }

  connectFailed(slot: number): void {
    this.#count(this.#backendTotal(slot, CONNECT_ERRORS), 1);
  }

  /** After a failed attempt on this backend the client is tried once more, here or elsewhere. */
  retried(slot: number): void {
    this.#count(this.#backendTotal(slot, RETRIES), 1);
  }

  /** The retry left this backend for another. */
  redispatched(slot: number): void {
    this.#count(this.#backendTotal(slot, REDISPATCHES), 1);
  }

  #serviceGauge(slot: number, field: number): number {
    return PROCESS_GAUGES + slot * SERVICE_GAUGES + field;
  }

  #backendGauge(slot: number): number {
    return PROCESS_GAUGES + this.#services * SERVICE_GAUGES + slot * BACKEND_GAUGES;
  }

  #serviceTotal(slot: number, field: number): number {
    return PROCESS_TOTALS + slot * SERVICE_TOTALS + field;
  }

  #backendTotal(slot: number, field: number): number {
    return PROCESS_TOTALS + this.#services * SERVICE_TOTALS + slot * BACKEND_TOTALS + field;
  }

  #change(cell: number, by: number): void {
    Atomics.add(this.#gauges, cell, by);
    this.#share[cell] = (this.#share[cell] ?? 0) + by;
  }

  #tryTake(cell: number, max: number | null): boolean {
    if (max === null) {
      this.#change(cell, 1);
      return true;
    }
    let seen = Atomics.load(this.#gauges, cell);
    while (seen < max) {
      const found = Atomics.compareExchange(this.#gauges, cell, seen, seen + 1);
      if (found === seen) {
        this.#share[cell] = (this.#share[cell] ?? 0) + 1;
        return true;
      }
      seen = found;
    }
    return false;
  }

  #count(cell: number, by: number): void {
    this.#totals[cell] = (this.#totals[cell] ?? 0) + by;
  }
}

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

  /** Heartbeats of one worker: a worker whose number stands still has stalled. */
  heartbeats(worker: number): number {
    return this.#map.totals[worker]?.[HEARTBEATS] ?? 0;
  }

  service(slot: number): ServiceCounters {
    const { gauge, total } = this.#serviceRow(slot);
    return {
      connections: this.#gauge(gauge + S_CONNECTIONS),
      queued: this.#gauge(gauge + S_QUEUED),
      sources: this.#gauge(gauge + S_SOURCES),
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
  }

  /** For SlotAllocator: is nothing in use in this row? */
  isServiceIdle(slot: number): boolean {
    const { gauge } = this.#serviceRow(slot);
    for (let field = 0; field < SERVICE_GAUGES; field++) if (this.#gauge(gauge + field) !== 0) return false;
    return true;
  }

  /** For SlotAllocator: sets the row's totals back; its gauges are 0 already. */
  clearService(slot: number): void {
    const { total } = this.#serviceRow(slot);
    for (const region of this.#map.totals) region.fill(0, total, total + SERVICE_TOTALS);
  }

  /** For SlotAllocator. */
  clearBackend(slot: number): void {
    const { total } = this.#backendRow(slot);
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
