import type { CloseReason, RefusalReason, SessionEndReason } from '../model/reason.ts';
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
  SECONDS,
  SECONDS_COUNT,
  SERVICE_GAUGES,
  SERVICE_TOTALS,
  SESSION_END_INDEX,
  SESSIONS_ENDED,
} from './counters-layout.ts';

export { CounterReader } from './counter-reader.ts';
export { type CountersSize, createCounters } from './counters-layout.ts';

/** Indices. */
export interface ByteCells {
  readonly serviceIn: number;
  readonly backendIn: number;
  readonly serviceOut: number;
  readonly backendOut: number;
}

export interface DatagramCells {
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly datagramsDropped: number;
}

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

  /** Clients that wait for a backend, over all workers. */
  queued(slot: number): number {
    return Atomics.load(this.#gauges, this.#serviceGauge(slot, S_QUEUED));
  }

  /** Takes one of the service's `max` places to wait in; false when there is none. */
  tryEnterQueue(slot: number, max: number): boolean {
    return this.#tryTake(this.#serviceGauge(slot, S_QUEUED), max);
  }

  leaveQueue(slot: number): void {
    this.#change(this.#serviceGauge(slot, S_QUEUED), -1);
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

  /** For the native relay, which counts by itself: this worker's totals. */
  get totals(): Float64Array {
    return this.#totals;
  }

  /** The cells of `totals` that `bytesIn` and `bytesOut` add to. */
  byteCells(service: number, backend: number): ByteCells {
    return {
      serviceIn: this.#serviceTotal(service, BYTES_IN),
      backendIn: this.#backendTotal(backend, B_BYTES_IN),
      serviceOut: this.#serviceTotal(service, BYTES_OUT),
      backendOut: this.#backendTotal(backend, B_BYTES_OUT),
    };
  }

  /** The cells of `totals` that the next three add to. */
  datagramCells(service: number): DatagramCells {
    return {
      datagramsIn: this.#serviceTotal(service, DATAGRAMS_IN),
      datagramsOut: this.#serviceTotal(service, DATAGRAMS_OUT),
      datagramsDropped: this.#serviceTotal(service, DATAGRAMS_DROPPED),
    };
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
