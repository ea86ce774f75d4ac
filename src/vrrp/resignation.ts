import { after, between, type Instant, millis } from '../lib/duration.ts';
import { skewTime } from './intervals.ts';
import { basePriority, type PeerRecord } from './router.ts';
import type { Turn } from './turn.ts';

/**
 * Priority 0 means "I leave" (RFC 9568), or, once, the offer of offer.ts, whose sender stays unless there is a better
 * router. Who really leaves says it twice in a row. To others the second one is a repetition; a Backup that is the
 * only other router (`paired`) need not wait its Skew_Time then, which is there to put several Backups in order. Only
 * who was heard as Active can leave the role: zeros of a stranger are not followed so quickly. Should the link double
 * an offer, the Backup takes over from an Active router that answers at once, and steps back.
 */
export function resign(turn: Turn): void {
  turn.act({ type: 'send', priority: 0 });
  turn.act({ type: 'send', priority: 0 });
}

/** Between the two. Between two offers there is an advertisement. */
const IN_A_ROW = millis(50);

/** A Backup hears priority 0. Repetitions of it must not put the takeover off again. */
export function peerResigned(turn: Turn, before: PeerRecord | null): void {
  const { timers, expiryCause, wants } = turn.router;
  if (wants) return;
  const left = turn.router.settings.paired === true && isInARow(turn, before);
  const at = left ? turn.now : afterSkew(turn);
  const current = timers['active-down'];
  if (expiryCause === 'peer-priority-zero' && current !== null && current <= at) return;
  turn.set({ expiryCause: 'peer-priority-zero', peerLeft: left });
  turn.armAt('active-down', at);
}

/** @param before what was heard before the advertisement of now */
function isInARow({ router, now }: Turn, before: PeerRecord | null): boolean {
  if (before === null || before.priority !== 0) return false;
  if (before.source.text !== router.peer?.source.text || !before.wasActive) return false;
  return between(before.at, now) <= IN_A_ROW;
}

function afterSkew({ router, now }: Turn): Instant {
  const { settings, activeInterval } = router;
  return after(now, skewTime({ version: settings.version, priority: basePriority(router), activeInterval }));
}
