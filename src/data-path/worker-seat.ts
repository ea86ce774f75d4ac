import type { Clock, Timer } from '../lib/clock.ts';
import { type Duration, type Instant, millis } from '../lib/duration.ts';
import { TandemError } from '../lib/errors.ts';
import { descriptorsIn, type FromWorker, type ToWorker } from './protocol.ts';
import type { WorkerHandle, WorkerListener } from './worker-thread.ts';

/** Before a dead worker is replaced; doubled each time until one lives for as long as the longest. */
const RESTART_MIN = millis(100);
const RESTART_MAX = millis(5_000);
/** A worker that cuts everything at the deadline and then does not answer is ended. */
const STOP_GRACE = millis(2_000);
/** A worker whose heartbeats stand still for so long does not accept: long before the node is unfit for it. */
const STALLED_AFTER = millis(500);

export interface SeatOwner {
  spawn(worker: number, listener: WorkerListener): WorkerHandle;
  /** A worker has been started: it knows nothing yet. */
  started(seat: WorkerSeat): void;
  /** It works: for the first time, or again after a stall. */
  serves(seat: WorkerSeat): void;
  received(seat: WorkerSeat, message: FromWorker): void;
  /** Its worker is gone; unless the seat is stopping, another one follows. */
  exited(seat: WorkerSeat, error: Error | null): void;
  /** A descriptor that was posted to a worker which has ended without reading the message. */
  orphaned(fd: number): void;
}

/** One of the data path's workers over its deaths: the thread of the day, and when the next one begins. */
export class WorkerSeat {
  readonly worker: number;
  readonly #clock: Clock;
  readonly #owner: SeatOwner;
  #handle: WorkerHandle | null = null;
  #ready = false;
  #stalled = false;
  #restarts = 0;
  #restart: Timer | null = null;
  #restartDelay: Duration = RESTART_MIN;
  #settled: Timer | null = null;
  #starting: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #stopping: (() => void) | null = null;
  #beat: { count: number; at: Instant } | null = null;
  /** Posted and not taken yet. */
  readonly #underWay = new Set<number>();

  constructor(worker: number, clock: Clock, owner: SeatOwner) {
    this.worker = worker;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** False from the end of a worker until its successor has been started. */
  get alive(): boolean {
    return this.#handle !== null;
  }

  /** Does it take clients now, as far as one can see from here? */
  get serving(): boolean {
    return this.#handle !== null && this.#ready && !this.#stalled;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** Workers that have died here. */
  get restarts(): number {
    return this.#restarts;
  }

  /** @throws TandemError 'worker.failed' when the worker ends before it is ready */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#spawn();
    });
  }

  /** Its descriptors are the worker's from here on; without a worker they are closed. */
  post(message: ToWorker): void {
    for (const fd of descriptorsIn(message)) this.#underWay.add(fd);
    if (this.#handle === null) this.#closeOrphans();
    else this.#handle.post(message);
  }

  /** Nobody reads any more what was under way. */
  #closeOrphans(): void {
    for (const fd of this.#underWay) this.#owner.orphaned(fd);
    this.#underWay.clear();
  }

  /** Ends the worker; resolves when it is gone. Its connections have until the deadline. */
  async stop(drain: Duration): Promise<void> {
    this.#restart?.cancel();
    this.#settled?.cancel();
    const handle = this.#handle;
    if (handle === null) return;
    const overdue = this.#clock.timerAfter((drain + STOP_GRACE) as Duration, () => handle.terminate());
    await new Promise<void>((resolve) => {
      this.#stopping = resolve;
      handle.post({ type: 'stop', drain });
    });
    overdue.cancel();
  }

  /**
   * To be called several times a second with the worker's heartbeats.
   * @returns true when it has stalled just now
   */
  watch(heartbeats: number, now: Instant): boolean {
    if (!this.#ready) return false;
    if (this.#beat?.count === heartbeats) {
      if (this.#stalled || now - this.#beat.at < STALLED_AFTER) return false;
      this.#stalled = true;
      return true;
    }
    this.#beat = { count: heartbeats, at: now };
    if (this.#stalled) {
      this.#stalled = false;
      this.#owner.serves(this);
    }
    return false;
  }

  /** What was seen before is too old to judge by: the supervisor itself did not run. */
  forgetBeat(): void {
    this.#beat = null;
  }

  #spawn(): void {
    this.#handle = this.#owner.spawn(this.worker, {
      onMessage: (message) => this.#receive(message),
      onExit: (error) => this.#exited(error),
    });
    this.#settled = this.#clock.timerAfter(RESTART_MAX, () => {
      this.#restartDelay = RESTART_MIN;
    });
    this.#owner.started(this);
  }

  #receive(message: FromWorker): void {
    if (message.type === 'stopped') this.#handle?.terminate();
    else if (message.type === 'ready') this.#becomeReady();
    else if (message.type === 'descriptors-taken') for (const fd of message.fds) this.#underWay.delete(fd);
    else this.#owner.received(this, message);
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#starting?.resolve();
    this.#starting = null;
    this.#owner.serves(this);
  }

  #exited(error: Error | null): void {
    this.#handle = null;
    this.#closeOrphans();
    this.#ready = false;
    this.#stalled = false;
    this.#beat = null;
    this.#settled?.cancel();
    if (this.#stopping === null && this.#starting === null) this.#replace();
    this.#owner.exited(this, error);
    this.#stopping?.();
    this.#starting?.reject(neverReady(error));
    this.#starting = null;
  }

  #replace(): void {
    this.#restarts++;
    this.#restart = this.#clock.timerAfter(this.#restartDelay, () => this.#spawn());
    this.#restartDelay = Math.min(this.#restartDelay * 2, RESTART_MAX) as Duration;
  }

  /** Is a successor on its way? */
  get replaced(): boolean {
    return this.#stopping === null && this.#restart !== null;
  }
}

function neverReady(cause: Error | null): TandemError {
  const why = cause === null ? 'it exited' : cause.message;
  return new TandemError('worker.failed', `the data-path worker did not start: ${why}`, { cause });
}
