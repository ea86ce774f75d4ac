import type { PeerMessage } from '../peer/messages.ts';
import type { PrepareRequest } from './taker.ts';

/**
 * The side that gives its role away, as a pure state machine: the peer prepares, claims and announces before
 * this one lets go. Whatever fails before `take` leaves this node Active; what fails after it is judged by
 * whether this node still is, for VRRP may have moved the role while the channel was silent.
 */

/** With `drainMillis` 0 connections are not to be kept. */
export interface GiverPlan extends PrepareRequest {
  /** Without a peer that can be reached, give up instead of sending priority 0, with `force` too. */
  readonly requirePeer: boolean;
}

export type GiverStep = 'idle' | 'connecting' | 'preparing' | 'pinning' | 'taking' | 'releasing' | 'done';

export interface Giver {
  readonly plan: GiverPlan;
  readonly step: GiverStep;
  /** Why connections are not kept; null when they are, or need not be. */
  readonly note: string | null;
}

export type GiverInput =
  | { readonly type: 'start' }
  | { readonly type: 'connected' }
  | { readonly type: 'message'; readonly message: PeerMessage }
  /** The channel ended. `trusted` false: the peer has another key or another protocol. */
  | { readonly type: 'closed'; readonly why: string; readonly trusted: boolean; readonly active: boolean }
  /** The step took too long. */
  | { readonly type: 'timeout'; readonly active: boolean }
  /** The addresses are on lo; `why` not null: they are not, and for this reason. */
  | { readonly type: 'pinned'; readonly why: string | null }
  /** Priority 0 was sent where this node was still Active; it no longer is. */
  | { readonly type: 'released'; readonly active: boolean };

export type GiverAction =
  | { readonly type: 'connect' }
  | { readonly type: 'send'; readonly message: PeerMessage }
  /** Keep the addresses on lo, so that this node's connections live on. */
  | { readonly type: 'pin' }
  | { readonly type: 'unpin' }
  /** No longer answer for the addresses on the link, then let go of them. */
  | { readonly type: 'let-go'; readonly quiet: boolean }
  /** Towards a router that does not speak this protocol. */
  | { readonly type: 'resign' }
  | { readonly type: 'hang-up' }
  | { readonly type: 'finish'; readonly ok: boolean; readonly message: string };

export interface GiverTurn {
  readonly giver: Giver;
  readonly actions: readonly GiverAction[];
}

export function createGiver(plan: GiverPlan): Giver {
  return { plan, step: 'idle', note: null };
}

export function stepGiver(giver: Giver, input: GiverInput): GiverTurn {
  switch (input.type) {
    case 'start':
      return giver.step === 'idle' ? to(giver, 'connecting', { type: 'connect' }) : stay(giver);
    case 'connected':
      return giver.step === 'connecting' ? to(giver, 'preparing', send(prepare(giver.plan))) : stay(giver);
    case 'message':
      return heard(giver, input.message);
    case 'pinned':
      return giver.step === 'pinning' ? take({ ...giver, note: input.why }) : stay(giver);
    case 'released':
      return released(giver, input.active);
    case 'closed':
      return giver.step === 'connecting'
        ? notReached(giver, input.why, input.trusted)
        : broken(giver, `the peer hung up (${input.why})`, input.active);
    case 'timeout':
      return giver.step === 'connecting'
        ? notReached(giver, 'it does not answer', true)
        : broken(giver, 'the peer does not answer', input.active);
  }
}

function heard(giver: Giver, message: PeerMessage): GiverTurn {
  if (giver.step === 'preparing' && message.type === 'ready') return prepared(giver, message.note);
  if (giver.step === 'preparing' && message.type === 'refused') {
    return fail(giver, `the peer refuses: ${message.reason}; this node stays Active`);
  }
  if (giver.step === 'taking' && message.type === 'taken') {
    return to(giver, 'releasing', letGo(giver));
  }
  if (giver.step === 'taking' && message.type === 'failed') {
    return fail(giver, `the peer could not take over: ${message.reason}`, { type: 'unpin' });
  }
  return stay(giver);
}

