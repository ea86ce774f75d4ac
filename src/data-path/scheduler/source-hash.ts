import type { PoolMember } from '../../model/service.ts';
import { BoundedLoad } from './bounded-load.ts';
import { hashAddress, hashId } from './hash.ts';
import { byIdentity } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/** Seed of the hash of a backend's id, which in turn seeds the hash of the client's address. */
const ID_SEED = 0x5361_6e64;

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; the logarithmic weights are from Schindelhauer and
 * Schomaker 2005): each backend gets the score -weight / ln(u), u in (0, 1) from the hash of client and
 * backend, and the highest wins. A backend that leaves hands over exactly its own clients, and one whose
 * weight changes wins or loses clients of its own alone.
 */
export class SourceHash implements Scheduler {
  readonly #bound: BoundedLoad | null;
  #members: readonly PoolMember[] = [];
  #seeds = new Uint32Array(0);

  constructor(balanceFactor: number | null) {
    this.#bound = balanceFactor === null ? null : new BoundedLoad(balanceFactor);
  }

  update(eligible: readonly PoolMember[]): void {
    this.#members = byIdentity(eligible);
    this.#seeds = Uint32Array.from(this.#members, ({ id }) => hashId(id, ID_SEED));
  }

  pick(client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    this.#bound?.measure(this.#members, load);
    let best: PoolMember | null = null;
    let bestScore = -1;
    // what is left when all that are not excluded have reached their bound: it spreads, it never refuses
    let spare: PoolMember | null = null;
    let spareScore = -1;
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i];
      if (member === undefined || exclude?.has(member.id)) continue;
      const score = rendezvousScore(hashAddress(client.source, this.#seeds[i] ?? 0), member.weight);
      if (this.#bound !== null && !this.#bound.allows(member, load)) {
        if (score > spareScore) [spare, spareScore] = [member, score];
      } else if (score > bestScore) {
        [best, bestScore] = [member, score];
      }
    }
    return best ?? spare;
  }
}

/** The score of a 32-bit hash; above 0. */
export function rendezvousScore(hash: number, weight: number): number {
  return -weight / Math.log((hash + 0.5) / 0x1_0000_0000);
}
