import type { Status } from '../admin/contract.ts';
import {
  DEFAULT_FITNESS_POLICY,
  type Fitness,
  INITIAL_FITNESS,
  judgeFitness,
} from '../control-path/fitness.ts';
import type { CounterReader } from '../data-path/counters.ts';
import type { DataPath } from '../data-path/data-path.ts';
import { type LimitReading, LimitWatch } from '../data-path/guard/limit-watch.ts';
import { readLimits } from '../data-path/limits.ts';
import type { ProcessLimits } from '../data-path/protocol.ts';
import { HEARTBEAT_MS } from '../failover/protocol.ts';
import type { Clock } from '../lib/clock.ts';
import { millis, seconds } from '../lib/duration.ts';
import type { ServiceSpec } from '../model/service.ts';
import type { Timeline } from '../observability/timeline.ts';
import type { Failover } from './failover.ts';
import { Periodic } from './periodic.ts';
import type { ServiceManager } from './service-manager.ts';
import type { Services } from './services.ts';
import { statusLine, vitalFault } from './vital-signs.ts';

/** How often limits, draining backends and the peer are looked at. */
const WATCH = seconds(1);

export interface SelfWatchOptions {
  readonly clock: Clock;
  readonly timeline: Timeline;
  readonly manager: ServiceManager;
  readonly counters: CounterReader;
  readonly dataPath: DataPath;
  readonly services: Services;
  readonly failover: Failover;
  readonly limits: ProcessLimits;
  /** Share of a limit above which it is told of. */
  readonly warnAt: number;
  /** Services of the configuration in force. */
  readonly configured: () => readonly ServiceSpec[];
  readonly status: () => Status;
}

/**
 * The node's eye on itself: its fitness for the election with every heartbeat, once a second its limits, drains and the
 * peer beside it, and what the service manager hears of it all.
 */
export class SelfWatch {
  readonly #options: SelfWatchOptions;
  readonly #limitWatch: LimitWatch;
  readonly #periodic: readonly Periodic[];
  #limits: ProcessLimits;
  #fitness: Fitness = UNKNOWN_FITNESS;
  /** The service manager knows that this daemon serves. */
  #announced = false;

  constructor(options: SelfWatchOptions) {
    const { clock, limits, warnAt } = options;
    this.#options = options;
    this.#limits = limits;
    this.#limitWatch = new LimitWatch(warnAt);
    this.#periodic = [
      new Periodic(clock, millis(HEARTBEAT_MS), () => this.#beat()),
      new Periodic(clock, WATCH, () => this.#watch()),
    ];
  }

  start(): void {
    for (const periodic of this.#periodic) periodic.start();
  }

  stop(): void {
    for (const periodic of this.#periodic) periodic.stop();
  }

  get fitness(): Fitness {
    return this.#fitness;
  }

  setLimits(limits: ProcessLimits, warnAt: number): void {
    this.#limits = limits;
    this.#limitWatch.update(warnAt);
  }

  /** Between these two the service manager counts the daemon as reloading; also when the reload is refused. */
  reloadBegins(): void {
    if (this.#announced) this.#options.manager.reloading();
  }

  reloadEnds(): void {
    if (this.#announced) this.#options.manager.ready();
  }

  workers(): Status['workers'] {
    const { dataPath, counters } = this.#options;
    return dataPath.workers().map(({ worker, alive, stalled, restarts }) => {
      const { connections, loopLagSeconds } = counters.worker(worker);
      const state = alive ? (stalled ? 'stalled' : 'running') : 'dead';
      return { worker, state, connections, loopLagSeconds, restarts };
    });
  }

  limits(): LimitReading[] {
    const { counters, services } = this.#options;
    return readLimits(counters, this.#limits, services.limited());
  }

  #beat(): void {
    this.#judgeFitness();
    this.#tellManager();
  }

  #watch(): void {
    const { services, failover, manager, configured, status } = this.#options;
    this.#watchLimits();
    services.watchDrains();
    failover.comparePeer(() => services.reach(), configured());
    manager.status(statusLine(status()));
  }

  #judgeFitness(): void {
    const { clock, timeline, counters, dataPath, services, failover, configured } = this.#options;
    dataPath.watch(clock.now());
    const { fdsInUse } = counters.process();
    this.#fitness = judgeFitness(
      this.#fitness.state,
      {
        workers: dataPath.workers().map(({ worker, alive }) => {
          return { id: String(worker), alive, ...counters.worker(worker) };
        }),
        acceptErrors: timeline.totals.get('listener.failed') ?? 0,
        fdHeadroom: this.#limits.fdLimit - this.#limits.fdReserve - fdsInUse,
        services: configured().length,
        servicesWithoutBackend: services.withoutBackend(),
      },
      DEFAULT_FITNESS_POLICY,
      clock.now(),
    );
    failover.setFitness(this.#fitness);
  }

  /** Ready is who has its listeners open and its agent running; only then somebody counts on signs of life. */
  #tellManager(): void {
    const { clock, manager, failover, status } = this.#options;
    const fault = (): string | null => vitalFault({ workers: this.workers(), failover: failover.status() });
    if (!this.#announced) {
      if (fault() !== null) return;
      this.#announced = true;
      manager.ready();
      manager.status(statusLine(status()));
    }
    manager.tick(clock.now(), fault);
  }

  #watchLimits(): void {
    for (const { edge, reading } of this.#limitWatch.observe(this.limits())) {
      const { name, subject, used, max } = reading;
      const where = subject === null ? name : `${name} of ${subject}`;
      this.#options.timeline.emit({
        level: edge === 'warning' ? 'warn' : 'info',
        name: edge === 'warning' ? 'limit.warning' : 'limit.cleared',
        message: `${where}: ${used} of ${max} used`,
        fields: { limit: name, subject, used, max },
      });
    }
  }
}

/** Before the first look. */
export const UNKNOWN_FITNESS: Fitness = {
  state: INITIAL_FITNESS,
  fit: false,
  reason: 'starting',
  concerns: [],
};
