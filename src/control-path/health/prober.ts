import type { Clock, Timer } from '../../lib/clock.ts';
import {
  after,
  between,
  type Duration,
  formatDuration,
  type Instant,
  millis,
  toMillis,
} from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Endpoint } from '../../lib/ip.ts';
import type { HealthSpec, ProbeResult } from '../../model/health.ts';
import { failed, type Probe, type ProbeOutcome } from './probe.ts';
import type { ProbeGate } from './probe-gate.ts';
import type { NextInterval } from './tracker.ts';

/** First probes of a service are spread over this, or over half an interval when that is shorter. */
const START_SPREAD_US = 250_000;

export interface ProbeTarget {
  readonly id: string;
  readonly endpoint: Endpoint;
}

export interface ProberOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  readonly probe: Probe;
  readonly gate: ProbeGate;
  /** Takes a result and answers when to ask again. */
  readonly onResult: (id: string, result: ProbeResult) => NextInterval;
}

/**
 * Asks the backends of one service, each on a schedule of its own: from the start of one probe to the start
 * of the next `interval` (or `fastInterval`) stretched or shrunk by the jitter, never two at once for one
 * backend, each cut off at `timeout`. Owns its timers and probes; `stop` ends them all.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #schedules = new Map<string, Schedule>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /**
   * Takes the checks to make from now on. Schedules of backends that stay go on undisturbed (changed
   * settings count from their next probe); `health` null stops all.
   */
  configure(health: HealthSpec | null, targets: readonly ProbeTarget[]): void {
    if (health === null) {
      this.stop();
      return;
    }
    const wanted = new Map(targets.map((target) => [keyOf(target), target]));
    for (const [key, schedule] of this.#schedules) {
      if (wanted.has(key)) schedule.health = health;
      else this.#drop(key, schedule);
    }
    const fresh = [...wanted].filter(([key]) => !this.#schedules.has(key));
    const spread = Math.min(START_SPREAD_US, health.interval / 2);
    fresh.forEach(([key, target], i) => {
      const schedule = new Schedule(target, health, this.#options);
      this.#schedules.set(key, schedule);
      schedule.start(((spread * i) / fresh.length) as Duration);
    });
  }

  /** Ends every timer and probe; no result is told afterwards. */
  stop(): void {
    for (const [key, schedule] of this.#schedules) this.#drop(key, schedule);
  }

  #drop(key: string, schedule: Schedule): void {
    this.#schedules.delete(key);
    schedule.stop();
  }
}

const keyOf = (target: ProbeTarget): string =>
  `${target.id} ${target.endpoint.address.text} ${target.endpoint.port}`;

/** One backend's schedule: waiting for its time, then for the gate, then for its probe, and again. */
class Schedule {
  health: HealthSpec;
  readonly #target: ProbeTarget;
  readonly #options: ProberOptions;
  #stopped = false;
  /** The next start, or the next reminder of an overdue probe. */
  #timer: Timer | null = null;
  /** The timeout of the probe under way. */
  #deadline: Timer | null = null;
  #cancelWait: (() => void) | null = null;
  #abort: AbortController | null = null;
  #began: Instant;
  #told = false;
  /** How far the probe under way got, in its own words. */
  #progress: string | null = null;
  #next: NextInterval = 'normal';

  constructor(target: ProbeTarget, health: HealthSpec, options: ProberOptions) {
    this.#target = target;
    this.health = health;
    this.#options = options;
    this.#began = options.clock.now();
  }

  start(delay: Duration): void {
    this.#arm(after(this.#options.clock.now(), delay));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#deadline?.cancel();
    this.#cancelWait?.();
    this.#abort?.abort();
  }

  #arm(at: Instant): void {
    this.#timer = this.#options.clock.timerAt(at, () => {
      // before `enter`, which may start at once
      this.#cancelWait = null;
      this.#cancelWait = this.#options.gate.enter(() => this.#run());
    });
  }

  /** One probe; the place in the gate is given back when the probe has really ended. */
  #run(): void {
    const { clock, gate, probe } = this.#options;
    const { health } = this;
    this.#began = clock.now();
    this.#told = false;
    this.#progress = null;
    const abort = new AbortController();
    this.#abort = abort;
    this.#deadline = clock.timerAfter(health.timeout, () => {
      this.#tell(timedOut(health.timeout, this.#progress));
      this.#remind();
      abort.abort();
    });
    const end = (outcome: ProbeOutcome): void => {
      gate.leave();
      this.#end(outcome);
    };
    const port = health.port ?? this.#target.endpoint.port;
    const target = { address: this.#target.endpoint.address, port };
    const onProgress = (text: string): void => {
      this.#progress = text;
    };
    probe(health.probe, target, abort.signal, onProgress).then(
      end,
      // a defect of ours: told as such, and not held against the backend
      (error: unknown) => end({ ok: false, reason: 'local', detail: `probe failed: ${messageOf(error)}` }),
    );
  }

  #end(outcome: ProbeOutcome): void {
    this.#deadline?.cancel();
    this.#timer?.cancel();
    this.#abort = null;
    if (!this.#told) this.#tell(outcome);
    if (!this.#stopped) this.#arm(after(this.#began, this.#delay()));
  }

  #tell(outcome: ProbeOutcome): void {
    if (this.#stopped) return;
    this.#told = true;
    const result = { ...outcome, latency: between(this.#began, this.#options.clock.now()) };
    this.#next = this.#options.onResult(this.#target.id, result);
  }

  /**
   * A probe that does not let go when told to (a process in uninterruptible sleep) counts as one more
   * failure each interval; else the backend would stay up on its first one.
   */
  #remind(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.timerAfter(this.#delay(), () => {
      this.#tell(timedOut(between(this.#began, this.#options.clock.now()), this.#progress));
      this.#remind();
    });
  }

  #delay(): Duration {
    const { interval, fastInterval, jitter } = this.health;
    const base = this.#next === 'fast' ? fastInterval : interval;
    return (base * (1 + jitter * (2 * this.#options.random() - 1))) as Duration;
  }
}

function timedOut(d: Duration, progress: string | null): ProbeOutcome {
  const detail = `timed out after ${formatDuration(millis(Math.round(toMillis(d))))}`;
  return failed('timeout', progress === null ? detail : `${detail}; ${progress}`);
}
