import { type Instant, instant } from '../lib/duration.ts';
import { TandemError } from '../lib/errors.ts';
import { formatEndpoint } from '../lib/ip.ts';
import { unknownName } from '../lib/unknown-name.ts';
import type { EventInput } from '../model/event.ts';
import type { ProbeResult, TrafficOutcome } from '../model/health.ts';
import type { AdminState, BackendSet, BackendSpec, PoolMember, ServiceSpec } from '../model/service.ts';
import { type AgentResult, hearAgent, newAgentState } from './agent-check/state.ts';
import { countOutcome, eject, ejectionCap, readmit, UNTROUBLED } from './ejection.ts';
import {
  chooseTier,
  dispositionOf,
  isCandidate,
  isUndecided,
  type Standing,
  type Tier,
} from './eligibility.ts';
import { initialTracker, type NextInterval, observe, release } from './health/tracker.ts';
import {
  adminOf,
  type BackendView,
  ceilingOf,
  isDown,
  isEjected,
  newBackend,
  type PoolBackend,
  type RuntimeBackendState,
  sharedWeight,
  standingOf,
  viewOf,
  weightOf,
} from './pool-backend.ts';
import * as say from './pool-events.ts';
import { rampAt } from './slow-start.ts';

/** What the operator set with `--persist`, by backend id. */
export type RuntimeState = ReadonlyMap<string, RuntimeBackendState>;

/** What one input changed. */
export interface PoolChange {
  /** The new set, or null when the data path need not hear of it. */
  readonly set: BackendSet | null;
  readonly events: readonly EventInput[];
  /** Backends that have just gone down or into maintenance: `on_down = "close"` ends their connections. */
  readonly lost: readonly string[];
}

export interface PoolOptions {
  readonly spec: ServiceSpec;
  /** Row in the shared counters of a backend; asked for every backend of every set. */
  readonly slotOf: (id: string) => number;
  readonly runtime?: RuntimeState | undefined;
}

/**
 * The backends of one service: what is desired (configuration, the operator) against what is observed
 * (probes, traffic), judged into the set that the data path schedules over. Pure: every input carries the
 * time, and the owner calls `tick` at `deadline`.
 *
 * Invariants: a set's members are the configured backends in their order; versions only grow; an unchanged
 * set is not told again; no more backends are ejected than the cap allows, and never the last one that
 * could serve.
 */
export class Pool {
  /** The first set, and what is worth saying about it. */
  readonly opening: PoolChange;
  #spec: ServiceSpec;
  readonly #slotOf: (id: string) => number;
  #backends = new Map<string, PoolBackend>();
  #set: BackendSet = { version: 0, members: [] };
  #tier: Tier = 'none';
  #deadline: Instant | null = null;
  /**
   * False until every first verdict is in or somebody is eligible: until then "nobody is eligible" is not
   * news, and no policy may send clients to backends that are still being asked.
   */
  #settled = false;
  /** "service.none-eligible" is told and not yet taken back. */
  #dry = false;

  constructor(options: PoolOptions, now: Instant) {
    this.#spec = options.spec;
    this.#slotOf = options.slotOf;
    for (const spec of options.spec.backends) {
      this.#backends.set(spec.id, newBackend(spec, options.spec.health, options.runtime?.get(spec.id), now));
    }
    this.opening = this.#publish(now, []);
  }

  /** The set in force. */
  get set(): BackendSet {
    return this.#set;
  }

  /** When `tick` must be called (the next step of a slow start, the end of an ejection); null: never. */
  get deadline(): Instant | null {
    return this.#deadline;
  }

