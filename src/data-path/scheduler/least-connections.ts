import type { PoolMember } from '../../model/service.ts';
import { relativeLoad, usable } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/** The lowest (active + 1) / weight wins, an idle backend first of all; equals take turns. */
export class LeastConnections implements Scheduler {
  #members: readonly PoolMember[] = [];
  /** Where the search begins: behind the last one picked. */
  #start: number;

  /** @param offset the backend with which turns begin */
  constructor(offset = 0) {
    this.#start = offset;
  }

  update(eligible: readonly PoolMember[]): void {
    this.#members = usable(eligible);
    if (this.#members.length > 0) this.#start %= this.#members.length;
  }

  pick(_client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    const count = this.#members.length;
    let best: PoolMember | null = null;
    let lowest = Number.POSITIVE_INFINITY;
    let next = this.#start;
    for (let step = 0, i = this.#start; step < count; step++, i = i + 1 === count ? 0 : i + 1) {
      const member = this.#members[i];
      if (member === undefined || exclude?.has(member.id)) continue;
      const value = relativeLoad(member, load);
      if (best !== null && value >= lowest) continue;
      best = member;
      lowest = value;
      next = i + 1 === count ? 0 : i + 1;
      if (value === 0) break;
    }
    this.#start = next;
    return best;
  }
}
