import { after, between, seconds } from '../lib/duration.ts';
import type { RouterInput } from './router.ts';
import type { Turn } from './turn.ts';

/**
 * What an Active router does about another that was Active beside it, or about any other sign that the hosts
 * on the link may have learned another MAC address: it announces its addresses again. A sign is never dropped.
 * While an earlier announcement is still being repeated the next one waits until that is over, because what
 * misled the hosts may have come after our last frame: two partitions in one second, or the last frames of a
 * router that was told to let go a moment ago.
 */

/** Between announcements that conflicts cause, however often another Active insists. */
const CONFLICT_HOLD = seconds(1);

/** Assertions in one Advertisement_Interval: two routers that both believe to be the greater stay civil. */
const MAX_ASSERTIONS = 10;

/**
 * Two were Active: whoever stays announces again, or the hosts on the link keep the other's MAC address. And once
 * more a little later: what the other sent before it heard of us may arrive after our first frame, and `repeat`
 * may be 1.
 */
export function conflict(
  turn: Turn,
  { source, priority }: Extract<RouterInput, { type: 'advertisement' }>,
): void {
  if (reannounce(turn)) turn.arm('reannounce', CONFLICT_HOLD);
  const { quietSince } = turn.router;
  if (quietSince !== null && between(quietSince, turn.now) < CONFLICT_HOLD) return;
  turn.set({ quietSince: turn.now });
  turn.act({ type: 'conflict', source, priority });
}

/** Now, or a CONFLICT_HOLD after the last announcement. @returns true when it was now. */
export function reannounce(turn: Turn): boolean {
  const { announcedAt, timers } = turn.router;
  const free = announcedAt === null ? turn.now : after(announcedAt, CONFLICT_HOLD);
  if (free <= turn.now) {
    turn.cancel('reannounce');
    turn.announce();
    return true;
  }
  if (timers.reannounce === null) turn.armAt('reannounce', free);
  return false;
}

/** RFC 9568 (new in it): a lower priority is answered at once; the regular advertisement stays where it was. */
export function assertOurselves(turn: Turn): void {
  const { assertedAt, settings } = turn.router;
  const hold = settings.advertiseInterval / MAX_ASSERTIONS;
  if (assertedAt !== null && between(assertedAt, turn.now) < hold) return;
  turn.set({ assertedAt: turn.now });
  turn.send();
}
