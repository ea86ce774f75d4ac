import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import {
  after,
  between,
  type Duration,
  type Instant,
  micros,
  millis,
  seconds,
  toMillis,
} from '../lib/duration.ts';
import { TandemError } from '../lib/errors.ts';
import type { Emit, EventInput } from '../model/event.ts';
import type { FailoverSpec, Standings, VirtualRouterStatus } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import { loadNative, type Native } from '../native/index.ts';
import type { ResumePoint } from '../vrrp/router.ts';
import { cleanUpAfterAgent } from './aftermath.ts';
import { type AgentCommandResult, AgentCommands } from './agent-commands.ts';
import { type AgentExit, AgentProcess, type Resume } from './agent-process.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import { type FailoverCommand, type FromAgent, HEARTBEAT_MS, type RouterKey } from './protocol.ts';
import { silenceLimit } from './silence.ts';
import { agentLost, TransitionHistory } from './transition-history.ts';

const HEARTBEAT = millis(HEARTBEAT_MS);
/** From fork to the first message: Node has to start, on a host that may be busy booting. */
const START_LIMIT = seconds(10);
/** Doubled up to here when one was ended while it started: on a slow host no attempt would ever come to its end. */
const MAX_START_LIMIT = seconds(120);
const STOP_LIMIT = seconds(2);
const HAND_ON_LIMIT = seconds(1);
const FIRST_BACKOFF = millis(100);
const MAX_BACKOFF = seconds(10);
/** An agent that ran this long was not in a crash loop. */
const STEADY = seconds(30);

export interface AgentHandleOptions {
  readonly emit: Emit;
  /** After every heartbeat of the agent, and with its last known routers when it is gone. */
  readonly onStatus?: (routers: readonly VirtualRouterStatus[]) => void;
  /** Of every virtual router, in order; also for those of an agent that died. */
  readonly onTransition?: (record: TransitionRecord) => void;
  /** Runs before_claim; bounded in time, never rejects. Left out: nobody is asked. */
  readonly beforeClaim?: (request: ClaimRequest) => Promise<ClaimVerdict>;
  readonly clock?: Clock;
  /** How long the first attempt to start an agent may take; each that was ended doubles it, up to two minutes. */
  readonly startLimit?: Duration;
}

export type AgentState = 'starting' | 'running' | 'hung' | 'dead';

export interface AgentStatus {
  readonly state: AgentState;
  readonly pid: number | null;
  /** SCHED_FIFO is in force. */
  readonly realtime: boolean;
  /** Milliseconds since the agent was last heard; `routers` are no fresher than that. */
  readonly ageMillis: number;
  readonly routers: readonly VirtualRouterStatus[];
}

/**
 * The supervisor's side of the failover agent: forks it, configures it, watches it, cleans up after it and
 * starts it anew. Agent and supervisor watch each other; the one that survives takes the addresses off.
 */
export class AgentHandle {
  readonly #native: Native;
  readonly #emit: Emit;
  readonly #onStatus: (routers: readonly VirtualRouterStatus[]) => void;
  readonly #onTransition: (record: TransitionRecord) => void;
  readonly #beforeClaim: (request: ClaimRequest) => Promise<ClaimVerdict>;
  readonly #clock: Clock;
  readonly history = new TransitionHistory();
  readonly #commands: AgentCommands;
  #spec: FailoverSpec;
  #standings: Standings = {};
  #agent: AgentProcess | null = null;
  #state: AgentState = 'dead';
  #realtime = false;
  #startedAt: Instant;
  #backoff: Duration = FIRST_BACKOFF;
  /** Kept as it is when one has come up: this host needs that long. */
  #startLimit: Duration;
  #respawn: Timer | null = null;
  #tick: Timer | null = null;
  /** A successor on its way; a second `restart` joins the first. */
  #restarting: Promise<void> | null = null;
  #stopping = false;
  #cleaning: Promise<void> = Promise.resolve();

  /** @throws TandemError when the native addon is missing. */
  constructor(spec: FailoverSpec, options: AgentHandleOptions) {
    this.#native = loadNative();
    this.#spec = spec;
    this.#emit = options.emit;
    this.#onStatus = options.onStatus ?? (() => undefined);
    this.#onTransition = options.onTransition ?? (() => undefined);
    this.#beforeClaim = options.beforeClaim ?? (async () => ({ proceed: true, why: 'nobody to ask' }));
    this.#clock = options.clock ?? systemClock;
    this.#startLimit = options.startLimit ?? START_LIMIT;
    this.#commands = new AgentCommands(this.#clock);
    this.#startedAt = this.#clock.now();
  }