  /** Takes a probe's result and answers when to probe next. A backend that is gone changes nothing. */
  probeResult(id: string, result: ProbeResult, now: Instant): PoolChange & { readonly next: NextInterval } {
    const backend = this.#backends.get(id);
    const health = this.#spec.health;
    const events: EventInput[] = [];
    const lost: string[] = [];
    let next: NextInterval = 'normal';
    if (backend?.tracker != null && health !== null) {
      const before = backend.tracker;
      const step = observe(before, health, result, now);
      backend.tracker = step.state;
      next = step.next;
      if (step.edge === 'up') {
        // coming up for the first time at start is no recovery: nothing was lost that must be eased in
        if (before.health === 'down') backend.recovered = now;
        events.push(say.backendUp(this.#spec.name, id, result, before.health === 'checking'));
      } else if (step.edge === 'down') {
        backend.recovered = null;
        lost.push(id);
        events.push(say.backendDown(this.#spec.name, id, result, step.state.heldUntil, now));
      }
    }
    return { ...this.#publish(now, events), lost, next };
  }

  /**
   * Takes what an agent answered, or that it did not. Its words stand beside the operator's and the health
   * check's: a backend serves when none of them is against it.
   */
  agentResult(id: string, result: AgentResult, now: Instant): PoolChange {
    const backend = this.#backends.get(id);
    const events: EventInput[] = [];
    const lost: string[] = [];
    if (backend?.agent != null) {
      const served = !isDown(backend) && adminOf(backend) !== 'maintenance';
      const step = hearAgent(backend.agent, result, now);
      backend.agent = step.state;
      if (step.reach !== null) events.push(say.agentReach(this.#spec.name, id, result));
      if (step.news) events.push(say.backendAgent(this.#spec.name, id, step.state));
      const serves = !isDown(backend) && adminOf(backend) !== 'maintenance';
      if (served && !serves) {
        backend.recovered = null;
        lost.push(id);
      } else if (!served && serves) {
        backend.recovered = now;
      }
    }
    return { ...this.#publish(now, events), lost };
  }

  /** Takes what real traffic showed; ejects the backend when it is time and the cap allows. */
  traffic(id: string, outcome: TrafficOutcome, now: Instant): PoolChange {
    const backend = this.#backends.get(id);
    const spec = this.#spec.passive;
    const events: EventInput[] = [];
    if (backend !== undefined && spec !== null && this.#inUse(backend)) {
      backend.passive = countOutcome(backend.passive, spec, outcome);
      if (backend.passive.failures >= spec.failures && this.#mayEject(backend, now, events)) {
        backend.passive = eject(backend.passive, spec, now);
        backend.recovered = null;
        events.push(say.backendEjected(this.#spec.name, id, outcome, backend.passive, now));
      }
    }
    return this.#publish(now, events);
  }

  /**
   * Sets the operator's word on a backend: the last one counts, and with it whether it is kept. "ready" is what the
   * file says, so that there is nothing to keep; it also forgets what ejection, flap damping and its agent hold
   * against it; an agent that still means it says so again.
   * @throws TandemError "unknown-backend"
   */
  setAdmin(id: string, admin: AdminState, persist: boolean, now: Instant): PoolChange {
    const backend = this.#require(id);
    const events: EventInput[] = [];
    const lost = admin === 'maintenance' && backend.admin !== 'maintenance' ? [id] : [];
    this.#changeAdmin(backend, admin, now, events);
    backend.persistAdmin = persist && admin !== 'ready';
    if (admin === 'ready') {
      if (isEjected(backend)) events.push(say.backendReturned(this.#spec.name, id, 'operator'));
      backend.passive = UNTROUBLED;
      if (backend.tracker !== null) backend.tracker = release(backend.tracker);
      if (backend.agent !== null) backend.agent = { ...newAgentState(now), last: backend.agent.last };
    }
    return { ...this.#publish(now, events), lost };
  }

  /**
   * Sets a run-time weight, 0 to 256; null goes back to the configured one.
   * @throws TandemError "unknown-backend" or "invalid-weight"
   */
  setWeight(id: string, weight: number | null, persist: boolean, now: Instant): PoolChange {
    const backend = this.#require(id);
    if (weight !== null && !(weight >= 0 && weight <= 256)) {
      throw new TandemError('invalid-weight', `${weight} is not a weight`, { hint: 'a weight is 0 to 256' });
    }
    const before = weightOf(backend);
    backend.weight = weight;
    backend.persistWeight = persist && weight !== null;
    const events =
      weightOf(backend) === before
        ? []
        : [say.backendWeight(this.#spec.name, id, before, weightOf(backend), 'operator')];
    return this.#publish(now, events);
  }

  /**
   * Takes a changed configuration. A backend with the same id and endpoint keeps all that is known of it;
   * run-time states and weights stay only where they were set to persist, so after a reload the file is
   * what runs. Call it at every reload, also for a service whose section did not change.
   */
  reconfigure(spec: ServiceSpec, now: Instant): PoolChange {
    const events: EventInput[] = [];
    const old = this.#backends;
    this.#spec = spec;
    this.#backends = new Map();
    for (const wanted of spec.backends) {
      const known = old.get(wanted.id);
      this.#backends.set(wanted.id, known ?? newBackend(wanted, spec.health, undefined, now));
      if (known !== undefined) this.#revise(known, wanted, now, events);
    }
    this.#enforceCap(now, events);
    return this.#publish(now, events);
  }

  /** Called at `deadline` (or any other time, harmlessly). */
  tick(now: Instant): PoolChange {
    return this.#publish(now, []);
  }

  /** What must outlive this pool: everything set with `persist`. */
  runtimeState(): RuntimeState {
    const kept = new Map<string, RuntimeBackendState>();
    for (const [id, b] of this.#backends) {
      if (!b.persistAdmin && !b.persistWeight) continue;
      kept.set(id, { admin: b.persistAdmin ? b.admin : null, weight: b.persistWeight ? b.weight : null });
    }
    return kept;
  }

  view(now: Instant): BackendView[] {
    return this.#set.members.flatMap((member) => {
      const backend = this.#backends.get(member.id);
      return backend === undefined ? [] : [viewOf(backend, member, now)];
    });
  }

  /** @throws TandemError "unknown-backend" unless there is one of that id */
  requireBackend(id: string): void {
    this.#require(id);
  }

  #require(id: string): PoolBackend {
    const backend = this.#backends.get(id);
    if (backend !== undefined) return backend;
    const message = `${this.#spec.name} has no backend ${id}`;
    throw unknownName('unknown-backend', message, id, [...this.#backends.keys()]);
  }

  #changeAdmin(backend: PoolBackend, admin: AdminState, now: Instant, events: EventInput[]): void {
    if (backend.admin === admin) return;
    // back from maintenance it may have been restarted, with cold caches
    if (backend.admin === 'maintenance' && backend.tracker?.health !== 'down') backend.recovered = now;
    events.push(say.backendAdmin(this.#spec.name, backend.spec.id, backend.admin, admin));
    backend.admin = admin;
  }

  /** Fits a backend that stays to the new configuration. */
  #revise(backend: PoolBackend, spec: BackendSpec, now: Instant, events: EventInput[]): void {
    const moved = formatEndpoint(backend.spec.endpoint) !== formatEndpoint(spec.endpoint);
    const asked = sameAgent(backend.spec, spec);
    const before = weightOf(backend);
    backend.spec = spec;
    if (!backend.persistWeight) backend.weight = null;
    if (weightOf(backend) !== before) {
      events.push(say.backendWeight(this.#spec.name, spec.id, before, weightOf(backend), 'configuration'));
    }
    if (!backend.persistAdmin) this.#changeAdmin(backend, 'ready', now, events);
    // another agent has said nothing yet
    if (moved || !asked) backend.agent = spec.agentCheck === null ? null : newAgentState(now);
    if (moved) {
      // another host under the same id: only the operator's word still holds
      const { tracker, added, passive, recovered } = newBackend(spec, this.#spec.health, undefined, now);
      Object.assign(backend, { tracker, added, passive, recovered });
    } else if (this.#spec.health === null) {
      backend.tracker = null;
    } else if (backend.tracker === null) {
      // it serves already: a check that is new must find it down before it loses its clients
      backend.tracker = initialTracker('up', now);
    }
    if (this.#spec.passive === null && isEjected(backend)) {
      events.push(say.backendReturned(this.#spec.name, spec.id, 'configuration'));
      backend.passive = UNTROUBLED;
    }
  }

  /** Failures count only against a backend that could be used: late ones of a lost backend say nothing new. */
  #inUse(backend: PoolBackend): boolean {
    return backend.passive.ejectedUntil === null && adminOf(backend) !== 'maintenance' && !isDown(backend);
  }

  #mayEject(backend: PoolBackend, now: Instant, events: EventInput[]): boolean {
    this.#endEjections(now, events);
    const spec = this.#spec.passive;
    if (spec === null) return false;
    if (this.#ejected().length >= ejectionCap(spec, this.#backends.size)) return false;
    return [...this.#backends.values()].some((other) => other !== backend && isCandidate(standingOf(other)));
  }

  #ejected(): PoolBackend[] {
    return [...this.#backends.values()].filter(isEjected);
  }

  #endEjections(now: Instant, events: EventInput[]): void {
    for (const backend of this.#ejected()) {
      if ((backend.passive.ejectedUntil ?? now) <= now) this.#return(backend, 'expired', now, events);
    }
  }

  /** A smaller set has a smaller cap: those that would return first, return now. */
  #enforceCap(now: Instant, events: EventInput[]): void {
    const spec = this.#spec.passive;
    const ejected = this.#ejected();
    if (spec === null) return;
    const over = ejected.length - ejectionCap(spec, this.#backends.size);
    if (over <= 0) return;
    ejected.sort(
      (a, b) =>
        (a.passive.ejectedUntil ?? 0) - (b.passive.ejectedUntil ?? 0) || (a.spec.id < b.spec.id ? -1 : 1),
    );
    for (const backend of ejected.slice(0, over)) this.#return(backend, 'cap', now, events);
  }

  /** The others went down meanwhile: a backend that was ejected on suspicion is better than none. */
  #liftWhenDry(now: Instant, events: EventInput[]): void {
    const all = [...this.#backends.values()];
    if (all.some((b) => isCandidate(standingOf(b)))) return;
    for (const backend of this.#ejected()) {
      if (isCandidate({ ...standingOf(backend), ejected: false })) this.#return(backend, 'last', now, events);
    }
  }

  #return(backend: PoolBackend, why: say.ReturnReason, now: Instant, events: EventInput[]): void {
    backend.passive = readmit(backend.passive, now);
    backend.recovered = now;
    events.push(say.backendReturned(this.#spec.name, backend.spec.id, why));
  }

  /** Judges everything anew; bumps the version only when the data path would see a difference. */
  #publish(now: Instant, events: EventInput[]): PoolChange {
    this.#endEjections(now, events);
    this.#liftWhenDry(now, events);
    const backends = [...this.#backends.values()];
    this.#tier = this.#judgeTier(backends.map(standingOf), events);
    this.#deadline = earliest(this.#ejected().map((b) => b.passive.ejectedUntil));
    const members = backends.map((backend) => this.#member(backend, now));
    if (this.#set.version > 0 && sameMembers(this.#set.members, members))
      return { set: null, events, lost: [] };
    this.#set = { version: this.#set.version + 1, members };
    return { set: this.#set, events, lost: [] };
  }

  #judgeTier(standings: readonly Standing[], events: EventInput[]): Tier {
    const tier = chooseTier(standings, this.#spec.noneEligible);
    const served = tier === 'primary' || tier === 'backup';
    this.#settled ||= served || !standings.some(isUndecided);
    if (!this.#settled) return 'none';
    if (served === this.#dry) {
      this.#dry = !served;
      events.push(
        served
          ? say.eligibleAgain(this.#spec.name, tier)
          : say.noneEligible(this.#spec.name, tier, this.#spec.noneEligible),
      );
    }
    return tier;
  }

  #member(backend: PoolBackend, now: Instant): PoolMember {
    const { id, endpoint } = backend.spec;
    return {
      id,
      slot: this.#slotOf(id),
      endpoint,
      weight: round(sharedWeight(backend) * this.#rampShare(backend, now)),
      maxConnections: ceilingOf(backend),
      disposition: dispositionOf(standingOf(backend), this.#tier),
    };
  }

  #rampShare(backend: PoolBackend, now: Instant): number {
    if (backend.recovered === null) return 1;
    const ramp = rampAt(backend.recovered, this.#spec.slowStart, now);
    if (ramp.nextStep === null) backend.recovered = null;
    this.#deadline = earliest([this.#deadline, ramp.nextStep]);
    return ramp.share;
  }
}

/** The same agent, asked the same? How often does not matter. */
function sameAgent({ agentCheck: one }: BackendSpec, { agentCheck: other }: BackendSpec): boolean {
  if (one === null || other === null) return one === other;
  return one.send === other.send && formatEndpoint(one.endpoint) === formatEndpoint(other.endpoint);
}

/** Fine enough for any ramp, and free of the noise of binary fractions. */
const round = (weight: number): number => Math.round(weight * 1_000) / 1_000;

function earliest(times: readonly (Instant | null)[]): Instant | null {
  const known = times.filter((t) => t !== null);
  return known.length === 0 ? null : instant(Math.min(...known));
}

function sameMembers(a: readonly PoolMember[], b: readonly PoolMember[]): boolean {
  return a.length === b.length && a.every((member, i) => sameMember(member, b[i]));
}

function sameMember(a: PoolMember, b: PoolMember | undefined): boolean {
  return (
    b !== undefined &&
    a.id === b.id &&
    a.slot === b.slot &&
    a.weight === b.weight &&
    a.disposition === b.disposition &&
    a.maxConnections === b.maxConnections &&
    formatEndpoint(a.endpoint) === formatEndpoint(b.endpoint)
  );
}
