import type { CommandResult, DrillReport, FailoverHistory, Status } from '../admin/contract.ts';
import { type Fitness, standingOf } from '../control-path/fitness.ts';
import type { Configured } from '../control-path/pair-drift.ts';
import { Trackers } from '../control-path/track/trackers.ts';
import type { PeerEvidence } from '../control-path/witness/judge.ts';
import { WitnessWatch } from '../control-path/witness/watch.ts';
import { AgentHandle } from '../failover/agent-handle.ts';
import { Handovers } from '../failover/handover/handovers.ts';
import { type ClaimRequest, type ClaimVerdict, Notifier } from '../failover/notifier.ts';
import { PacketRules } from '../failover/packet-rules.ts';
import { PeerReports } from '../failover/peer/reports.ts';
import { loadSecret } from '../failover/peer/secret.ts';
import { HEARTBEAT_MS } from '../failover/protocol.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Duration, formatDuration, type Instant, millis, toSeconds } from '../lib/duration.ts';
import { EXIT, TandemError } from '../lib/errors.ts';
import { unknownGroup } from '../lib/unknown-name.ts';
import type { Emit } from '../model/event.ts';
import type { FailoverSpec, Standing, Standings } from '../model/failover.ts';
import type { NodeSummary, PeerReport, Reach } from '../model/peer-report.ts';
import type { ServiceSpec } from '../model/service.ts';
import type { Native } from '../native/index.ts';
import { type DrillEntry, Drills } from './drills.ts';
import { killAgent, killNode } from './kill.ts';
import { PairView } from './pair-view.ts';
import { PeerComparison } from './peer-comparison.ts';

/** Heartbeats of the agent that may be late before its state counts as old. */
const STALE_MS = 5 * HEARTBEAT_MS;

export interface FailoverOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Services that have no eligible backend. */
  readonly starved: () => readonly string[];
  /** This node in short, for its peer. */
  readonly summary: () => Omit<NodeSummary, 'routers' | keyof Configured>;
  /** What must be alike on both nodes, keyed with the pair's secret. */
  readonly configured: (key: Uint8Array) => Configured;
}

/** What runs while there is a [failover] section. */
interface Running {
  readonly spec: FailoverSpec;
  readonly agent: AgentHandle;
  /** Null without a [failover.peer] section. */
  readonly peering: Peering | null;
  readonly witness: WitnessWatch | null;
}

/** What needs the peer's supervisor. */
interface Peering {
  readonly handovers: Handovers;
  readonly reports: PeerReports;
  readonly comparison: PeerComparison;
  readonly pair: PairView;
}

export interface FailoverCommand {
  /** 'inquire': would the peer take over? 'retake': have it hand over to this node. */
  readonly command: 'handover' | 'takeover' | 'inquire' | 'retake' | 'kill-agent' | 'kill-node';
  /** Null for every group. */
  readonly group: string | null;
  /** Who asks, for the history. */
  readonly by: string;
  readonly requirePeer: boolean;
  /** handover: also to a peer that is no better placed. */
  readonly force: boolean;
}

/**
 * The supervisor's half of the failover: the handle on the agent, and what stays out of the agent's real-time
 * process: trackers, programs that are told, planned handovers. Decides nothing; connects.
 */
export class Failover {
  readonly #options: FailoverOptions;
  readonly #trackers: Trackers;
  readonly #notifier: Notifier;
  readonly #drills: Drills;
  readonly #rules: PacketRules;
  #running: Running | null = null;
  #fitness: Fitness;
  /** As last told to the agent. */
  #standings: Standings = {};
  /** With the daemon, not with the [failover] section: a reload may bring that one later. */
  readonly #startedAt: Instant;
  /** Runs while startup_delay keeps this node out of elections. */
  #startup: Timer | null = null;

  /** @param fitness until the first `setFitness` */
  constructor(options: FailoverOptions, fitness: Fitness) {
    const { native, clock, emit } = options;
    this.#options = options;
    this.#fitness = fitness;
    this.#startedAt = clock.now();
    this.#trackers = new Trackers({ links: native, clock, emit, onChange: () => this.#tellStandings() });
    this.#rules = new PacketRules({ native, clock, emit, onChange: () => this.#tellStandings() });
    this.#notifier = new Notifier({ emit, clock });
    this.#drills = new Drills(emit, () => clock.wallMillis());
  }

  /** @throws TandemError 'peer-secret' */
  async start(spec: FailoverSpec): Promise<void> {
    const { emit, clock } = this.#options;
    this.#notifier.configure(spec.groups);
    const agent = new AgentHandle(spec, {
      emit,
      clock,
      onTransition: (record) => this.#notifier.tell(record),
      beforeClaim: (request) => this.#beforeClaim(request),
      onStatus: (routers) => this.#running?.peering?.handovers.statusChanged(routers),
    });
    const peering = this.#peeringOf(spec, agent);
    const witness = this.#witnessOf(spec, peering);
    this.#running = { spec, agent, peering, witness };
    // what a crash left behind goes before an address is claimed
    await peering?.handovers.start();
    await this.#rules.cleanUp();
    await this.#rules.configure(spec);
    peering?.reports.start();
    witness?.start();
    this.#trackers.configure(spec.tracks);
    this.#waitAtStart(spec);
    this.#tellStandings();
    agent.start();
  }

