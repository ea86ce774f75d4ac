import type { EventInput } from '../model/event.ts';
import type { FailoverSpec, Standings, VirtualRouterStatus } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import type { ResumePoint } from '../vrrp/router.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';

/** Messages between the supervisor and the failover agent (child_process IPC, advanced serialization). */

export type FailoverCommand = 'handover' | 'takeover';

/** Key of a virtual router in `resume`: "<vrid>/<family>@<interface>". */
export type RouterKey = string;

export type ToAgent =
  /** First message, and again for every changed configuration; unchanged routers keep state and timers. */
  | {
      readonly type: 'configure';
      readonly spec: FailoverSpec;
      /** What a predecessor handed over in 'stopped' (first message only): an Active router stays Active. */
      readonly resume: Readonly<Record<RouterKey, ResumePoint>>;
    }
  /** Several times a second; without it the agent resigns (silence.ts). */
  | { readonly type: 'heartbeat'; readonly standings: Standings }
  /** The next heartbeat may be late: a large file is about to be read, and the event loop does not turn meanwhile. */
  | { readonly type: 'long-work' }
  /** `group` null: every group. */
  | {
      readonly type: 'command';
      readonly id: number;
      readonly command: FailoverCommand;
      readonly group: string | null;
      /** Who asked, for the history. */
      readonly by: string;
    }
  /** The answer to 'before-claim'. */
  | { readonly type: 'claim-verdict'; readonly id: number; readonly verdict: ClaimVerdict }
  /** Leave. `keepRole`: keep addresses and say nothing, a successor resumes; else priority 0 first. */
  | { readonly type: 'stop'; readonly keepRole: boolean };

export type FromAgent =
  /** Loaded, and waits for 'configure'; a successor gets here before its predecessor is told to stop. */
  | { readonly type: 'hello' }
  /** Configured; `realtime`: SCHED_FIFO is in force. */
  | { readonly type: 'ready'; readonly realtime: boolean }
  /** Several times a second and at each transition. */
  | { readonly type: 'heartbeat'; readonly routers: readonly VirtualRouterStatus[] }
  /** What the supervisor keeps for the history. */
  | { readonly type: 'transition'; readonly record: TransitionRecord }
  /** A router would become Active: is it to? Without an answer in time it decides for itself. */
  | { readonly type: 'before-claim'; readonly id: number; readonly request: ClaimRequest }
  | { readonly type: 'event'; readonly event: EventInput }
  | { readonly type: 'command-result'; readonly id: number; readonly ok: boolean; readonly message: string }
  /** The last message. `resume` is empty unless the role was kept. */
  | { readonly type: 'stopped'; readonly resume: Readonly<Record<RouterKey, ResumePoint>> };

/** Heartbeats in both directions, in milliseconds. */
export const HEARTBEAT_MS = 100;
