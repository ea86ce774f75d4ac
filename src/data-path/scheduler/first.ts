import type { PoolMember } from '../../model/service.ts';
import { usable } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/** Fills the backends in the order of the list, each up to its `maxConnections`; weights only count as 0 or not. */
export class First implements Scheduler {
  #members: readonly PoolMember[] = [];

  update(eligible: readonly PoolMember[]): void {
    this.#members = usable(eligible);
  }

  pick(_client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    for (const member of this.#members) {
      if (exclude?.has(member.id)) continue;
      if (member.maxConnections === null || load.active(member.slot) < member.maxConnections) return member;
    }
    return null;
  }
}
