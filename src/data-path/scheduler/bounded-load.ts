import type { PoolMember } from '../../model/service.ts';
import type { LoadReader } from './types.ts';

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016), weighted: no backend gets a
 * client when that would put it above `factor` per cent of its fair share of all connections, the new one
 * included. The ceilings add up to more than the connections, so that there always is a backend below its own.
 */
export class BoundedLoad {
  readonly #share: number;
  /** Connections that one unit of weight may carry during this pick. */
  #perWeight = 0;

  /** @param factor per cent, above 100 */
  constructor(factor: number) {
    this.#share = factor / 100;
  }

  /** To be called before `allows`, once a pick: takes the mean load. */
  measure(members: readonly PoolMember[], load: LoadReader): void {
    let active = 0;
    let weight = 0;
    for (const member of members) {
      active += load.active(member.slot);
      weight += member.weight;
    }
    this.#perWeight = (this.#share * (active + 1)) / weight;
  }

  allows(member: PoolMember, load: LoadReader): boolean {
    return load.active(member.slot) < Math.ceil(this.#perWeight * member.weight);
  }
}
