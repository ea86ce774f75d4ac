import type { Clock } from '../../lib/clock.ts';
import { type Duration, toSeconds } from '../../lib/duration.ts';
import type { PeerSpec } from '../../model/failover.ts';
import { connectPeer, type PeerChannel } from './channel.ts';
import type { PeerMessage } from './messages.ts';

export interface AskOptions {
  readonly secret: Uint8Array;
  readonly clock: Clock;
}

export interface PeerAnswer {
  /** False as well when there was no answer. */
  readonly ok: boolean;
  readonly reason: string;
}

/** One question over a connection of its own. Never rejects. */
export function askPeer(
  peer: PeerSpec,
  question: PeerMessage,
  limit: Duration,
  { secret, clock }: AskOptions,
): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    const finish = (answer: PeerAnswer): void => {
      timer.cancel();
      channel.close();
      resolve(answer);
    };
    const timer = clock.timerAfter(limit, () =>
      finish({ ok: false, reason: `the peer has not answered for ${toSeconds(limit)} s` }),
    );
    const channel: PeerChannel = connectPeer(
      peer,
      { secret, clock },
      {
        onOpen: () => channel.send(question),
        onMessage: (message) =>
          finish(
            message.type === 'answer' ? message : { ok: false, reason: `the peer said "${message.type}"` },
          ),
        onEnd: ({ why, trusted }) =>
          finish({
            ok: false,
            reason: `the peer ${trusted ? 'cannot be reached' : 'cannot be trusted'}: ${why}`,
          }),
      },
    );
  });
}

/** Something that needs no answer. @returns why it could not be said, or null. Never rejects. */
export function tellPeer(
  peer: PeerSpec,
  message: PeerMessage,
  { secret, clock }: AskOptions,
): Promise<string | null> {
  return new Promise((resolve) => {
    const channel: PeerChannel = connectPeer(
      peer,
      { secret, clock },
      {
        onOpen: () => {
          channel.send(message);
          channel.close();
          resolve(null);
        },
        onMessage: () => undefined,
        onEnd: ({ why }) => resolve(why),
      },
    );
  });
}
