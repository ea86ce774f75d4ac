import { messageOf } from '../../lib/errors.ts';
import type { ChannelEnd, PeerChannel } from '../peer/channel.ts';
import type { GroupIdentity, PeerMessage } from '../peer/messages.ts';
import type { CallerHandlers } from '../peer/server.ts';
import type { CommandResult } from './giver-run.ts';
import type { TransferRequest } from './taker.ts';
import type { TakerRun } from './taker-run.ts';

/** What the peer may want of this node. */
export interface CallerNode {
  readonly takerRun: () => TakerRun;
  /** Why this node would not take over, or null. */
  readonly inquired: (request: TransferRequest) => string | null;
  /** Hands these groups over to the peer. Never rejects. */
  readonly requested: (groups: readonly GroupIdentity[]) => Promise<CommandResult>;
  readonly drained: (groups: readonly GroupIdentity[], handover: string) => Promise<void>;
  readonly complain: (message: string) => void;
}

/** A connection of the peer: its first message says what it is about. */
export class Caller implements CallerHandlers {
  readonly #node: CallerNode;
  #channel: PeerChannel | null = null;
  #run: TakerRun | null = null;
  #answering = false;

  constructor(node: CallerNode) {
    this.#node = node;
  }

  onOpen(channel: PeerChannel): void {
    this.#channel = channel;
  }

  onMessage(message: PeerMessage): void {
    if (this.#run !== null) this.#run.onMessage(message);
    else if (this.#answering) this.#hangUp();
    else this.#first(message);
  }

  onEnd(_end: ChannelEnd): void {
    this.#channel = null;
    this.#run?.onEnd();
  }

  #first(message: PeerMessage): void {
    const channel = this.#channel;
    if (channel === null) return;
    switch (message.type) {
      case 'inquire': {
        const objection = this.#node.inquired(message);
        this.#answer(objection === null, objection ?? 'it would take over');
        break;
      }
      case 'request':
        this.#answering = true;
        this.#later(
          this.#node.requested(message.groups).then(({ ok, message: said }) => this.#answer(ok, said)),
        );
        break;
      case 'drained':
        this.#hangUp();
        this.#later(this.#node.drained(message.groups, message.handover));
        break;
      default:
        // whatever is no beginning is refused there, as a step out of order
        this.#run = this.#node.takerRun();
        this.#run.onOpen(channel);
        this.#run.onMessage(message);
    }
  }

  #later(done: Promise<void>): void {
    done.catch((error: unknown) => this.#node.complain(messageOf(error)));
  }

  #answer(ok: boolean, reason: string): void {
    this.#channel?.send({ type: 'answer', ok, reason: reason.slice(0, 500) });
    this.#hangUp();
  }

  #hangUp(): void {
    this.#channel?.close();
    this.#channel = null;
  }
}
