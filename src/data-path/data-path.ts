import { type Clock, clockOrigin, type Timer } from '../lib/clock.ts';
import { type Duration, type Instant, millis } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { RelayKind } from '../model/config.ts';
import type { Emit } from '../model/event.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import { CounterReader } from './counters.ts';
import { ListeningSockets, type SocketOpener, socketsOf, type WantedSocket } from './listening-sockets.ts';
import type { FromWorker, ListenerFd, ProcessLimits, ToWorker } from './protocol.ts';
import { ServiceSources } from './service-sources.ts';
import { WorkerSeat } from './worker-seat.ts';
import { type SpawnWorker, spawnWorkerThread } from './worker-thread.ts';

export interface DataPathOptions {
  readonly opener: SocketOpener;
  /** From `createCounters`; there will be as many workers as it has regions for. */
  readonly counters: SharedArrayBuffer;
  readonly limits: ProcessLimits;
  readonly relay: RelayKind;
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

interface OpenService extends ServiceOpening {
  readonly sources: ServiceSources | null;
}

/** What is known of a worker from outside. */
export interface WorkerState {
  readonly worker: number;
  readonly alive: boolean;
  readonly stalled: boolean;
  readonly restarts: number;
}

/** A service that waits for the workers which still have clients of it. */
interface Closing {
  readonly seats: Set<WorkerSeat>;
  readonly done: () => void;
}

/** Before a listener that could not be duplicated is tried again. */
const DUPLICATE_RETRY = millis(1_000);
/** A supervisor that has not looked for so long did not run itself. */
const WATCH_GAP = millis(500);

/**
 * The supervisor's handle on the data path: owns the worker threads and the listening sockets. Every worker is told
 * the same, and has a listening socket of its own on each address, over which the kernel spreads new connections.
 *
 * A worker that dies is replaced and told everything again; its connections are lost. The clients in its backlogs are
 * not: until the new one accepts, and while one is stalled, another worker is lent its TCP listeners. UDP sockets are never
 * lent, for their clients' sessions would begin a second time elsewhere; what is sent meanwhile waits in their buffers.
 */
export class DataPath {
  readonly #options: DataPathOptions;
  readonly #reader: CounterReader;
  readonly #sockets: ListeningSockets;
  readonly #seats: readonly WorkerSeat[];
  /** What a new worker has to be told. */
  readonly #services = new Map<string, OpenService>();
  readonly #closing = new Map<string, Closing[]>();
  /** By the worker that cannot accept: who does so for it. */
  readonly #lent = new Map<WorkerSeat, WorkerSeat>();
  readonly #retries = new Set<Timer>();
  #limits: ProcessLimits;
  #stopping = false;
  #watched: Instant | null = null;

  constructor(options: DataPathOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#reader = new CounterReader(options.counters);
    const { workers } = this.#reader.size;
    this.#sockets = new ListeningSockets(options.opener, workers);
    const { spawn = spawnWorkerThread } = options;
    this.#seats = Array.from({ length: workers }, (_, worker) => {
      return new WorkerSeat(worker, options.clock, {
        spawn: (id, listener) =>
          spawn(
            {
              counters: options.counters,
              worker: id,
              limits: this.#limits,
              relay: options.relay,
              clockOrigin: clockOrigin(),
            },
            listener,
          ),
        started: (seat) => {
          for (const name of this.#services.keys()) this.#tellOpening(seat, name);
        },
        serves: (seat) => this.#serves(seat),
        received: (seat, message) => this.#receive(seat, message),
        exited: (seat, error) => this.#exited(seat, error),
        orphaned: (fd) => options.opener.closeFd(fd),
      });
    });
  }

