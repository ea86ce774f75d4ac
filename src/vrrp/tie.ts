import { between, type Duration, type Instant, micros } from '../lib/duration.ts';
import { compareIp } from '../lib/ip.ts';
import type { RouterInput } from './router.ts';
import type { Turn } from './turn.ts';

type Advertised = Extract<RouterInput, { type: 'advertisement' }>;

/** Since when another router of the same priority has been Active beside this one, and when it was last heard. */
export interface Tie {
  readonly since: Instant;
  readonly last: Instant;
}

/**
 * Two Active routers of equal priority: does this one give way? The greater source address wins (RFC 9568, 6.4.3).
 *
 * Of routers that move together one decides for all of them. The order of the link-local addresses is often not that of
 * the IPv4 addresses: were each to decide for itself, both nodes would let go of one family, pull the other along,
 * and the role would go to and fro. The others wait for the one that leads; when nobody has given way after three
 * intervals, the other side knows no such partners (or the leader hears nobody), and the RFC's rule holds for them, too.
 */
export function losesTie(turn: Turn, { source, interval }: Advertised): boolean {
  const { settings, tie } = turn.router;
  if (compareIp(source, settings.source) <= 0) return false;
  if (settings.leads !== false) return true;
  const patience = micros(3 * Math.max(interval, settings.advertiseInterval));
  const since = tie !== null && !isOver(tie, turn.now, patience) ? tie.since : turn.now;
  turn.set({ tie: { since, last: turn.now } });
  return between(since, turn.now) >= patience;
}

const isOver = (tie: Tie, now: Instant, patience: Duration): boolean => between(tie.last, now) > patience;
