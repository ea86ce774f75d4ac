import type { Duration, Instant } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { TransitionReason, VrrpState, VrrpVersion } from '../model/failover.ts';
import type { Tie } from './tie.ts';

/** The parameters of one virtual router (RFC 9568, 6.1) that its state machine needs. */
export interface RouterSettings {
  readonly version: VrrpVersion;
  /** 1 to 254; 255 owns the addresses. */
  readonly priority: number;
  readonly advertiseInterval: Duration;
  readonly preempt: boolean;
  /** A lower-priority Active is left alone for this long first. */
  readonly preemptDelay: Duration;
  /** The primary address: the source of our advertisements, which breaks ties. */
  readonly source: IpAddress;
  /** It becomes Active only together with partners (sync.ts); left out: on its own. */
  readonly synced?: boolean;
  /** Of those partners it decides when priorities are equal (tie.ts); left out: yes. */
  readonly leads?: boolean;
  /** There is one other router and no more: who leaves for good is followed at once (resignation.ts). */
  readonly paired?: boolean;
}

/** RFC 9568, 5.2.4: 255 is reserved to the owner of the addresses. */
export const OWNER_PRIORITY = 255;
/** The highest priority of a router that does not own the addresses. */
export const MAX_PRIORITY = 254;

export const TIMER_NAMES = ['active-down', 'adver', 'preempt-delay', 'reannounce', 'parting'] as const;
export type TimerName = (typeof TIMER_NAMES)[number];

/** What a planned restart hands to the successor, so that the role survives. */
export interface ResumePoint {
  readonly state: 'Active' | 'Backup';
  /** Above the configured priority after a takeover; null for the configured one. */
  readonly effectivePriority: number | null;
  /** The predecessor had handed over and waited: the successor does not preempt either. */
  readonly yielded: boolean;
}

export type RouterInput =
  | { readonly type: 'start'; readonly resume: ResumePoint | null }
  /** Priority 0, then Initialize until the next `start`. */
  | { readonly type: 'stop'; readonly reason: 'shutdown' | 'supervisor-lost' }
  /** The same on a node that still serves: an Active router keeps its addresses until a successor has them. */
  | { readonly type: 'part' }
  /** One that passed every check of receipt; anything else never gets here. */
  | {
      readonly type: 'advertisement';
      readonly source: IpAddress;
      readonly priority: number;
      readonly interval: Duration;
    }
  | { readonly type: 'timer'; readonly timer: TimerName }
  | { readonly type: 'link'; readonly up: boolean }
  /** A hard fault, or its end: not fit is Initialize. */
  | { readonly type: 'fitness'; readonly fit: boolean }
  /** What is added to the configured priority from now on, -254 to 254; the result is never below 1. */
  | { readonly type: 'weight'; readonly weight: number }
  /** A partner cannot serve: this router stands aside with it; or that partner is well again. */
  | { readonly type: 'hold'; readonly held: boolean }
  /** Every partner is ready to be Active; or a partner has left the role. */
  | { readonly type: 'sync'; readonly to: 'Active' | 'Backup' }
  | { readonly type: 'handover' }
  | { readonly type: 'takeover' }
  /** The addresses ran out during a stall of our own, and another router was heard meanwhile. */
  | { readonly type: 'lapsed' }
  /** Somebody else may have drawn the traffic: a foreign announcement of the address, a stall of our own. */
  | { readonly type: 'contested' }
  | { readonly type: 'reconfigure'; readonly settings: RouterSettings };

/** What the shell must do, in this order. */
export type RouterAction =
  /** The priority to advertise; everything else comes from the configuration. */
  | { readonly type: 'send'; readonly priority: number }
  /** Replaces an earlier deadline of the same timer. */
  | { readonly type: 'arm'; readonly timer: TimerName; readonly at: Instant }
  | { readonly type: 'cancel'; readonly timer: TimerName }
  | { readonly type: 'claim' }
  | { readonly type: 'release' }
  /** Gratuitous ARP / unsolicited NA for every address, with its repetitions. */
  | { readonly type: 'announce' }
  /** Another router was Active beside us; we stay and announce again. At most one a second. */
  | { readonly type: 'conflict'; readonly source: IpAddress; readonly priority: number }
  | {
      readonly type: 'transition';
      readonly from: VrrpState;
      readonly to: VrrpState;
      readonly reason: TransitionReason;
    };

