import type { Clock } from '../lib/clock.ts';
import type { Duration } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { TransitionRecord } from '../model/history.ts';
import type { Native } from '../native/index.ts';
import type { LinkMonitor } from './link-monitor.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import type { VirtualRouterSpec } from './router-spec.ts';
import type { StallGuard } from './stall-guard.ts';

/** What all virtual routers of an agent share. */
/** Whether it moves together with others, and whether it then decides for them when priorities are equal. */
export interface Partnership {
  readonly synced: boolean;
  readonly leads: boolean;
}

export interface Surroundings {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly guard: StallGuard;
  readonly links: LinkMonitor;
  /** One of this agent's virtual addresses, on any router. */
  readonly isVirtual: (address: IpAddress) => boolean;
  /** Another router of this agent has that VRID on this interface. */
  readonly isOtherVrid: (of: VirtualRouterSpec, vrid: number) => boolean;
  /** This router moves together with others. */
  readonly partnership: (spec: VirtualRouterSpec) => Partnership;
  /** Something may have changed that partners must follow. */
  readonly onStep: () => void;
  /** The state changed: the supervisor should know. */
  readonly onTransition: (record: TransitionRecord) => void;
  /** Since the supervisor's last heartbeat. */
  readonly supervisorSilence: () => Duration;
  /** A witness is to be asked before a claim on the silence of the Active router: how long that may take. */
  readonly witnessTimeout: () => Duration | null;
  /** Has the supervisor ask the witness and run before_claim; the answer may never come. */
  readonly askClaim: (request: ClaimRequest, answer: (verdict: ClaimVerdict) => void) => void;
}
