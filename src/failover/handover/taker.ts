import type { Condition, GroupIdentity, PeerMessage } from '../peer/messages.ts';

/**
 * The side that takes the role, as a pure state machine. Until it is told to take, everything that it has
 * prepared is undone when the giver falls silent; once it has taken, it is Active and nothing is undone.
 */

export type TakerStep = 'waiting' | 'steering' | 'ready' | 'claiming' | 'taken' | 'done';

export interface Taker {
  readonly step: TakerStep;
}

export type TakerInput =
  /** `objection`: why this node should not take over, null when it may. */
  | { readonly type: 'prepare'; readonly request: PrepareRequest; readonly objection: string | null }
  | { readonly type: 'message'; readonly message: PeerMessage }
  /** Packets of the giver's connections will find it; `why` not null: they will not, for this reason. */
  | { readonly type: 'steered'; readonly why: string | null }
  | { readonly type: 'claimed'; readonly ok: boolean; readonly message: string }
  | { readonly type: 'closed' }
  | { readonly type: 'timeout' };

/** What is asked of the taker, and what it needs to judge whether it should. */
export interface TransferRequest {
  readonly groups: readonly GroupIdentity[];
  /** The giver's. */
  readonly condition: Condition;
  readonly force: boolean;
}

export interface PrepareRequest extends TransferRequest {
  /** The name of the handover. */
  readonly handover: string;
  readonly drainMillis: number;
}

export type TakerAction =
  | { readonly type: 'send'; readonly message: PeerMessage }
  /** Send packets of connections that are not ours to the giver. */
  | { readonly type: 'steer'; readonly request: PrepareRequest }
  | { readonly type: 'unsteer' }
  /** Become Active: claim, announce, then outbid the giver. */
  | { readonly type: 'claim' }
  | { readonly type: 'hang-up' };

export interface TakerTurn {
  readonly taker: Taker;
  readonly actions: readonly TakerAction[];
}

export const createTaker = (): Taker => ({ step: 'waiting' });

export function stepTaker(taker: Taker, input: TakerInput): TakerTurn {
  switch (input.type) {
    case 'prepare':
      return prepare(taker, input.request, input.objection);
    case 'steered':
      return steered(taker, input.why);
    case 'claimed':
      return claimed(taker, input.ok, input.message);
    case 'message':
      return heard(taker, input.message);
    case 'closed':
    case 'timeout':
      return abandoned(taker);
  }
}

function prepare(taker: Taker, request: PrepareRequest, objection: string | null): TakerTurn {
  if (taker.step !== 'waiting') return violated(taker);
  if (objection !== null) {
    return to('done', send({ type: 'refused', reason: objection.slice(0, 500) }), { type: 'hang-up' });
  }
  if (request.drainMillis === 0) return to('ready', send({ type: 'ready', note: null }));
  return to('steering', { type: 'steer', request });
}

/** Without steering the handover is still worth it: no probe is lost, and new clients find a node. */
function steered(taker: Taker, why: string | null): TakerTurn {
  // it was undone in the meantime, or not asked for
  if (taker.step !== 'steering') return to(taker.step, { type: 'unsteer' });
  return to('ready', send({ type: 'ready', note: why?.slice(0, 500) ?? null }));
}

function claimed(taker: Taker, ok: boolean, message: string): TakerTurn {
  if (taker.step !== 'claiming') return stay(taker);
  if (ok) return to('taken', send({ type: 'taken' }));
  const reason = message.slice(0, 500);
  return to('done', { type: 'unsteer' }, send({ type: 'failed', reason }), { type: 'hang-up' });
}

function heard(taker: Taker, message: PeerMessage): TakerTurn {
  switch (message.type) {
    case 'take':
      return taker.step === 'ready' ? to('claiming', { type: 'claim' }) : violated(taker);
    case 'released':
      return taker.step === 'taken' ? to('done', { type: 'hang-up' }) : violated(taker);
    default:
      return abandoned(taker);
  }
}

/** A step out of order: the giver is confused, and nothing that it says can be relied on. */
const violated = (taker: Taker): TakerTurn => abandoned(taker);

function abandoned(taker: Taker): TakerTurn {
  switch (taker.step) {
    case 'waiting':
      return to('done', { type: 'hang-up' });
    case 'steering':
    case 'ready':
      return to('done', { type: 'unsteer' }, { type: 'hang-up' });
    case 'claiming':
      // the claim cannot be taken back half-way; its outcome is told to nobody
      return stay(taker);
    case 'taken':
      return to('done', { type: 'hang-up' });
    case 'done':
      return stay(taker);
  }
}

const send = (message: PeerMessage): TakerAction => ({ type: 'send', message });

const to = (step: TakerStep, ...actions: TakerAction[]): TakerTurn => ({ taker: { step }, actions });

const stay = (taker: Taker): TakerTurn => ({ taker, actions: [] });
