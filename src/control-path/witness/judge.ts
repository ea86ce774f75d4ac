import { between, type Duration, type Instant, seconds } from '../../lib/duration.ts';
import type { WitnessSeen, WitnessSpec } from '../../model/witness.ts';

/**
 * Is this node cut off? A pure judgement over the witness and the peer. A node that does not see the witness is
 * cut off only if it does not hear its peer either; and a witness that both have lost while they heard each other
 * is dead itself, and says nothing until it has answered again. So its end changes nothing, not even when the
 * peer dies after it.
 *
 * What counts as hearing the peer is something that it said after the witness was lost: what came before is no
 * proof that the link still works.
 */
export interface WitnessState {
  readonly seen: WitnessSeen;
  /** Answers in a row that speak against `seen`. */
  readonly streak: number;
  /** Of `seen`. */
  readonly since: Instant;
  /** Both nodes had lost it while they heard each other. */
  readonly discredited: boolean;
  /** The verdict stays until the witness answers, or the peer is heard to be no better off. */
  readonly isolated: boolean;
  /** Since when the peer is known to see it and this node is not. */
  readonly worseSince: Instant | null;
}

/** What is known of the peer. */
export interface PeerEvidence {
  /** The last report of its supervisor, and what it said of the witness; null for nothing. */
  readonly report: { readonly at: Instant; readonly witness: WitnessSeen | null } | null;
  /** When a virtual router here last heard another one. */
  readonly advertisementAt: Instant | null;
  /** A virtual router is Active here. */
  readonly active: boolean;
}

/**
 * - `fine`: nothing against this node.
 * - `worse`: the peer sees the witness: it yields to it.
 * - `isolated`: it takes no part in the election.
 */
export type WitnessVerdict = 'fine' | 'worse' | 'isolated';

/** For the peer to say something after the witness was lost: it reports twice a second. */
const PATIENCE: Duration = seconds(2);
/** What it said counts for so long. */
const FRESH: Duration = seconds(3);
/** For a better peer to take the role that is offered; then it does not hear the offer. */
const OFFER_LIMIT: Duration = seconds(3);

export const initialWitness = (now: Instant): WitnessState => ({
  seen: 'unknown',
  streak: 0,
  since: now,
  discredited: false,
  isolated: false,
  worseSince: null,
});

/** One answer, or its absence. The first counts at once. */
export function observeWitness(
  state: WitnessState,
  { rise, fall }: Pick<WitnessSpec, 'rise' | 'fall'>,
  answered: boolean,
  now: Instant,
): WitnessState {
  const says = answered ? 'up' : 'down';
  if (state.seen === says) return { ...state, streak: 0 };
  const streak = state.streak + 1;
  const needed = state.seen === 'unknown' ? 1 : answered ? rise : fall;
  if (streak < needed) return { ...state, streak };
  return { ...initialWitness(now), seen: says };
}

export interface WitnessJudgement {
  readonly state: WitnessState;
  readonly verdict: WitnessVerdict;
}

export function judgeWitness(
  state: WitnessState,
  peer: PeerEvidence,
  policy: WitnessSpec['policy'],
  now: Instant,
): WitnessJudgement {
  if (state.seen !== 'down') return { state, verdict: 'fine' };
  const heard = hearing(state, peer, now);
  if (heard === 'silent') return alone(state, policy, now);
  if (heard === 'better') return outdone(state, peer, policy, now);
  return { state: { ...state, discredited: true, isolated: false, worseSince: null }, verdict: 'fine' };
}

/** Is the peer there, and does it see the witness? */
function hearing(
  { since }: WitnessState,
  peer: PeerEvidence,
  now: Instant,
): 'silent' | 'better' | 'no-better' {
  const counts = (at: Instant): boolean => at > since && between(at, now) <= FRESH;
  const { report, advertisementAt } = peer;
  if (report !== null && counts(report.at)) return report.witness === 'up' ? 'better' : 'no-better';
  return advertisementAt !== null && counts(advertisementAt) ? 'no-better' : 'silent';
}

function alone(state: WitnessState, policy: WitnessSpec['policy'], now: Instant): WitnessJudgement {
  const waits = between(state.since, now) < PATIENCE;
  if (state.discredited || policy === 'stay' || (waits && !state.isolated)) return { state, verdict: 'fine' };
  return { state: { ...state, isolated: true }, verdict: 'isolated' };
}

function outdone(
  state: WitnessState,
  { active }: PeerEvidence,
  policy: WitnessSpec['policy'],
  now: Instant,
): WitnessJudgement {
  const worseSince = state.worseSince ?? now;
  const unheard = active && between(worseSince, now) >= OFFER_LIMIT;
  const isolated = policy === 'resign' && (state.isolated || unheard);
  const next = { ...state, discredited: false, worseSince, isolated };
  return { state: next, verdict: isolated ? 'isolated' : 'worse' };
}

/**
 * May a Backup that hears no Active router any more claim the addresses? The one whose own link is broken may not.
 * @param answered whether the witness has just answered
 */
export function mayClaim({ discredited }: WitnessState, answered: boolean): boolean {
  return answered || discredited;
}
