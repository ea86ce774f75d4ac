import type { Clock, Timer } from '../lib/clock.ts';
import type { Emit } from '../model/event.ts';
import type { ProbeResult, TrafficOutcome } from '../model/health.ts';
import type { AdminState, BackendSet, ServiceSpec } from '../model/service.ts';
import type { AskAgent } from './agent-check/ask.ts';
import { AgentChecker } from './agent-check/checker.ts';
import type { AgentResult } from './agent-check/state.ts';
import type { Probe } from './health/probe.ts';
import type { ProbeGate } from './health/probe-gate.ts';
import { Prober } from './health/prober.ts';
import type { NextInterval } from './health/tracker.ts';
import { Pool, type PoolChange, type RuntimeState } from './pool.ts';
import type { BackendView } from './pool-backend.ts';

export interface ServiceControllerOptions {
  readonly spec: ServiceSpec;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Shared by all services. */
  readonly gate: ProbeGate;
  /** `runProbe` of health/probes outside of tests. */
  readonly probe: Probe;
  /** `askAgent` of agent-check/ask.ts outside of tests. */
  readonly ask: AskAgent;
  /** Row in the shared counters; must know every backend of a spec before `reconfigure` gets it. */
  readonly slotOf: (backend: string) => number;
  /** What an earlier controller's `exportRuntimeState` gave. */
  readonly runtime?: RuntimeState | undefined;
  /** A changed set for the data path. Always called before the events that explain it. */
  readonly onSet: (set: BackendSet) => void;
  readonly emit: Emit;
  /** With `on_down = "close"`: the backend's connections must end now. Called after `onSet`. */
  readonly onBackendDown: (backend: string) => void;
  /** Every probe result, for metrics. */
  readonly onProbe?: ((backend: string, result: ProbeResult) => void) | undefined;
  /** Every answer of an agent, and every question without one, for metrics. */
  readonly onAgent?: ((backend: string, result: AgentResult) => void) | undefined;
}

/**
 * Runs one service's pool: feeds it probes, traffic, commands and time, and passes on what it decides.
 * Owns the prober, the agent checks and the pool's deadline timer. `set` is valid before `start`, so that the data path can
 * be opened with it; `start` begins to probe.
 */
export class ServiceController {
  readonly #options: ServiceControllerOptions;
  readonly #pool: Pool;
  readonly #prober: Prober;
  readonly #agents: AgentChecker;
  #spec: ServiceSpec;
  #timer: Timer | null = null;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: ServiceControllerOptions) {
    const { clock, random, gate, probe, ask } = options;
    this.#options = options;
    this.#spec = options.spec;
    this.#pool = new Pool(options, clock.now());
    const onResult = (id: string, result: ProbeResult): NextInterval => this.#onResult(id, result);
    this.#prober = new Prober({ clock, random, probe, gate, onResult });
    const onAgent = (id: string, result: AgentResult): void => this.#onAgent(id, result);
    this.#agents = new AgentChecker({ clock, random, gate, ask, onResult: onAgent });
  }

  /** The set in force. */
  get set(): BackendSet {
    return this.#pool.set;
  }

  get spec(): ServiceSpec {
    return this.#spec;
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    // the opening set goes to the data path with the service itself
    for (const event of this.#pool.opening.events) this.#options.emit(event);
    this.#arm();
    this.#prober.configure(this.#spec.health, this.#spec.backends);
    this.#agents.configure(this.#spec.backends);
  }

  /** Ends timers and probes; idempotent. Nothing is told afterwards. */
  stop(): void {
    this.#state = 'stopped';
    this.#prober.stop();
    this.#agents.stop();
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Takes the configuration of a reload; call it for every service at every reload (see Pool.reconfigure). */
  reconfigure(spec: ServiceSpec): void {
    this.#spec = spec;
    this.#apply(this.#pool.reconfigure(spec, this.#options.clock.now()));
    if (this.#state !== 'running') return;
    this.#prober.configure(spec.health, spec.backends);
    this.#agents.configure(spec.backends);
  }

  onTraffic(backend: string, outcome: TrafficOutcome): void {
    this.#apply(this.#pool.traffic(backend, outcome, this.#options.clock.now()));
  }

  /** @throws TandemError "unknown-backend" unless there is one of that id */
  requireBackend(backend: string): void {
    this.#pool.requireBackend(backend);
  }

  /** @throws TandemError "unknown-backend" */
  setAdmin(backend: string, state: AdminState, persist: boolean): void {
    this.#apply(this.#pool.setAdmin(backend, state, persist, this.#options.clock.now()));
  }

  /** Null goes back to the configured weight. @throws TandemError "unknown-backend", "invalid-weight" */
  setWeight(backend: string, weight: number | null, persist: boolean): void {
    this.#apply(this.#pool.setWeight(backend, weight, persist, this.#options.clock.now()));
  }

  /** The backends in their configured order, for `status`. */
  snapshot(): BackendView[] {
    return this.#pool.view(this.#options.clock.now());
  }

  /** What was set with `persist`: for a controller that takes this one's place, or a later daemon. */
  exportRuntimeState(): RuntimeState {
    return this.#pool.runtimeState();
  }

  #onResult(backend: string, result: ProbeResult): NextInterval {
    const change = this.#pool.probeResult(backend, result, this.#options.clock.now());
    this.#options.onProbe?.(backend, result);
    this.#apply(change);
    return change.next;
  }

  #onAgent(backend: string, result: AgentResult): void {
    this.#options.onAgent?.(backend, result);
    this.#apply(this.#pool.agentResult(backend, result, this.#options.clock.now()));
  }

  #apply(change: PoolChange): void {
    if (this.#state === 'stopped') return;
    if (change.set !== null) this.#options.onSet(change.set);
    for (const event of change.events) this.#options.emit(event);
    if (this.#spec.onDown === 'close') for (const id of change.lost) this.#options.onBackendDown(id);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const deadline = this.#pool.deadline;
    if (deadline === null || this.#state !== 'running') return;
    const { clock } = this.#options;
    this.#timer = clock.timerAt(deadline, () => this.#apply(this.#pool.tick(clock.now())));
  }
}
