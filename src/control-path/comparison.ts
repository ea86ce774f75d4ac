import { type Duration, type Instant, micros, seconds } from '../lib/duration.ts';
import type { PeerReport, Reach } from '../model/peer-report.ts';
import type { ServiceSpec } from '../model/service.ts';

/**
 * Does the peer reach more of the backends than this node? A pure judgement over both nodes' counts. The node that
 * reaches fewer, because its own way to them is broken, yields the role; a backend that is down is down for both,
 * and nothing moves.
 *
 * Debounced both ways. The two see the same event at different times, up to a whole failure of a check apart, so
 * that much must have passed first. What cannot be known (the peer is silent) changes nothing: a node that has
 * yielded must not take the role back because its peer's reports are lost.
 */
export interface ComparisonPolicy {
  /** The peer must reach more for so long. */
  readonly worseAfter: Duration;
  /** And no more for so long, before this node counts as well again. */
  readonly recoverAfter: Duration;
}

export interface ComparisonState {
  readonly worseSince: Instant | null;
  /** What this node reached when it yielded; null while it does not. */
  readonly yieldedAt: number | null;
  readonly wellSince: Instant | null;
}

export interface Comparison {
  readonly state: ComparisonState;
  /** Why this node yields; null when it does not. */
  readonly reason: string | null;
}

export const INITIAL_COMPARISON: ComparisonState = { worseSince: null, yieldedAt: null, wellSince: null };

/** @param peer its last report; null when there is none that is fresh */
export function compareReach(
  state: ComparisonState,
  own: Reach,
  peer: PeerReport | null,
  policy: ComparisonPolicy,
  now: Instant,
): Comparison {
  const next =
    state.yieldedAt === null ? watch(state, own, peer, policy, now) : recover(state, own, peer, policy, now);
  const { yieldedAt } = next;
  if (yieldedAt === null) return { state: next, reason: null };
  const theirs = peer === null ? 'more when it was last heard' : String(peer.reach.up);
  return { state: next, reason: `this node reaches ${own.up} of the backends, its peer ${theirs}` };
}

/** Never to a peer that is not fit itself, and never by counts of different backends (half of a roll-out). */
const isWorse = (own: Reach, { fit, reach }: PeerReport): boolean =>
  fit && reach.digest === own.digest && reach.up > own.up;

function watch(
  { worseSince }: ComparisonState,
  own: Reach,
  peer: PeerReport | null,
  { worseAfter }: ComparisonPolicy,
  now: Instant,
): ComparisonState {
  if (peer === null || !isWorse(own, peer)) return INITIAL_COMPARISON;
  const since = worseSince ?? now;
  const yieldedAt = now - since >= worseAfter ? own.up : null;
  return { worseSince: since, yieldedAt, wellSince: null };
}

function recover(
  state: ComparisonState,
  own: Reach,
  peer: PeerReport | null,
  { recoverAfter }: ComparisonPolicy,
  now: Instant,
): ComparisonState {
  const stillWorse = peer === null ? own.up <= (state.yieldedAt ?? 0) : isWorse(own, peer);
  if (stillWorse) return { ...state, wellSince: null };
  const wellSince = state.wellSince ?? now;
  return now - wellSince >= recoverAfter ? INITIAL_COMPARISON : { ...state, wellSince };
}

const RECOVER_AFTER = seconds(3);
/** For reports on their way and a supervisor that is busy. */
const MARGIN = seconds(2);

/** Longer than the slower of two nodes takes to see what the faster has seen: a whole rise or fall of a check. */
export function comparisonPolicy(services: readonly Pick<ServiceSpec, 'health'>[]): ComparisonPolicy {
  const slowest = services.map(({ health }) => {
    if (health === null) return 0;
    const { interval, jitter, timeout, rise, fall } = health;
    return Math.max(rise, fall) * interval * (1 + jitter) + timeout;
  });
  return { worseAfter: micros(MARGIN + Math.max(0, ...slowest)), recoverAfter: RECOVER_AFTER };
}