  /** A link that is deaf at first (a bond, a switch port that learns) must not make this node Active. */
  #waitAtStart({ startupDelay }: FailoverSpec): void {
    const { clock, emit } = this.#options;
    const end = after(this.#startedAt, startupDelay);
    if (end <= clock.now()) return;
    this.#startup = clock.timerAt(end, () => {
      this.#startup = null;
      this.#tellStandings();
    });
    const length = formatDuration(startupDelay);
    emit({
      level: 'info',
      name: 'failover.startup-delay',
      message: `no election is entered until ${length} after the start (startup_delay)`,
      fields: { seconds: toSeconds(startupDelay) },
    });
  }

  #peeringOf(spec: FailoverSpec, agent: AgentHandle): Peering | null {
    const { peer } = spec;
    if (peer === null) return null;
    const { clock, emit } = this.#options;
    const secret = loadSecret(peer.secretFile);
    const own = (): Configured => this.#options.configured(secret);
    const report = (): PeerReport => this.#report(this.#summary(own(), agent));
    const reports = new PeerReports({ peer, secret, clock, emit, report });
    const comparison = new PeerComparison({ clock, emit, reports });
    const handovers = new Handovers({ ...this.#options, spec, peer, secret, agent, reports });
    const pair = new PairView({ clock, emit, reports, own });
    return { handovers, reports, comparison, pair };
  }

  #summary(configured: Configured, agent: AgentHandle): NodeSummary {
    const routers = agent.status().routers.map(({ group, vrid, family, state, effectivePriority }) => ({
      ...{ group, vrid, family, state },
      priority: effectivePriority,
    }));
    return { ...configured, ...this.#options.summary(), routers };
  }

  /** A node that a tracker keeps out of elections is no better one, whatever it reaches. */
  #report(node: NodeSummary): PeerReport {
    const reach = this.#running?.peering?.comparison.own ?? { digest: '', up: 0 };
    const faultless = Object.values(this.#standings).every(({ fault }) => fault === null);
    return {
      fit: this.#fitness.fit && faultless,
      reach,
      witness: this.#running?.witness?.seen ?? null,
      node,
    };
  }

  #witnessOf({ witness: spec }: FailoverSpec, peering: Peering | null): WitnessWatch | null {
    if (spec === null) return null;
    return new WitnessWatch({
      ...this.#options,
      spec,
      evidence: () => this.#evidenceOf(peering),
      onChange: () => this.#tellStandings(),
    });
  }

  #evidenceOf(peering: Peering | null): PeerEvidence {
    const { clock } = this.#options;
    const last = peering?.reports.last ?? null;
    const { routers = [], ageMillis = 0 } = this.#running?.agent.status() ?? {};
    const ages = routers.flatMap(({ peer }) => (peer === null ? [] : [peer.ageMillis + ageMillis]));
    return {
      report: last && { at: last.at, witness: last.report.witness },
      advertisementAt: ages.length === 0 ? null : after(clock.now(), millis(-Math.min(...ages))),
      active: routers.some(({ state }) => state === 'Active'),
    };
  }

  /** The witness first: a program need not be asked about what will not be. */
  async #beforeClaim(request: ClaimRequest): Promise<ClaimVerdict> {
    const witness = this.#running?.witness ?? null;
    if (witness !== null && request.reason === 'active-down-expired') {
      const why = await witness.objection();
      if (why !== null) return { proceed: false, why, by: 'witness' };
    }
    return this.#notifier.beforeClaim(request);
  }

  /** Before work that keeps the supervisor from its heartbeats. */
  announceWork(): void {
    this.#running?.agent.announceWork();
  }

  /** Routers that did not change keep state and timers. */
  configure(spec: FailoverSpec): void {
    if (this.#running === null) return;
    this.#running = { ...this.#running, spec };
    this.#trackers.configure(spec.tracks);
    this.#tellStandings();
    this.#notifier.configure(spec.groups);
    const { agent, peering } = this.#running;
    // rules for an address come before the address
    void this.#rules.configure(spec).then(() => {
      if (this.#running?.spec === spec) agent.configure(spec);
    });
    peering?.handovers.configure(spec);
  }

  /** The role first, then what a handover keeps for connections of the past. */
  async stop(): Promise<void> {
    this.#trackers.stop();
    this.#startup?.cancel();
    this.#startup = null;
    const running = this.#running;
    running?.peering?.reports.stop();
    running?.witness?.stop();
    await running?.agent.stop();
    await running?.peering?.handovers.stop();
    await this.#rules.stop();
    this.#running = null;
  }

  /** Programs that are still to be told have their own time, or none in a hurry. After `stop`. */
  closeNotifier(hurry: boolean): Promise<void> {
    return this.#notifier.close(hurry ? millis(0) : this.#notifier.patience);
  }

  /** How long `closeNotifier` may take. */
  get patience(): Duration {
    return this.#notifier.patience;
  }

  setFitness(fitness: Fitness): void {
    this.#fitness = fitness;
    this.#tellStandings();
  }

  #tellStandings(): void {
    if (this.#running === null) return;
    const { spec, agent, peering, witness } = this.#running;
    const base = this.#startup === null ? standingOf(this.#fitness) : waiting(spec);
    const compared = peering?.comparison.standing(base) ?? base;
    const judged = witness?.standing(compared) ?? compared;
    this.#standings = this.#withRules(this.#trackers.standings(spec, judged));
    agent.setStandings(this.#standings);
  }

  /** To be called every second or so: this node beside its peer. */
  comparePeer(reach: () => Reach, services: readonly ServiceSpec[]): void {
    const comparison = this.#running?.peering?.comparison;
    if (comparison?.observe(reach(), services) === true) this.#tellStandings();
    this.#running?.witness?.judge();
    this.#running?.peering?.pair.observe();
  }

  /** A group without its packet rules stands aside. */
  #withRules(standings: Standings): Standings {
    const entries = Object.entries(standings).map(([group, standing]): [string, Standing] => {
      const fault = standing.fault ?? this.#rules.faultOf(group);
      return [group, { ...standing, fault }];
    });
    return Object.fromEntries(entries);
  }

  /** @throws TandemError 'no-failover', 'unknown-group' */
  async command({ command, group, by, requirePeer, force }: FailoverCommand): Promise<CommandResult> {
    const { agent, peering, spec } = this.#require();
    const names = spec.groups.map(({ name }) => name);
    if (group !== null && !names.includes(group)) throw unknownGroup(group, names);
    const handovers = peering?.handovers ?? null;
    if (command === 'takeover') return agent.command(command, group, by);
    if (command === 'kill-agent' || command === 'kill-node') return this.#kill(command, by, force);
    if (handovers === null) {
      if (command === 'handover' && !requirePeer) return agent.command(command, group, by);
      return { ok: false, message: 'no peer is configured: there is no [failover.peer] section' };
    }
    switch (command) {
      case 'handover':
        return handovers.handover({ group, by, requirePeer, force });
      case 'inquire':
        return handovers.inquire(group);
      case 'retake':
        return handovers.retake(group);
    }
  }

  #kill(command: 'kill-agent' | 'kill-node', by: string, force: boolean): CommandResult {
    const { pid } = this.#require().agent.status();
    const { clock, emit } = this.#options;
    if (command === 'kill-agent') return killAgent({ pid, by, emit });
    return killNode({ pid, by, emit, clock, force });
  }

  drillDone(report: DrillReport): CommandResult {
    this.#require();
    this.#drills.add(report);
    return { ok: true, message: 'the drill is in the history' };
  }

  lastDrill(): DrillEntry | null {
    return this.#drills.list().at(-1) ?? null;
  }

  /** @throws TandemError 'no-failover', 'unknown-group' */
  history(group: string | null): FailoverHistory {
    const { agent, spec } = this.#require();
    const transitions = agent.history.list(group);
    const known = spec.groups.map(({ name }) => name);
    const drills = this.#drills.list();
    if (group === null || transitions.length > 0 || known.includes(group)) return { transitions, drills };
    throw unknownGroup(group, known);
  }

  transitionTotals(): ReturnType<AgentHandle['history']['totals']> {
    return this.#running?.agent.history.totals() ?? [];
  }

  /** @throws TandemError 'no-failover', 'failover.no-agent', 'failover.restart-failed' */
  async restartAgent(): Promise<CommandResult> {
    await this.#require().agent.restart();
    return { ok: true, message: 'the failover agent was replaced; roles and addresses were kept' };
  }

  status(): Status['failover'] {
    if (this.#running === null) return null;
    const agent = this.#running.agent.status();
    return {
      agent: agent.state,
      agentPid: agent.pid,
      realtime: agent.realtime,
      fit: this.#fitness.fit,
      unfitReason: this.#fitness.reason,
      ageMillis: agent.ageMillis,
      stale: agent.state === 'hung' || agent.ageMillis > STALE_MS,
      trackers: this.#trackers.statuses(),
      drains: this.#running.peering?.handovers.drains() ?? [],
      peer: this.#running.peering?.comparison.status() ?? null,
      pair: this.#running.peering?.pair.status() ?? null,
      witness: this.#running.witness?.status() ?? null,
      routers: agent.routers.map((router) => ({ ...router, addresses: [...router.addresses] })),
    };
  }

  #require(): Running {
    if (this.#running !== null) return this.#running;
    throw new TandemError('no-failover', 'this node has no [failover] section', {
      hint: 'add one to its configuration',
      exitStatus: EXIT.usage,
    });
  }
}

const waiting = ({ startupDelay }: FailoverSpec): Standing => ({
  fault: `startup_delay keeps it out of elections until ${formatDuration(startupDelay)} after the start`,
  weight: 0,
  reason: null,
});