/** The sender of the last advertisement that passed receipt, whether or not the state machine followed it. */
export interface PeerRecord {
  readonly source: IpAddress;
  readonly priority: number;
  readonly interval: Duration;
  readonly at: Instant;
  /** It was Active just before: its priority is not 0, or that was the last word before its zeros. */
  readonly wasActive: boolean;
}

/** Why Active_Down will have expired when it does. */
export type ExpiryCause = 'active-down-expired' | 'peer-priority-zero' | 'preempt';

/** A virtual router as a value: {@link step} makes the next one. */
export interface Router {
  readonly settings: RouterSettings;
  readonly state: VrrpState;
  /** Of the last transition. */
  readonly reason: TransitionReason;
  readonly started: boolean;
  readonly linkUp: boolean;
  readonly fit: boolean;
  /** A partner cannot serve. */
  readonly held: boolean;
  /** It has taken part in an election since it was started. */
  readonly participated: boolean;
  /** It has resigned and is still Active: it waits for its successor (parting.ts). */
  readonly parting: boolean;
  /** Active_Down has expired, and the partners are not there yet. */
  readonly wants: boolean;
  /** When it should have expired, for the history. */
  readonly dueAt: Instant | null;
  /** Added to the configured priority. */
  readonly weight: number;
  /** Priority won by a takeover, while Active; null otherwise. */
  readonly raised: number | null;
  /** Handed over: as Backup it does not preempt until Active_Down expires. */
  readonly yielded: boolean;
  /** The preempt delay has run out: lower priorities are no longer followed. */
  readonly preemptReady: boolean;
  /** Active_Adver_Interval: learned from the Active router. */
  readonly activeInterval: Duration;
  readonly expiryCause: ExpiryCause;
  /** The only other router has left for good: no Skew_Time. */
  readonly peerLeft: boolean;
  readonly timers: Readonly<Record<TimerName, Instant | null>>;
  readonly peer: PeerRecord | null;
  /** When the addresses were last announced (the announcer's own repetitions apart). */
  readonly announcedAt: Instant | null;
  /** When a conflict was last told, or when it became Active: a preempted router may go on for a moment. */
  readonly quietSince: Instant | null;
  /** When a lower priority was last answered. */
  readonly assertedAt: Instant | null;
  /** When the role was last offered to any better router. */
  readonly offeredAt: Instant | null;
  /** It waits for the partner that leads to decide. */
  readonly tie: Tie | null;
}

/** A virtual router before its `start`: Initialize, link and fitness assumed good until told otherwise. */
export function createRouter(settings: RouterSettings): Router {
  return {
    settings,
    state: 'Initialize',
    reason: 'startup',
    started: false,
    linkUp: true,
    fit: true,
    held: false,
    participated: false,
    parting: false,
    wants: false,
    dueAt: null,
    weight: 0,
    raised: null,
    yielded: false,
    preemptReady: false,
    activeInterval: settings.advertiseInterval,
    expiryCause: 'active-down-expired',
    peerLeft: false,
    timers: { 'active-down': null, adver: null, 'preempt-delay': null, reannounce: null, parting: null },
    peer: null,
    announcedAt: null,
    quietSince: null,
    assertedAt: null,
    offeredAt: null,
    tie: null,
  };
}

/**
 * The configured priority with its weight: 1 to 254, for 0 would resign. The owner (255) stays the owner as
 * long as nothing lowers it; lowered it is a router like any other.
 */
export function basePriority({ settings, weight }: Pick<Router, 'settings' | 'weight'>): number {
  if (settings.priority === OWNER_PRIORITY && weight >= 0) return OWNER_PRIORITY;
  return Math.min(MAX_PRIORITY, Math.max(1, settings.priority + weight));
}

/** The priority that is advertised and compared. */
export function effectivePriority(router: Router): number {
  return Math.max(basePriority(router), router.raised ?? 0);
}
