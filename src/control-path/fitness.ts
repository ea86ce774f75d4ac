import { type Duration, formatDuration, type Instant, millis, seconds } from '../lib/duration.ts';
import { GOOD_STANDING, MAX_WEIGHT, type Standing } from '../model/failover.ts';

/**
 * Is this node fit to be active? A pure judgement over what the supervisor sees of the data path.
 *
 * Unfit is what the peer would be spared: a data-path worker that does not turn, or is dead (one of several for longer
 * than its successor takes: until then the others accept for it), and, when it lasts, that accepting fails or that
 * no service has a backend left. (Listeners are bound before the node is fit once.) A peer that sees the same lowers
 * its priority as well, and then nothing moves; a peer that still reaches the backends takes over. One service
 * without backends is a concern only, for the others would lose their connections; so are used-up file
 * descriptors, because the same clients would use up the peer's.
 *
 * Debounced on the way back only: losing the role late costs clients, taking it early costs a second move.
 */
export interface FitnessPolicy {
  /** A worker whose heartbeat has not grown for so long is stalled. */
  readonly stallAfter: Duration;
  /** A node that was unfit must be well for so long before it is fit again. */
  readonly recoverAfter: Duration;
  /** accept(2) has failed again and again for so long. */
  readonly acceptFailingAfter: Duration;
  /** No service has had an eligible backend for so long: longer than the two nodes' checks are apart. */
  readonly starvedAfter: Duration;
  readonly fdExhausted: 'concern' | 'unfit';
}

export const DEFAULT_FITNESS_POLICY: FitnessPolicy = {
  stallAfter: seconds(1),
  recoverAfter: seconds(3),
  acceptFailingAfter: seconds(2),
  starvedAfter: seconds(10),
  fdExhausted: 'concern',
};

/** What the supervisor sees at one moment. */
export interface FitnessObservation {
  readonly workers: readonly WorkerObservation[];
  /** Errors of accept(2) so far. */
  readonly acceptErrors: number;
  /** Free file descriptors beyond the reserve; 0 or less means that new clients are refused. */
  readonly fdHeadroom: number;
  /** All of them. */
  readonly services: number;
  /** Services without an eligible backend. */
  readonly servicesWithoutBackend: readonly string[];
}

export interface WorkerObservation {
  readonly id: string;
  readonly alive: boolean;
  /** ProcessCounters.heartbeats */
  readonly heartbeats: number;
  /** ProcessCounters.loopLagSeconds */
  readonly loopLagSeconds: number;
}

export interface FitnessState {
  readonly fit: boolean;
  /** Per worker: the last heartbeat count and when it was first seen. */
  readonly beats: ReadonlyMap<string, { readonly count: number; readonly at: Instant }>;
  readonly acceptErrors: number;
  /** Since when accept(2) fails, and when it did last; null while it does not. */
  readonly acceptFailing: { readonly since: Instant; readonly last: Instant } | null;
  /** When we looked last; null before the first look. */
  readonly lookedAt: Instant | null;
  /** Since when no service has had an eligible backend; null while one has. */
  readonly starvedSince: Instant | null;
  /** Since when everything is well; null while it is not. */
  readonly wellSince: Instant | null;
  /** Has it ever been fit? The first time needs no proof of recovery. */
  readonly everFit: boolean;
}

export interface Fitness {
  readonly state: FitnessState;
  readonly fit: boolean;
  /** Why not, for `status` and the agent; null when fit. */
  readonly reason: string | null;
  /** What is wrong without making the node unfit. */
  readonly concerns: readonly string[];
}

/** A node is unfit until it has been seen well once: it must not be active before its listeners are open. */
export const INITIAL_FITNESS: FitnessState = {
  fit: false,
  beats: new Map(),
  acceptErrors: 0,
  acceptFailing: null,
  lookedAt: null,
  starvedSince: null,
  wellSince: null,
  everFit: false,
};

/**
 * What a judgement means for the election. Before the node has been fit once it takes no part: its listeners
 * may not be open yet. Later on an unfit node has the lowest priority there is: any router that is fit takes
 * over, and where there is none an unfit node is better than nobody.
 */
export function standingOf({ fit, reason, state }: Fitness): Standing {
  if (fit) return GOOD_STANDING;
  const why = `this node is not fit to serve: ${reason ?? 'no reason given'}`;
  if (!state.everFit) return { fault: why, weight: 0, reason: null };
  return { fault: null, weight: -MAX_WEIGHT, reason: why };
}

/** A loop lag beyond this is worth a word; unfit it is only once the heartbeat stops as well. */
const LAG_CONCERN = millis(250);