  /** Forks the agent. What goes wrong from here on is an event, and is tried again. */
  start(): void {
    if (this.#agent !== null || this.#stopping) return;
    this.#launch();
    this.#armTick(this.#clock.now());
  }

  /** A changed configuration; virtual routers that did not change keep state and timers. */
  configure(spec: FailoverSpec): void {
    this.#spec = spec;
    if (this.#agent !== null) this.#agent.patience = this.#patience;
    if (this.#state !== 'running') return;
    this.#agent?.send({ type: 'configure', spec, resume: {} });
  }

  /** What speaks for and against each group here: the agent hears of a change at once. */
  setStandings(standings: Standings): void {
    const changed = !isDeepStrictEqual(standings, this.#standings);
    this.#standings = standings;
    if (changed) this.#sendHeartbeat();
  }

  /** Before work that keeps the event loop from turning: its silence is not to be taken for a hang. */
  announceWork(): void {
    this.#agent?.send({ type: 'long-work' });
  }

  status(): AgentStatus {
    const agent = this.#agent;
    return {
      state: this.#state,
      pid: agent?.pid ?? null,
      realtime: this.#realtime,
      ageMillis: agent === null ? 0 : toMillis(agent.silence()),
      routers: agent?.routers ?? [],
    };
  }

  /**
   * Never rejects: a silent agent is a result, too.
   * @param group null for every group
   * @param by who asks, for the history
   */
  command(command: FailoverCommand, group: string | null, by: string): Promise<AgentCommandResult> {
    const agent = this.#agent;
    if (agent === null || this.#state !== 'running') {
      return Promise.resolve({ ok: false, message: `the failover agent is ${this.#state}` });
    }
    return this.#commands.ask((id) => agent.send({ type: 'command', id, command, group, by }));
  }

  /**
   * Replaces the agent by a new one that keeps the roles: no priority 0, no address removed. The successor
   * is loaded before the predecessor stops, so that no advertisement is missed.
   * @throws TandemError when the successor does not start; the predecessor goes on then.
   */
  restart(): Promise<void> {
    this.#restarting ??= this.#replace().finally(() => {
      this.#restarting = null;
    });
    return this.#restarting;
  }

  /** Priority 0, addresses off, agent gone. Cleans up itself when the agent does not do it in time. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#restarting?.catch(() => undefined);
    this.#tick?.cancel();
    this.#respawn?.cancel();
    const agent = this.#agent;
    await this.#cleaning;
    if (agent === null) return;
    this.#agent = null;
    agent.send({ type: 'stop', keepRole: false });
    const exit = await agent.within(STOP_LIMIT, agent.exited);
    this.#state = 'dead';
    this.#commands.abandon();
    if (exit.code !== 0) await this.#cleanUp(agent.routers);
  }

  #launch(resume: Resume = {}): void {
    this.#state = 'starting';
    this.#startedAt = this.#clock.now();
    const agent = new AgentProcess(this.#clock, this.#patience, (message) =>
      this.#heard(agent, message, resume),
    );
    this.#adopt(agent);
  }

  #adopt(agent: AgentProcess): void {
    this.#agent = agent;
    void agent.exited.then((exit) => {
      if (this.#agent === agent) this.#lost(agent, exit);
    });
  }

  #heard(agent: AgentProcess, message: FromAgent, resume: Resume): void {
    switch (message.type) {
      case 'hello':
        if (agent === this.#agent) this.#introduce(agent, resume);
        break;
      case 'ready':
        this.#ready(agent, message.realtime);
        break;
      case 'heartbeat':
        if (agent === this.#agent) this.#onStatus(message.routers);
        break;
      case 'before-claim':
        void this.#beforeClaim(message.request).then((verdict) =>
          agent.send({ type: 'claim-verdict', id: message.id, verdict }),
        );
        break;
      case 'transition':
        this.#transitioned(message.record);
        break;
      case 'event':
        this.#emit(message.event);
        break;
      case 'command-result':
        this.#commands.settle(message.id, message);
        break;
      case 'stopped':
        break;
    }
  }

  /** Standings first: an unfit node must not come up Active, not even for a moment. */
  #introduce(agent: AgentProcess, resume: Resume): void {
    agent.send({ type: 'heartbeat', standings: this.#standings });
    agent.send({ type: 'configure', spec: this.#spec, resume });
  }

  #ready(agent: AgentProcess, realtime: boolean): void {
    if (agent !== this.#agent) return;
    this.#realtime = realtime;
    if (this.#state === 'running') return;
    this.#state = 'running';
    this.#event('info', 'failover.agent-started', `the failover agent runs (pid ${agent.pid})`, {
      pid: agent.pid,
      realtime,
    });
  }

  /** The agent ended without being told to. */
  #lost(agent: AgentProcess, { code, signal }: AgentExit): void {
    this.#agent = null;
    this.#state = 'dead';
    this.#commands.abandon();
    const how = signal === null ? `status ${code}` : signal;
    this.#event('error', 'failover.agent-exited', `the failover agent ended with ${how}`, { code, signal });
    for (const router of agent.routers) {
      if (router.state !== 'Initialize') this.#transitioned(agentLost(router, how, this.#clock.wallMillis()));
    }
    this.#onStatus([]);
    this.#cleaning = this.#cleanUp(agent.routers).then(() => this.#respawnLater());
  }

  #transitioned(record: TransitionRecord): void {
    this.history.add(record);
    this.#onTransition(record);
  }

  async #cleanUp(last: readonly VirtualRouterStatus[]): Promise<void> {
    const active = last.filter(({ state }) => state === 'Active');
    await cleanUpAfterAgent({
      native: this.#native,
      emit: this.#emit,
      spec: this.#spec,
      wasActive: new Set(active.map(keyOf)),
    });
  }

  #respawnLater(): void {
    if (this.#stopping || this.#agent !== null) return;
    if (between(this.#startedAt, this.#clock.now()) > STEADY) this.#backoff = FIRST_BACKOFF;
    const delay = this.#backoff;
    this.#backoff = micros(Math.min(MAX_BACKOFF, delay * 2));
    this.#respawn = this.#clock.timerAfter(delay, () => {
      if (!this.#stopping && this.#agent === null) this.#launch();
    });
  }

  /** How long the agent may hang. */
  get #patience(): Duration {
    return silenceLimit(this.#spec.groups.map(({ lease }) => lease));
  }

  #armTick(last: Instant): void {
    const at = after(last, HEARTBEAT);
    this.#tick = this.#clock.timerAt(at, () => {
      const now = this.#clock.now();
      if (between(at, now) > this.#patience / 2) this.#agent?.forgiveSilence();
      this.#sendHeartbeat();
      this.#watch();
      this.#armTick(now);
    });
  }