function prepared(giver: Giver, note: string | null): GiverTurn {
  const next = { ...giver, note };
  if (giver.plan.drainMillis === 0 || note !== null) return take(next);
  return to(next, 'pinning', { type: 'pin' });
}

const take = (giver: Giver): GiverTurn => to(giver, 'taking', send({ type: 'take' }));

const keeps = ({ plan, note }: Giver): boolean => plan.drainMillis > 0 && note === null;

const letGo = (giver: Giver): GiverAction => ({ type: 'let-go', quiet: keeps(giver) });

function released(giver: Giver, active: boolean): GiverTurn {
  if (giver.step !== 'releasing') return stay(giver);
  if (active) return fail(giver, 'the peer took over, but this node did not let go', { type: 'unpin' });
  return to(giver, 'done', send({ type: 'released' }), { type: 'hang-up' }, success(giver));
}

function success(giver: Giver): GiverAction {
  const { drainMillis } = giver.plan;
  const kept = keeps(giver)
    ? `established connections go on here for up to ${drainMillis / 1_000} s`
    : `connections are not kept${giver.note === null ? '' : `: ${giver.note}`}`;
  return { type: 'finish', ok: true, message: `handed over to the peer; ${kept}` };
}

/**
 * Nobody was asked yet. The configured peer is not there, so most likely nobody is who would take over: priority 0 would
 * be an outage. A peer with another key is a mistake that somebody should see, not an RFC-only router.
 */
function notReached(giver: Giver, why: string, trusted: boolean): GiverTurn {
  const { requirePeer, force } = giver.plan;
  if (!trusted) return fail(giver, `the peer cannot be trusted: ${why}; this node stays Active`);
  if (requirePeer) return fail(giver, `the peer cannot be reached: ${why}; this node stays Active`);
  if (!force) {
    const otherwise = 'with --force it sends priority 0, for another VRRP router to take over';
    return fail(giver, `the peer cannot be reached: ${why}; this node stays Active (${otherwise})`);
  }
  const message = `the peer cannot be reached (${why}): sent priority 0 instead, connections are not kept`;
  return to(giver, 'done', { type: 'resign' }, { type: 'finish', ok: true, message });
}

function broken(giver: Giver, why: string, active: boolean): GiverTurn {
  switch (giver.step) {
    case 'idle':
    case 'connecting':
    case 'done':
      return stay(giver);
    case 'preparing':
      return fail(giver, `${why} while it prepared; this node stays Active`);
    case 'pinning':
      return fail(giver, `${why} while it prepared; this node stays Active`, { type: 'unpin' });
    case 'taking':
      if (active)
        return fail(giver, `${why} and did not take over; this node stays Active`, { type: 'unpin' });
      // VRRP says that it took over: its word is only missing
      return to(giver, 'releasing', letGo(giver));
    case 'releasing':
      // our own letting go is under way and needs nobody
      return stay(giver);
  }
}

function fail(giver: Giver, message: string, ...before: GiverAction[]): GiverTurn {
  const abort: GiverAction[] =
    giver.step === 'connecting' ? [] : [send({ type: 'abort', reason: message.slice(0, 500) })];
  return to(giver, 'done', ...before, ...abort, { type: 'hang-up' }, { type: 'finish', ok: false, message });
}

const prepare = ({ groups, drainMillis, handover, condition, force }: GiverPlan): PeerMessage => ({
  type: 'prepare',
  groups: [...groups],
  drainMillis,
  handover,
  condition,
  force,
});

const send = (message: PeerMessage): GiverAction => ({ type: 'send', message });

const to = (giver: Giver, step: GiverStep, ...actions: GiverAction[]): GiverTurn => ({
  giver: { ...giver, step },
  actions,
});

const stay = (giver: Giver): GiverTurn => ({ giver, actions: [] });
