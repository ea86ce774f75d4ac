import type { IpFamily } from '../lib/ip.ts';
import type { VrrpState } from './failover.ts';
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
  /** Null from a peer of an earlier version. */
  readonly node: NodeSummary | null;
}

/** No more than these of each travel: a report must fit into a frame. */
export const MAX_SUMMARY_ROUTERS = 32;
export const MAX_SUMMARY_SERVICES = 64;
export const MAX_SECTIONS = 96;

/** A node in short, for its peer's status. */
export interface NodeSummary {
  readonly name: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly routers: readonly RouterSummary[];
  readonly services: readonly ServiceSummary[];
  /** What must be the same on both nodes. */
  readonly config: readonly ConfigSection[];
}

export interface RouterSummary {
  readonly group: string;
  readonly vrid: number;
  readonly family: IpFamily;
  readonly state: VrrpState;
  /** In force. */
  readonly priority: number;
}

export interface ServiceSummary {
  readonly name: string;
  readonly connections: number;
  readonly backends: number;
  readonly eligible: number;
}

/** A part of the configuration, as the operator calls it, and a keyed digest of what it says. */
export interface ConfigSection {
  readonly section: string;
  readonly digest: string;
}
