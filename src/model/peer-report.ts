import type { WitnessSeen } from './witness.ts';

/** What the two nodes of a pair tell each other about themselves, several times a second. */

/** The backends of every service, as the health checks of one node see them. */
export interface Reach {
  /** Names the configured backends: only nodes with the same can be compared. */
  readonly digest: string;
  /** Backends whose checks pass, or that are not checked; whatever an operator said, who says it on one node alone. */
  readonly up: number;
}

export interface PeerReport {
  readonly fit: boolean;
  readonly reach: Reach;
  /** Null without a witness. */
  readonly witness: WitnessSeen | null;
}