  #sendHeartbeat(): void {
    this.#agent?.send({ type: 'heartbeat', standings: this.#standings });
  }

  #watch(): void {
    const agent = this.#agent;
    if (agent === null || this.#state === 'hung') return;
    const starting = this.#state === 'starting';
    const trouble = starting && agent.silence() < this.#startLimit ? null : agent.trouble();
    if (trouble === null) return;
    this.#state = 'hung';
    const millisSilent = Math.round(toMillis(agent.silence()));
    this.#event(
      'error',
      'failover.agent-hung',
      `the failover agent ${trouble}, silent for ${millisSilent} ms, and is ended`,
      { pid: agent.pid, silenceMillis: millisSilent, trouble },
    );
    if (starting) this.#startLimit = micros(Math.min(MAX_START_LIMIT, this.#startLimit * 2));
    // its exit brings the clean-up and the next one
    agent.kill();
  }

  async #replace(): Promise<void> {
    const old = this.#agent;
    if (old === null || this.#state !== 'running') {
      throw new TandemError('failover.no-agent', `the failover agent is ${this.#state}, not running`);
    }
    const successor = await this.#prepare();
    old.send({ type: 'stop', keepRole: true });
    const resume = await old.within(HAND_ON_LIMIT, old.stopped);
    if (this.#agent !== old || this.#stopping) {
      // it crashed in the meantime, and was cleaned up after: a new one is on its way
      successor.agent.kill();
      throw new TandemError('failover.restart-failed', 'the failover agent died while it was replaced');
    }
    this.#startedAt = this.#clock.now();
    this.#adopt(successor.agent);
    this.#state = 'starting';
    successor.go(resume ?? resumeFrom(old.routers));
    this.#commands.abandon();
  }

  /** Forks a successor and waits until it has loaded. */
  async #prepare(): Promise<{ agent: AgentProcess; go: (resume: Resume) => void }> {
    let loaded: () => void = () => undefined;
    const hello = new Promise<'hello'>((resolve) => {
      loaded = () => resolve('hello');
    });
    const agent = new AgentProcess(this.#clock, this.#patience, (message) => {
      if (message.type === 'hello') loaded();
      else this.#heard(agent, message, {});
    });
    const first = await agent.within(this.#startLimit, Promise.race([hello, agent.exited]));
    if (first !== 'hello') {
      throw new TandemError(
        'failover.restart-failed',
        'a new failover agent did not start; the old one goes on',
      );
    }
    return { agent, go: (resume) => this.#introduce(agent, resume) };
  }

  #event(
    level: EventInput['level'],
    name: EventInput['name'],
    message: string,
    fields: EventInput['fields'],
  ): void {
    this.#emit({ level, name, message, fields });
  }
}

/** For a predecessor that did not answer: what its last heartbeat said. */
function resumeFrom(routers: readonly VirtualRouterStatus[]): Resume {
  const resume: Record<RouterKey, ResumePoint> = {};
  for (const router of routers) {
    if (router.state === 'Initialize') continue;
    const raised = router.effectivePriority > router.priority ? router.effectivePriority : null;
    resume[keyOf(router)] = { state: router.state, effectivePriority: raised, yielded: false };
  }
  return resume;
}

function keyOf({ vrid, family, interface: device }: VirtualRouterStatus): RouterKey {
  return `${vrid}/${family}@${device}`;
}
