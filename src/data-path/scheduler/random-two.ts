import type { PoolMember } from '../../model/service.ts';
import { relativeLoad, usable } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/** Draws that may hit an excluded backend before the next acceptable one in line is taken instead. */
const DRAWS = 16;

/**
 * The power of two choices: two different backends are drawn in proportion to their weights, and the less
 * loaded one wins. Nearly as even as least-connections, in O(log n), and workers that do not know of each
 * other's last picks do not all run to the same backend.
 */
export class RandomTwo implements Scheduler {
  readonly #random: () => number;
  #members: readonly PoolMember[] = [];
  /** Sums of the weights up to and including each member. */
  #sums = new Float64Array(0);

  /** `random` answers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  update(eligible: readonly PoolMember[]): void {
    this.#members = usable(eligible);
    let sum = 0;
    this.#sums = Float64Array.from(this.#members, ({ weight }) => {
      sum += weight;
      return sum;
    });
  }

  pick(_client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    const first = this.#draw(exclude, null);
    const second = first === null ? null : this.#draw(exclude, first);
    if (first === null || second === null) return first;
    const [a, b] = [relativeLoad(first, load), relativeLoad(second, load)];
    // both idle: the first draw stands, or light backends would get more than their share
    return b < a ? second : first;
  }

  #draw(exclude: ReadonlySet<string> | null, other: PoolMember | null): PoolMember | null {
    const total = this.#sums[this.#sums.length - 1] ?? 0;
    let index = 0;
    for (let draw = 0; draw < DRAWS; draw++) {
      index = this.#indexAt(this.#random() * total);
      const member = this.#members[index];
      if (member !== undefined && member !== other && !exclude?.has(member.id)) return member;
    }
    return this.#nextFrom(index, exclude, other);
  }

  /** The member whose share of the line holds `point`. */
  #indexAt(point: number): number {
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (point < (this.#sums[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #nextFrom(start: number, exclude: ReadonlySet<string> | null, other: PoolMember | null): PoolMember | null {
    const count = this.#members.length;
    for (let step = 0; step < count; step++) {
      const member = this.#members[(start + step) % count];
      if (member !== undefined && member !== other && !exclude?.has(member.id)) return member;
    }
    return null;
  }
}