/** Judges one observation; call it several times a second. */
export function judgeFitness(
  state: FitnessState,
  seen: FitnessObservation,
  policy: FitnessPolicy,
  now: Instant,
): Fitness {
  const beats = beatsOf(state, seen, policy, now);
  const starvedSince = isStarved(seen) ? (state.starvedSince ?? now) : null;
  const acceptFailing = acceptFailingOf(state, seen, now);
  const faults = workerFaults(beats, seen, policy, now);
  // by the errors, not by now: a while after the last one is not a longer failure
  if (acceptFailing !== null && acceptFailing.last - acceptFailing.since >= policy.acceptFailingAfter) {
    faults.push('accepting connections fails');
  }
  if (starvedSince !== null && now - starvedSince >= policy.starvedAfter) {
    faults.push('no service has an eligible backend');
  }
  const concerns = [...lagConcerns(seen), ...deadConcerns(seen)];
  if (seen.acceptErrors > state.acceptErrors) {
    concerns.push(`accepting connections failed ${seen.acceptErrors - state.acceptErrors} times just now`);
  }
  if (seen.fdHeadroom <= 0) {
    (policy.fdExhausted === 'unfit' ? faults : concerns).push('file descriptors are used up');
  }
  for (const service of seen.servicesWithoutBackend) {
    concerns.push(`${service} has no eligible backend`);
  }
  const wellSince = faults.length > 0 ? null : (state.wellSince ?? now);
  const recovered = wellSince !== null && (!state.everFit || now - wellSince >= policy.recoverAfter);
  const fit = wellSince !== null && (state.fit || recovered);
  const reason = fit
    ? null
    : (faults[0] ?? `recovering: well for less than ${formatDuration(policy.recoverAfter)}`);
  const everFit = state.everFit || fit;
  const { acceptErrors } = seen;
  const next = { fit, beats, acceptErrors, acceptFailing, lookedAt: now, starvedSince, wellSince, everFit };
  return { state: next, fit, reason, concerns };
}

/**
 * Ages are taken from when *we* first saw a count. After a pause of our own they begin anew: whatever held us up
 * (SIGSTOP, a virtual machine that was moved) held the worker up as well, and it may not have beaten yet.
 */
function beatsOf(
  state: FitnessState,
  seen: FitnessObservation,
  policy: FitnessPolicy,
  now: Instant,
): FitnessState['beats'] {
  if (state.lookedAt !== null && now - state.lookedAt > policy.stallAfter) {
    return new Map(seen.workers.map(({ id, heartbeats }) => [id, { count: heartbeats, at: now }]));
  }
  const beat = (worker: WorkerObservation): { count: number; at: Instant } => {
    const known = state.beats.get(worker.id);
    return known?.count === worker.heartbeats ? known : { count: worker.heartbeats, at: now };
  };
  return new Map(seen.workers.map((worker) => [worker.id, beat(worker)]));
}

function workerFaults(
  beats: FitnessState['beats'],
  seen: FitnessObservation,
  policy: FitnessPolicy,
  now: Instant,
): string[] {
  if (seen.workers.length === 0) return ['no data-path worker is running'];
  return seen.workers.flatMap(({ id, alive, heartbeats }) => {
    const silent = now - (beats.get(id)?.at ?? now);
    if (!alive) {
      const covered = seen.workers.some((other) => other.alive) && silent <= policy.stallAfter;
      return covered ? [] : [`data-path worker ${id} is dead`];
    }
    // a worker that is still starting has not turned once: fit comes with its first beat
    if (heartbeats === 0) return [`data-path worker ${id} is starting`];
    if (silent <= policy.stallAfter) return [];
    return [`data-path worker ${id} has been stalled for ${(silent / 1_000_000).toFixed(1)}s`];
  });
}

function isStarved({ services, servicesWithoutBackend }: FitnessObservation): boolean {
  return services > 0 && servicesWithoutBackend.length >= services;
}

/** Without an error for so long, accepting works again: errors are told at least this often while they last. */
const ACCEPT_QUIET = seconds(1);

function acceptFailingOf(
  { acceptErrors, acceptFailing }: FitnessState,
  seen: FitnessObservation,
  now: Instant,
): FitnessState['acceptFailing'] {
  if (seen.acceptErrors > acceptErrors) return { since: acceptFailing?.since ?? now, last: now };
  return acceptFailing !== null && now - acceptFailing.last <= ACCEPT_QUIET ? acceptFailing : null;
}

function deadConcerns(seen: FitnessObservation): string[] {
  return seen.workers
    .filter(({ alive }) => !alive)
    .map(({ id }) => `data-path worker ${id} is being replaced`);
}

function lagConcerns(seen: FitnessObservation): string[] {
  return seen.workers
    .filter((worker) => worker.loopLagSeconds * 1_000_000 > LAG_CONCERN)
    .map((worker) => `data-path worker ${worker.id} lags by ${worker.loopLagSeconds.toFixed(2)}s`);
}
