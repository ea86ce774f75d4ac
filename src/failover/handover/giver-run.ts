import type { Clock, Timer } from '../../lib/clock.ts';
import { type Duration, millis, seconds } from '../../lib/duration.ts';
import { unreachable } from '../../lib/errors.ts';
import type { PeerChannel } from '../peer/channel.ts';
import {
  createGiver,
  type Giver,
  type GiverAction,
  type GiverInput,
  type GiverPlan,
  stepGiver,
} from './giver.ts';

/** What a giver's run asks of the node; none of these throws. */
export interface GiverNode {
  readonly clock: Clock;
  readonly connect: (feed: (input: GiverInput) => void) => PeerChannel;
  /** Is one of the groups still Active here? */
  readonly isActive: () => boolean;
  readonly pin: () => string | null;
  readonly unpin: () => Promise<void>;
  /** Priority 0 where a group is still Active; `quiet`: stop answering for the addresses first. */
  readonly letGo: (quiet: boolean) => Promise<void>;
  readonly resign: () => Promise<CommandResult>;
}

export interface CommandResult {
  readonly ok: boolean;
  readonly message: string;
}

/** Each step waits for the peer's nft and netlink, or for our own. */
const STEP_LIMIT: Duration = seconds(6);
/** For the agent's heartbeat to say that it let go. */
const RELEASE_LIMIT = seconds(2);
const RELEASE_POLL = millis(5);

/** Carries one handover out, from the request to its result. Never rejects. */
export function runGiver(plan: GiverPlan, node: GiverNode): Promise<CommandResult> {
  return new Promise((resolve) => new GiverRun(plan, node, resolve).begin());
}

class GiverRun {
  readonly #node: GiverNode;
  readonly #resolve: (result: CommandResult) => void;
  #giver: Giver;
  #channel: PeerChannel | null = null;
  #limit: Timer | null = null;
  /** The fall-back's own words, when it is taken. */
  #resigning: Promise<CommandResult> | null = null;

  constructor(plan: GiverPlan, node: GiverNode, resolve: (result: CommandResult) => void) {
    this.#node = node;
    this.#resolve = resolve;
    this.#giver = createGiver(plan);
  }

  begin(): void {
    this.#feed({ type: 'start' });
  }

  #feed(input: GiverInput): void {
    const before = this.#giver.step;
    const { giver, actions } = stepGiver(this.#giver, input);
    this.#giver = giver;
    if (giver.step !== before) this.#armLimit();
    for (const action of actions) this.#perform(action);
  }

  #armLimit(): void {
    this.#limit?.cancel();
    if (this.#giver.step === 'done') return;
    this.#limit = this.#node.clock.timerAfter(STEP_LIMIT, () =>
      this.#feed({ type: 'timeout', active: this.#node.isActive() }),
    );
  }

  #perform(action: GiverAction): void {
    switch (action.type) {
      case 'connect':
        this.#channel = this.#node.connect((input) => this.#feed(input));
        break;
      case 'send':
        this.#channel?.send(action.message);
        break;
      case 'pin':
        this.#feed({ type: 'pinned', why: this.#node.pin() });
        break;
      case 'unpin':
        void this.#node.unpin();
        break;
      case 'let-go':
        void this.#letGo(action.quiet);
        break;
      case 'resign':
        this.#resigning = this.#node.resign();
        break;
      case 'hang-up':
        this.#channel?.close();
        break;
      case 'finish':
        void this.#finish(action);
        break;
      default:
        unreachable(action);
    }
  }

  async #letGo(quiet: boolean): Promise<void> {
    await this.#node.letGo(quiet);
    this.#awaitRelease(this.#node.clock.now() + RELEASE_LIMIT);
  }

  /** The agent's status comes with its next heartbeat. */
  #awaitRelease(deadline: number): void {
    const { clock, isActive } = this.#node;
    const active = isActive();
    if (!active || clock.now() >= deadline) this.#feed({ type: 'released', active });
    else clock.timerAfter(RELEASE_POLL, () => this.#awaitRelease(deadline));
  }

  async #finish({ ok, message }: CommandResult): Promise<void> {
    this.#limit?.cancel();
    const resigned = await this.#resigning;
    if (resigned === null || resigned.ok) this.#resolve({ ok, message });
    else this.#resolve({ ok: false, message: `${message}; and that failed: ${resigned.message}` });
  }
}
