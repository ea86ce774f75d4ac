import { between, type Duration, type Instant, seconds } from '../lib/duration.ts';
import type { ConfigSection, NodeSummary } from '../model/peer-report.ts';

/** Whether the two nodes of a pair are configured alike: a pure judgement over both nodes' digests. */

/** Shorter differences are a roll-out: a reload here, then one there. */
export const DRIFT_GRACE: Duration = seconds(60);

export type PairDrift =
  | { readonly comparable: true; readonly sections: readonly string[] }
  /** Nothing can be said, and why. */
  | { readonly comparable: false; readonly why: string };

/** What of a node is compared. */
export type Configured = Pick<NodeSummary, 'version' | 'config'>;

/** @param peer what it last reported, while that is fresh; null otherwise */
export function comparePair(own: Configured, peer: Configured | null): PairDrift {
  if (peer === null) return { comparable: false, why: 'the peer does not report its configuration' };
  if (peer.version !== own.version) {
    // a version may know settings that another does not
    const why = `this node runs Tandem ${own.version}, its peer ${peer.version}`;
    return { comparable: false, why };
  }
  return { comparable: true, sections: differing(own.config, peer.config) };
}

/** "service web differs", "service api is only here". */
function differing(own: readonly ConfigSection[], peer: readonly ConfigSection[]): string[] {
  const theirs = new Map(peer.map(({ section, digest }) => [section, digest]));
  const ours = new Set(own.map(({ section }) => section));
  const changed = own.flatMap(({ section, digest }) => {
    const other = theirs.get(section);
    if (other === undefined) return [`${section} is only here`];
    return other === digest ? [] : [`${section} differs`];
  });
  const missing = peer.filter(({ section }) => !ours.has(section));
  return [...changed, ...missing.map(({ section }) => `${section} is only at the peer`)];
}

export interface DriftState {
  /** Since when the nodes differ; null while they do not, or never could be compared. */
  readonly since: Instant | null;
  /** What was told of it; null for nothing. */
  readonly told: string | null;
}

export const INITIAL_DRIFT: DriftState = { since: null, told: null };

/** @returns `tell`: what to say now, '' for "alike again"; null for nothing */
export function watchDrift(
  state: DriftState,
  drift: PairDrift,
  now: Instant,
): { readonly state: DriftState; readonly tell: string | null } {
  // a silent peer has not changed its configuration
  if (!drift.comparable) return { state, tell: null };
  if (drift.sections.length === 0) {
    return { state: INITIAL_DRIFT, tell: state.told === null ? null : '' };
  }
  const since = state.since ?? now;
  const text = drift.sections.join(', ');
  if (between(since, now) < DRIFT_GRACE || text === state.told) {
    return { state: { since, told: state.told }, tell: null };
  }
  return { state: { since, told: text }, tell: text };
}
