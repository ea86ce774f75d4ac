import { after, between, type Instant, instant, micros, seconds } from '../lib/duration.ts';
import { skewTime } from './intervals.ts';
import { basePriority, effectivePriority, OWNER_PRIORITY, type Router } from './router.ts';
import type { Turn } from './turn.ts';

/**
 * How an Active router whose priority was lowered yields to a better one without knowing whether there is
 * any: Backups are silent. It sends priority 0 and keeps the addresses. Whoever listens now waits its own
 * Skew_Time, and that is the shorter the higher the priority: before a router that is no better could come
 * to the end of it, our next advertisement says that we are still there. A better one is Active by then, its
 * advertisement ends our role, and not a moment was without an owner. Nothing in it goes beyond RFC 9568 or
 * RFC 3768, and it also reaches peers that do not preempt.
 */

/** A peer must be better by more than this, an eighth of the interval: its advertisement must be here first. */
const MARGIN = 32;

/** For a peer that was not there the last time. */
const OFFER_AGAIN = seconds(10);
const OFFER_AGAIN_INTERVALS = 10;

/**
 * Priority 0 now, and the next advertisement before the Skew_Time of an equal. Lowered once more before that, the
 * offer that is open goes on for a little longer: a second priority 0 in a row would say that we leave (resignation.ts).
 */
export function offerRole(turn: Turn): void {
  const { version, advertiseInterval } = turn.router.settings;
  const priority = Math.min(OWNER_PRIORITY, effectivePriority(turn.router) + MARGIN);
  const patience = skewTime({ version, priority, activeInterval: advertiseInterval });
  const openSince = openOffer(turn.router);
  if (openSince !== null) {
    turn.armAt('adver', instant(Math.max(turn.now, after(openSince, patience))));
    return;
  }
  turn.set({ offeredAt: turn.now });
  turn.act({ type: 'send', priority: 0 });
  turn.arm('adver', patience);
}

/** Since when nothing has been advertised after an offer, or null: what is advertised puts 'adver' a whole interval off. */
function openOffer({ offeredAt, timers, settings }: Router): Instant | null {
  if (offeredAt === null || timers.adver === null) return null;
  return timers.adver < after(offeredAt, settings.advertiseInterval) ? offeredAt : null;
}

/** While the priority is lowered, every so often. */
export function shouldOfferAgain({ router, now }: Turn): boolean {
  const { offeredAt, settings, weight, raised } = router;
  if (raised !== null || basePriority(router) >= settings.priority || weight >= 0) return false;
  const pause = Math.max(OFFER_AGAIN, micros(OFFER_AGAIN_INTERVALS * settings.advertiseInterval));
  return offeredAt === null || between(offeredAt, now) >= pause;
}
