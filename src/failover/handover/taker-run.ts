import type { Clock, Timer } from '../../lib/clock.ts';
import { type Duration, seconds } from '../../lib/duration.ts';
import { unreachable } from '../../lib/errors.ts';
import type { PeerChannel } from '../peer/channel.ts';
import type { PeerMessage } from '../peer/messages.ts';
import type { CallerHandlers } from '../peer/server.ts';
import type { CommandResult } from './giver-run.ts';
import {
  createTaker,
  type PrepareRequest,
  stepTaker,
  type Taker,
  type TakerAction,
  type TakerInput,
} from './taker.ts';

/** What a taker's run asks of the node; none of these throws. */
export interface TakerNode {
  readonly clock: Clock;
  /** Why this node should not take these groups over, or null. */
  readonly objection: (request: PrepareRequest) => string | null;
  readonly steer: (request: PrepareRequest) => Promise<string | null>;
  readonly unsteer: (request: PrepareRequest) => Promise<void>;
  readonly claim: (request: PrepareRequest) => Promise<CommandResult>;
  /** The run holds nothing any more. */
  readonly onDone: () => void;
}

/** Longer than the giver's: it gives up first. */
const STEP_LIMIT: Duration = seconds(8);

/** One request of the peer, from its first message to the end of the connection. */
export class TakerRun implements CallerHandlers {
  readonly #node: TakerNode;
  #taker: Taker = createTaker();
  #channel: PeerChannel | null = null;
  #request: PrepareRequest | null = null;
  #limit: Timer | null = null;

  constructor(node: TakerNode) {
    this.#node = node;
  }

  onOpen(channel: PeerChannel): void {
    this.#channel = channel;
    this.#armLimit();
  }

  onMessage(message: PeerMessage): void {
    if (message.type !== 'prepare' || this.#request !== null) {
      this.#feed({ type: 'message', message });
      return;
    }
    const objection = this.#node.objection(message);
    this.#request = message;
    this.#feed({ type: 'prepare', request: message, objection });
  }

  onEnd(): void {
    this.#channel = null;
    this.#feed({ type: 'closed' });
  }

  #feed(input: TakerInput): void {
    const before = this.#taker.step;
    const { taker, actions } = stepTaker(this.#taker, input);
    this.#taker = taker;
    if (taker.step !== before) this.#armLimit();
    for (const action of actions) this.#perform(action);
    if (taker.step === 'done' && before !== 'done') this.#node.onDone();
  }

  #armLimit(): void {
    this.#limit?.cancel();
    this.#limit = null;
    if (this.#taker.step === 'done') return;
    this.#limit = this.#node.clock.timerAfter(STEP_LIMIT, () => this.#feed({ type: 'timeout' }));
  }

  #perform(action: TakerAction): void {
    switch (action.type) {
      case 'send':
        this.#channel?.send(action.message);
        break;
      case 'steer':
        void this.#steer(action.request);
        break;
      case 'unsteer':
        if (this.#request !== null) void this.#node.unsteer(this.#request);
        break;
      case 'claim':
        void this.#claim();
        break;
      case 'hang-up':
        this.#channel?.close();
        this.#channel = null;
        break;
      default:
        unreachable(action);
    }
  }

  async #steer(request: PrepareRequest): Promise<void> {
    this.#feed({ type: 'steered', why: await this.#node.steer(request) });
  }

  async #claim(): Promise<void> {
    if (this.#request === null) return;
    this.#feed({ type: 'claimed', ...(await this.#node.claim(this.#request)) });
  }
}
