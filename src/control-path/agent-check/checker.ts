import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../../lib/clock.ts';
import { after, type Duration, formatDuration, type Instant } from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import type { AgentCheckSpec } from '../../model/agent-check.ts';
import type { ProbeGate } from '../health/probe-gate.ts';
import type { AskAgent } from './ask.ts';
import type { AgentResult } from './state.ts';

/** First questions of a service are spread over this, or over half an interval when that is shorter. */
const START_SPREAD_US = 250_000;
/** Agents of many backends on one host are not to be asked in step. */
const JITTER = 0.1;

export interface AgentTarget {
  readonly id: string;
  readonly agentCheck: AgentCheckSpec | null;
}

export interface AgentCheckerOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  /** Shared with the health checks: both take descriptors. */
  readonly gate: ProbeGate;
  readonly ask: AskAgent;
  readonly onResult: (id: string, result: AgentResult) => void;
}

/**
 * Asks the agents of one service's backends, each at its interval, never twice at once, each cut off at its
 * timeout. Owns its timers and sockets; `stop` ends them all.
 */
export class AgentChecker {
  readonly #options: AgentCheckerOptions;
  readonly #schedules = new Map<string, Schedule>();

  constructor(options: AgentCheckerOptions) {
    this.#options = options;
  }

  /** Takes the agents to ask from now on; those whose check is the same go on undisturbed. */
  configure(targets: readonly AgentTarget[]): void {
    const wanted = new Map(targets.map(({ id, agentCheck }) => [id, agentCheck]));
    for (const [id, schedule] of this.#schedules) {
      if (!isDeepStrictEqual(wanted.get(id) ?? null, schedule.spec)) this.#drop(id, schedule);
    }
    const fresh = [...wanted].filter(([id, spec]) => spec !== null && !this.#schedules.has(id));
    fresh.forEach(([id, spec], i) => {
      if (spec === null) return;
      const spread = Math.min(START_SPREAD_US, spec.interval / 2);
      const schedule = new Schedule(id, spec, this.#options);
      this.#schedules.set(id, schedule);
      schedule.start(((spread * i) / fresh.length) as Duration);
    });
  }

  /** No result is told afterwards. */
  stop(): void {
    for (const [id, schedule] of this.#schedules) this.#drop(id, schedule);
  }

  #drop(id: string, schedule: Schedule): void {
    this.#schedules.delete(id);
    schedule.stop();
  }
}

class Schedule {
  readonly spec: AgentCheckSpec;
  readonly #id: string;
  readonly #options: AgentCheckerOptions;
  #stopped = false;
  #timer: Timer | null = null;
  #deadline: Timer | null = null;
  #cancelWait: (() => void) | null = null;
  #abort: AbortController | null = null;

  constructor(id: string, spec: AgentCheckSpec, options: AgentCheckerOptions) {
    this.#id = id;
    this.spec = spec;
    this.#options = options;
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

  #run(): void {
    const { clock, gate, ask } = this.#options;
    const { endpoint, send, timeout } = this.spec;
    const began = clock.now();
    const abort = new AbortController();
    this.#abort = abort;
    let late = false;
    this.#deadline = clock.timerAfter(timeout, () => {
      late = true;
      abort.abort();
    });
    const end = (result: AgentResult): void => {
      gate.leave();
      this.#deadline?.cancel();
      this.#abort = null;
      if (this.#stopped) return;
      this.#options.onResult(this.#id, late ? timedOut(timeout) : result);
      if (!this.#stopped) this.#arm(after(began, this.#delay()));
    };
    ask(endpoint, send, abort.signal).then(end, (error: unknown) =>
      // a defect of ours, and told as such
      end({ ok: false, reason: 'local', detail: `agent check failed: ${messageOf(error)}` }),
    );
  }

  #delay(): Duration {
    return (this.spec.interval * (1 + JITTER * (2 * this.#options.random() - 1))) as Duration;
  }
}

const timedOut = (timeout: Duration): AgentResult => ({
  ok: false,
  reason: 'timeout',
  detail: `timed out after ${formatDuration(timeout)}`,
});
