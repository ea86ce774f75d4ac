import type { PoolMember } from '../../model/service.ts';
import type { LoadReader } from './types.ts';

/** Those that may take clients at all. */
export function usable(members: readonly PoolMember[]): PoolMember[] {
  return members.filter(({ weight }) => weight > 0);
}

/** In the order of their ids, so that what is computed from the list depends on the set alone. */
export function byIdentity(members: readonly PoolMember[]): PoolMember[] {
  return usable(members).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Keeps 2 ** failures finite. */
const MOST_FAILURES = 30;

/**
 * How loaded a backend is with one client more, relative to its weight; 0 when it is idle, so that an idle one
 * goes first whatever the weights. Each recent connect failure doubles it: a backend that refuses at once has
 * no connections and would otherwise swallow all clients, however busy the others are (the black hole).
 */
export function relativeLoad(member: PoolMember, load: LoadReader): number {
  const active = load.active(member.slot);
  const failures = load.recentFailures(member.slot);
  if (active <= 0 && failures <= 0) return 0;
  return ((active + 1) / member.weight) * 2 ** Math.min(failures, MOST_FAILURES);
}
