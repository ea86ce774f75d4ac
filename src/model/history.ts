import type { IpFamily } from '../lib/ip.ts';
import type { TransitionReason, VrrpState } from './failover.ts';

/** A line of a scenario's input.jsonl (test/scenarios/vrrp): one input to the state machine. */
export interface RecordedInput {
  /** Milliseconds since the trace began. */
  readonly at: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What the state machine was given up to a transition, in the form of a scenario, so that it can be replayed. */
export interface Trace {
  /** The settings and the state of link and fitness when it began: start.json. */
  readonly start: Readonly<Record<string, string | number | boolean>>;
  readonly input: readonly RecordedInput[];
}

/** One transition of a virtual router, with what caused it as this node saw it. */
export interface TransitionRecord {
  readonly group: string;
  readonly family: IpFamily;
  readonly vrid: number;
  readonly interface: string;
  /** Wall-clock milliseconds since 1970. */
  readonly time: number;
  readonly from: VrrpState;
  readonly to: VrrpState;
  readonly reason: TransitionReason;
  /** One sentence for people, made of what follows. */
  readonly cause: string;
  /** In force before the transition. */
  readonly priority: number;
  readonly addresses: readonly string[];
  /** The last advertisement that passed receipt. */
  readonly peer: {
    readonly address: string;
    readonly priority: number;
    readonly intervalMillis: number;
    readonly ageMillis: number;
  } | null;
  /** When Active_Down ended the wait: how long it was to wait, and how much later it acted. */
  readonly activeDown: { readonly intervalMillis: number; readonly lateMillis: number } | null;
  /** Who gave the command; null when none did. */
  readonly requestedBy: string | null;
  readonly linkUp: boolean;
  readonly fit: boolean;
  /** Added to the configured priority. */
  readonly weight: number;
  /** Why it is not fit, or why it has that weight. */
  readonly unfitReason: string | null;
  /** The last time within ten seconds that the agent did not run: for how long, and how long ago it ended. */
  readonly stall: { readonly millis: number; readonly ageMillis: number } | null;
  /** Since the supervisor's last heartbeat. */
  readonly supervisorSilenceMillis: number;
  /** Heartbeats that should have come in that time. */
  readonly heartbeatsLost: number;
  /** Null for what the supervisor wrote for an agent that died. */
  readonly trace: Trace | null;
}