  /**
   * Starts the workers; resolves when all are ready. Services may be opened before, after and meanwhile.
   * @throws TandemError 'worker.failed' when one ends before it is ready
   */
  async start(): Promise<void> {
    await Promise.all(this.#seats.map((seat) => seat.start()));
  }

  workers(): WorkerState[] {
    return this.#seats.map(({ worker, alive, stalled, restarts }) => ({ worker, alive, stalled, restarts }));
  }

  /** To be called several times a second: finds workers that do not turn, and has others accept for them. */
  watch(now: Instant): void {
    const paused = this.#watched !== null && now - this.#watched > WATCH_GAP;
    this.#watched = now;
    for (const seat of this.#seats) {
      if (paused) seat.forgetBeat();
      if (seat.watch(this.#reader.worker(seat.worker).heartbeats, now)) this.#stalled(seat);
    }
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
    this.#services.set(spec.name, { ...opening, sources: this.#sourcesFor(spec, null) });
    for (const seat of this.#seats) this.#tellOpening(seat, spec.name);
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
    const sources = this.#sourcesFor(spec, before.sources);
    this.#services.set(spec.name, { slot: before.slot, spec, backends, sources });
    for (const seat of this.#seats) {
      const opened = this.#listenersFor(seat, spec, added);
      seat.post({ type: 'service-update', spec, opened, closed, backends, sources: sources?.ref ?? null });
    }
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
    const seats = new Set(this.#seats.filter((seat) => seat.alive));
    if (seats.size === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#closing.set(service, [...(this.#closing.get(service) ?? []), { seats, done }]);
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

  /** How many sources of a service are known, and how many there can be; null where they have no limit. */
  sources(service: string): { used: number; max: number } | null {
    const sources = this.#services.get(service)?.sources ?? null;
    return sources === null ? null : { used: sources.used, max: sources.max };
  }

  /** Closes all services and ends the workers; resolves when they are gone. Connections have until the deadline. */
  async stop(drain: Duration): Promise<void> {
    this.#stopping = true;
    for (const retry of this.#retries) retry.cancel();
    this.#retries.clear();
    for (const [name, { spec }] of this.#services) {
      for (const endpoint of spec.listen) this.#sockets.release(name, endpoint);
    }
    this.#services.clear();
    await Promise.all(this.#seats.map((seat) => seat.stop(drain)));
  }

  #sourcesFor(spec: ServiceSpec, before: ServiceSources | null): ServiceSources | null {
    return ServiceSources.for(spec, before, this.#seats.length, this.#limits.fdLimit);
  }

  // listeners

  #tellOpening(seat: WorkerSeat, name: string): void {
    const opening = this.#services.get(name);
    if (opening === undefined || !seat.alive) return;
    const { slot, spec, backends, sources } = opening;
    const listeners = this.#listenersFor(seat, spec, spec.listen);
    seat.post({ type: 'service-open', slot, spec, backends, listeners, sources: sources?.ref ?? null });
  }

  /** Its own, and those that it has been lent. */
  #listenersFor(seat: WorkerSeat, spec: ServiceSpec, endpoints: readonly Endpoint[]): ListenerFd[] {
    if (!seat.alive) return [];
    const places = [seat.worker];
    if (spec.protocol === 'tcp') {
      for (const [owner, helper] of this.#lent) if (helper === seat) places.push(owner.worker);
    }
    return endpoints.flatMap((endpoint) =>
      places.flatMap((place) => this.#duplicate(seat, spec.name, endpoint, place) ?? []),
    );
  }

  /** Null when there is none to give; when it is for want of a descriptor, the worker gets it later. */
  #duplicate(seat: WorkerSeat, service: string, endpoint: Endpoint, place: number): ListenerFd | null {
    try {
      return this.#sockets.duplicate(service, endpoint, place);
    } catch (error) {
      const where = formatEndpoint(endpoint);
      this.#options.emit({
        level: 'error',
        name: 'listener.failed',
        message: `service ${service} does not accept on ${where} for now: ${messageOf(error)}`,
        fields: { service, listener: where, worker: place, error: messageOf(error) },
      });
      const retry = this.#options.clock.timerAfter(DUPLICATE_RETRY, () => {
        this.#retries.delete(retry);
        this.#giveListener(seat, service, endpoint, place);
      });
      this.#retries.add(retry);
      return null;
    }
  }

  #giveListener(seat: WorkerSeat, service: string, endpoint: Endpoint, place: number): void {
    // its successor is told everything; what was lent may have been returned meanwhile
    if (!seat.alive || !this.#accepts(seat, place)) return;
    const listener = this.#duplicate(seat, service, endpoint, place);
    if (listener !== null) seat.post({ type: 'listener', service, listener });
  }

  #accepts(seat: WorkerSeat, place: number): boolean {
    if (seat.worker === place) return true;
    const owner = this.#seats[place];
    return owner !== undefined && this.#lent.get(owner) === seat;
  }

  /** Gives every worker that cannot accept somebody who does it for it, where there is one. */
  #lend(): void {
    if (this.#stopping) return;
    for (const owner of this.#seats) {
      if (owner.serving || this.#lent.get(owner)?.serving) continue;
      const helper = this.#helperFor(owner);
      if (helper === null) continue;
      this.#takeBack(owner);
      this.#lent.set(owner, helper);
      for (const { spec } of this.#services.values()) {
        if (spec.protocol !== 'tcp') continue;
        for (const endpoint of spec.listen) this.#giveListener(helper, spec.name, endpoint, owner.worker);
      }
    }
  }

  /** The next one in turn, so that one that died does not burden the same one always. */
  #helperFor({ worker }: WorkerSeat): WorkerSeat | null {
    for (let step = 1; step < this.#seats.length; step++) {
      const candidate = this.#seats[(worker + step) % this.#seats.length];
      if (candidate?.serving) return candidate;
    }
    return null;
  }

  #takeBack(owner: WorkerSeat): void {
    this.#lent.get(owner)?.post({ type: 'return-place', place: owner.worker });
    this.#lent.delete(owner);
  }

  // workers

  #serves(seat: WorkerSeat): void {
    this.#takeBack(seat);
    // it may be the first one that can help others
    this.#lend();
  }

  #stalled(seat: WorkerSeat): void {
    this.#options.emit({
      level: 'warn',
      name: 'worker.stalled',
      message: `data-path worker ${seat.worker} does not turn; another one accepts for it`,
      fields: { worker: seat.worker },
    });
    this.#lend();
  }

  #post(message: ToWorker): void {
    for (const seat of this.#seats) seat.post(message);
  }

  #receive(seat: WorkerSeat, message: FromWorker): void {
    switch (message.type) {
      case 'event':
        this.#options.emit(message.event);
        return;
      case 'traffic':
        this.#options.onTraffic(message.service, message.backend, message.outcome);
        return;
      case 'listener-wanted':
        this.#giveListener(seat, message.service, message.endpoint, message.place);
        return;
      case 'service-closed':
        this.#closedBy(seat, message.service);
        return;
      case 'ready':
      case 'descriptors-taken':
      case 'stopped':
      case 'service-opened':
        return;
    }
  }

  /** The first of those that wait for this worker: a name can be closed, opened and closed again while it drains. */
  #closedBy(seat: WorkerSeat, service: string): void {
    const waiting = this.#closing.get(service)?.find(({ seats }) => seats.has(seat));
    if (waiting !== undefined) this.#closed(seat, service, waiting);
  }

  #closed(seat: WorkerSeat, service: string, closing: Closing): void {
    closing.seats.delete(seat);
    if (closing.seats.size > 0) return;
    const rest = (this.#closing.get(service) ?? []).filter((other) => other !== closing);
    if (rest.length === 0) this.#closing.delete(service);
    else this.#closing.set(service, rest);
    closing.done();
  }

  #exited(seat: WorkerSeat, error: Error | null): void {
    this.#reader.releaseWorker(seat.worker);
    for (const { sources } of this.#services.values()) sources?.releaseWorker(seat.worker);
    for (const [service, list] of [...this.#closing]) {
      for (const closing of list) if (closing.seats.has(seat)) this.#closed(seat, service, closing);
    }
    if (!seat.replaced) return;
    const why = error === null ? 'exited' : messageOf(error);
    this.#options.emit({
      level: 'error',
      name: 'worker.exited',
      message: `data-path worker ${seat.worker} ended (${why}); its connections are lost, a new one takes over`,
      fields: { worker: seat.worker, error: why },
    });
    this.#lend();
  }
}
