import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Duration, micros, millis, seconds } from '../lib/duration.ts';
import type { TransitionReason } from '../model/failover.ts';
import { effectivePriority, type RouterInput } from '../vrrp/router.ts';
import { peerAt, type Stepped } from '../vrrp/transition.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import type { VirtualRouterSpec } from './router-spec.ts';

/** Between a veto and the next question. */
const ASK_AGAIN = seconds(2);
/** For the supervisor on top of what the program may take; a supervisor that is silent decides nothing. */
const MARGIN = millis(500);

export interface ClaimGateOptions {
  readonly clock: Clock;
  readonly spec: () => VirtualRouterSpec;
  /** Null without a witness. */
  readonly witnessTimeout: () => Duration | null;
  /** Has the supervisor ask the witness and run before_claim; `answer` is called at most once. */
  readonly ask: (request: ClaimRequest, answer: (verdict: ClaimVerdict) => void) => void;
  /** The held input again: if it still leads to Active, it may. */
  readonly resume: (input: RouterInput, by: string | null) => void;
}

/**
 * Keeps a virtual router Backup until before_claim has agreed. The step that would make it Active is not
 * taken but held, so that an advertisement that comes meanwhile counts as always; with the answer the input
 * comes again. The wait has an end of its own, whatever becomes of the supervisor.
 */
export class ClaimGate {
  readonly #options: ClaimGateOptions;
  #held: { readonly input: RouterInput; readonly by: string | null } | null = null;
  #timer: Timer | null = null;
  #question = 0;
  #open = false;
  #veto: string | null = null;

  constructor(options: ClaimGateOptions) {
    this.#options = options;
  }

  /** A question is open. */
  get asking(): boolean {
    return this.#held !== null && this.#veto === null;
  }

  /** What stands between a Backup and the role; null for nothing. */
  get hindrance(): string | null {
    if (this.#veto !== null) return this.#veto;
    if (this.#held === null) return null;
    return `${this.#hasProgram ? 'before_claim' : 'the witness'} was asked, and has not answered yet`;
  }

  /** True when this step must not be taken now. */
  holds(stepped: Stepped): boolean {
    const { before, after: next, input, by } = stepped;
    const claims = before.state === 'Backup' && next.state === 'Active';
    if (!claims || !this.#asks(next.reason) || this.#open) {
      if (next.state !== 'Backup') this.close();
      return false;
    }
    const waiting = this.#held !== null;
    this.#held = { input, by };
    if (!waiting) this.#ask(stepped);
    return true;
  }

  get #hasProgram(): boolean {
    const { notify } = this.#options.spec().group;
    return notify !== null && notify.beforeClaim !== null;
  }

  /** The witness is asked only about a silence; any advertisement proves that the link works. */
  #asks(reason: TransitionReason): boolean {
    return this.#hasProgram || (reason === 'active-down-expired' && this.#options.witnessTimeout() !== null);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#held = null;
    this.#veto = null;
    this.#question++;
  }

  #ask(stepped: Stepped): void {
    const { clock, spec, witnessTimeout, ask } = this.#options;
    const { group, family, held } = spec();
    const { beforeClaimTimeout = 0, onTimeout = 'proceed' } = group.notify ?? {};
    const question = ++this.#question;
    const answered = (verdict: ClaimVerdict): void => {
      if (question !== this.#question) return;
      this.#question++;
      this.#answered(verdict);
    };
    const limit = micros((witnessTimeout() ?? 0) + beforeClaimTimeout + MARGIN);
    const proceed = onTimeout === 'proceed';
    this.#timer = clock.timerAfter(limit, () => answered({ proceed, why: 'no answer in time' }));
    const request: ClaimRequest = {
      group: group.name,
      family,
      vrid: group.vrid,
      interface: group.interface,
      reason: stepped.after.reason,
      priority: effectivePriority(stepped.before),
      addresses: held.map(({ text }) => text),
      peer: peerAt(stepped),
    };
    ask(request, answered);
  }

  #answered({ proceed, why, by }: ClaimVerdict): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (proceed) {
      this.#release();
      return;
    }
    this.#veto = by === 'witness' ? why : `before_claim does not let it become Active: ${why}`;
    const { clock } = this.#options;
    this.#timer = clock.timerAt(after(clock.now(), ASK_AGAIN), () => this.#askAgain());
  }

  /** The input again, through the gate: a new question if it would still lead to Active. */
  #askAgain(): void {
    const held = this.#held;
    this.close();
    // a command that was refused is not given again
    const again = held?.input.type === 'timer' || held?.input.type === 'sync';
    if (held !== null && again) this.#options.resume(held.input, held.by);
  }

  #release(): void {
    const held = this.#held;
    this.close();
    if (held === null) return;
    this.#open = true;
    this.#options.resume(held.input, held.by);
    this.#open = false;
  }
}
