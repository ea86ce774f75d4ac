import type { Clock, Timer } from '../lib/clock.ts';
import { type Duration, millis } from '../lib/duration.ts';
import { messageOf, TandemError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import { CounterReader } from './counters.ts';
import { ListeningSockets, type SocketOpener, socketsOf, type WantedSocket } from './listening-sockets.ts';
import type { FromWorker, ListenerFd, ProcessLimits, ToWorker } from './protocol.ts';
import { type SpawnWorker, spawnWorkerThread, type WorkerHandle } from './worker-thread.ts';

export interface DataPathOptions {
  readonly opener: SocketOpener;
  /** From `createCounters`; with at least one worker's region. */
  readonly counters: SharedArrayBuffer;
  readonly limits: ProcessLimits;
  readonly clock: Clock;
  readonly emit: Emit;
  /** What traffic showed of a backend: failures, and the first success after one. */
  readonly onTraffic: (service: string, backend: string, outcome: TrafficOutcome) => void;
  /** Tests run the engine without a thread. */
  readonly spawn?: SpawnWorker;
}

export interface ServiceOpening {
  /** Row in the shared counters. */
  readonly slot: number;
  readonly spec: ServiceSpec;
  readonly backends: BackendSet;
}

/** One worker for now: more of them need one listening socket each. */
const WORKER = 0;
/** Before a dead worker is replaced; doubled each time until one lives for as long as the longest. */
const RESTART_MIN = millis(100);
const RESTART_MAX = millis(5_000);
/** Before a listener that could not be duplicated is tried again. */
const DUPLICATE_RETRY = millis(1_000);
/** A worker that cuts everything at the deadline and then does not answer is ended. */
const STOP_GRACE = millis(2_000);

/**
 * The supervisor's handle on the data path: owns the worker thread and the listening sockets. A worker that
 * dies is replaced and told everything again; its connections are lost, the clients in the backlog are not.
 */
export class DataPath {
  readonly #options: DataPathOptions;
  readonly #sockets: ListeningSockets;
  /** What a new worker has to be told. */
  readonly #services = new Map<string, ServiceOpening>();
  readonly #closing = new Map<string, (() => void)[]>();
  #limits: ProcessLimits;
  #worker: WorkerHandle | null = null;
  #restart: Timer | null = null;
  #restartDelay: Duration = RESTART_MIN;
  #settled: Timer | null = null;
  readonly #retries = new Set<Timer>();
  #stopping: (() => void) | null = null;
  #starting: { resolve: () => void; reject: (error: Error) => void } | null = null;

  constructor(options: DataPathOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#sockets = new ListeningSockets(options.opener);
  }

  /**
   * Starts the worker; resolves when it is ready. Services may be opened before, after and meanwhile.
   * @throws TandemError 'worker.failed' when it ends before it is ready
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#spawn();
    });
  }

  /** False from the end of a worker until its successor has been started. */
  get workerAlive(): boolean {
    return this.#worker !== null;
  }

  /**
   * To be called before anything is open.
   * @throws TandemError 'listener.failed' when another program has one of these, even one that would share it
   */
  requireUnused(wanted: readonly WantedSocket[]): void {
    this.#sockets.requireUnused(wanted);
  }

  /**
   * Opens listening sockets ahead of the services that will use them: the step of a start or a reload that can fail.
   * All or none.
   * @returns closes them again, for when the rest of the plan fails
   * @throws TandemError 'listener.failed'
   */
  reserve(wanted: readonly WantedSocket[]): () => void {
    return this.#sockets.reserve(wanted);
  }

  /** @throws TandemError 'listener.failed' when a socket was not reserved and cannot be opened */
  openService(opening: ServiceOpening): void {
    const { spec } = opening;
    this.#sockets.reserve(socketsOf(spec));
    this.#sockets.configure(spec);
    this.#services.set(spec.name, opening);
    this.#tellOpening(opening);
  }

  /**
   * New settings, backends and listeners; established connections are not touched.
   * @throws TandemError 'listener.failed'; nothing has changed then
   */
  updateService(spec: ServiceSpec, backends: BackendSet): void {
    const before = this.#services.get(spec.name);
    if (before === undefined) throw new RangeError(`no service ${spec.name}`);
    this.#sockets.reserve(socketsOf(spec));
    this.#sockets.configure(spec);
    const had = new Set(before.spec.listen.map(formatEndpoint));
    const wanted = new Set(spec.listen.map(formatEndpoint));
    const closed = before.spec.listen.filter((endpoint) => !wanted.has(formatEndpoint(endpoint)));
    const added = spec.listen.filter((endpoint) => !had.has(formatEndpoint(endpoint)));
    const opened = this.#worker === null ? [] : this.#duplicates(spec.name, added);
    this.#services.set(spec.name, { slot: before.slot, spec, backends });
    this.#post({ type: 'service-update', spec, opened, closed, backends });
    for (const endpoint of closed) this.#sockets.release(spec.name, endpoint);
  }

  setBackends(service: string, set: BackendSet): void {
    const opening = this.#services.get(service);
    if (opening === undefined) return;
    this.#services.set(service, { ...opening, backends: set });
    this.#post({ type: 'backends', service, set });
  }

  /** Takes no new clients; resolves when the last one has gone, at the deadline at the latest. */
  closeService(service: string, drain: Duration): Promise<void> {
    const opening = this.#services.get(service);
    if (opening === undefined) return Promise.resolve();
    this.#services.delete(service);
    for (const endpoint of opening.spec.listen) this.#sockets.release(service, endpoint);
    if (this.#worker === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#closing.set(service, [...(this.#closing.get(service) ?? []), resolve]);
      this.#post({ type: 'service-close', service, drain });
    });
  }

  /** Ends the connections of a backend that is down (`on_down = "close"`). */
  closeBackend(service: string, backend: string): void {
    this.#post({ type: 'close-backend', service, backend });
  }

  setLimits(limits: ProcessLimits): void {
    this.#limits = limits;
    this.#post({ type: 'limits', limits });
  }

  /** Closes all services and ends the worker; resolves when it is gone. Connections have until the deadline. */
  async stop(drain: Duration): Promise<void> {
    this.#restart?.cancel();
    this.#settled?.cancel();
    this.#cancelRetries();
    for (const [name, { spec }] of this.#services) {
      for (const endpoint of spec.listen) this.#sockets.release(name, endpoint);
    }
    this.#services.clear();
    const worker = this.#worker;
    if (worker === null) return;
    const overdue = this.#options.clock.timerAfter((drain + STOP_GRACE) as Duration, () =>
      worker.terminate(),
    );
    await new Promise<void>((resolve) => {
      this.#stopping = resolve;
      worker.post({ type: 'stop', drain });
    });
    overdue.cancel();
  }

  #spawn(): void {
    const { counters, clock, spawn = spawnWorkerThread } = this.#options;
    this.#worker = spawn(
      { counters, worker: WORKER, limits: this.#limits },
      { onMessage: (message) => this.#receive(message), onExit: (error) => this.#exited(error) },
    );
    this.#settled = clock.timerAfter(RESTART_MAX, () => {
      this.#restartDelay = RESTART_MIN;
    });
    for (const opening of this.#services.values()) this.#tellOpening(opening);
  }

  #tellOpening(opening: ServiceOpening): void {
    if (this.#worker === null) return;
    const listeners = this.#duplicates(opening.spec.name, opening.spec.listen);
    this.#post({ type: 'service-open', ...opening, listeners });
  }

  #duplicates(service: string, endpoints: readonly Endpoint[]): ListenerFd[] {
    return endpoints.flatMap((endpoint) => this.#duplicate(service, endpoint) ?? []);
  }

  /** Null when there is none to give; when it is for want of a descriptor, the worker gets it later. */
  #duplicate(service: string, endpoint: Endpoint): ListenerFd | null {
    try {
      return this.#sockets.duplicate(service, endpoint);
    } catch (error) {
      const where = formatEndpoint(endpoint);
      this.#options.emit({
        level: 'error',
        name: 'listener.failed',
        message: `service ${service} does not accept on ${where} for now: ${messageOf(error)}`,
        fields: { service, listener: where, error: messageOf(error) },
      });
      const retry = this.#options.clock.timerAfter(DUPLICATE_RETRY, () => {
        this.#retries.delete(retry);
        this.#giveListener(service, endpoint);
      });
      this.#retries.add(retry);
      return null;
    }
  }

  #post(message: ToWorker): void {
    this.#worker?.post(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#starting?.resolve();
        this.#starting = null;
        return;
      case 'event':
        this.#options.emit(message.event);
        return;
      case 'traffic':
        this.#options.onTraffic(message.service, message.backend, message.outcome);
        return;
      case 'listener-wanted':
        this.#giveListener(message.service, message.endpoint);
        return;
      case 'service-closed':
        this.#serviceClosed(message.service);
        return;
      case 'stopped':
        this.#worker?.terminate();
        return;
      case 'service-opened':
        return;
    }
  }

  #giveListener(service: string, endpoint: Endpoint): void {
    if (this.#worker === null) return; // its successor is told everything
    const listener = this.#duplicate(service, endpoint);
    if (listener !== null) this.#post({ type: 'listener', service, listener });
  }

  #serviceClosed(service: string): void {
    const [first, ...rest] = this.#closing.get(service) ?? [];
    if (rest.length === 0) this.#closing.delete(service);
    else this.#closing.set(service, rest);
    first?.();
  }

  #exited(error: Error | null): void {
    this.#worker = null;
    this.#settled?.cancel();
    this.#cancelRetries();
    new CounterReader(this.#options.counters).releaseWorker(WORKER);
    for (const waiting of this.#closing.values()) for (const resolve of waiting) resolve();
    this.#closing.clear();
    if (this.#stopping !== null) {
      this.#stopping();
    } else if (this.#starting !== null) {
      this.#starting.reject(neverReady(error));
    } else {
      this.#replace(error);
    }
  }

  #cancelRetries(): void {
    for (const retry of this.#retries) retry.cancel();
    this.#retries.clear();
  }

  #replace(error: Error | null): void {
    const why = error === null ? 'exited' : messageOf(error);
    this.#options.emit({
      level: 'error',
      name: 'worker.exited',
      message: `the data-path worker ended (${why}); its connections are lost, a new one takes over`,
      fields: { worker: WORKER, error: why },
    });
    this.#restart = this.#options.clock.timerAfter(this.#restartDelay, () => this.#spawn());
    this.#restartDelay = Math.min(this.#restartDelay * 2, RESTART_MAX) as Duration;
  }
}

function neverReady(cause: Error | null): TandemError {
  const why = cause === null ? 'it exited' : cause.message;
  return new TandemError('worker.failed', `the data-path worker did not start: ${why}`, { cause });
}
