import type { Clock } from '../lib/clock.ts';
import { between, type Duration, type Instant, seconds, toMillis } from '../lib/duration.ts';
import type { TransitionReason, VrrpState } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import { effectivePriority } from '../vrrp/router.ts';
import { TraceRecorder } from '../vrrp/trace.ts';
import { activeDownAt, causeOf, type Facts, peerAt, type Stepped } from '../vrrp/transition.ts';
import { HEARTBEAT_MS } from './protocol.ts';
import type { VirtualRouterSpec } from './router-spec.ts';

/** A stall longer ago than this has nothing to do with a transition. */
const STALL_MEMORY = seconds(10);

export interface Move {
  readonly from: VrrpState;
  readonly to: VrrpState;
  readonly reason: TransitionReason;
}

/** What a transition record says that the state machine does not know. */
export interface Circumstances {
  readonly spec: VirtualRouterSpec;
  readonly unfitReason: string | null;
  /** Since the supervisor's last heartbeat. */
  readonly supervisorSilence: Duration;
}

/** Remembers what one virtual router was told, and makes the record of each of its transitions. */
export class TransitionLog {
  readonly #clock: Clock;
  readonly #trace: TraceRecorder;
  #stall: { readonly length: Duration; readonly endedAt: Instant } | null = null;
  #since: number;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.wallMillis();
    this.#trace = new TraceRecorder(clock.now());
  }

  /** Wall-clock milliseconds of the last transition. */
  get since(): number {
    return this.#since;
  }

  get count(): number {
    return this.#count;
  }

  stepped({ before, input, now }: Stepped): void {
    this.#trace.note(before, input, now);
  }

  stalled(length: Duration): void {
    this.#stall = { length, endedAt: this.#clock.now() };
  }

  record(
    move: Move,
    stepped: Stepped,
    { spec, unfitReason, supervisorSilence }: Circumstances,
  ): TransitionRecord {
    this.#count++;
    this.#since = this.#clock.wallMillis();
    const { before, after, by, now } = stepped;
    const silence = toMillis(supervisorSilence);
    const facts: Facts = {
      group: spec.group.name,
      family: spec.family,
      vrid: spec.group.vrid,
      interface: spec.group.interface,
      ...move,
      priority: effectivePriority(before),
      addresses: spec.held.map(({ text }) => text),
      peer: peerAt(stepped),
      activeDown: activeDownAt(stepped),
      requestedBy: by,
      linkUp: after.linkUp,
      fit: after.fit,
      weight: after.weight,
      unfitReason,
      stall: this.#recentStall(now),
      supervisorSilenceMillis: silence,
      // one may be under way
      heartbeatsLost: Math.max(0, Math.floor(silence / HEARTBEAT_MS) - 1),
    };
    return { ...facts, time: this.#since, cause: causeOf(facts), trace: this.#trace.take(now) };
  }

  #recentStall(now: Instant): TransitionRecord['stall'] {
    if (this.#stall === null) return null;
    const { length, endedAt } = this.#stall;
    const age = between(endedAt, now);
    return age > STALL_MEMORY ? null : { millis: toMillis(length), ageMillis: toMillis(age) };
  }
}
