import type { PoolMember } from '../../model/service.ts';
import { usable } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/**
 * nginx's smooth weighted round robin: every pick raises each backend's current value by its weight, takes the
 * largest (the first one among equals) and lowers it by the sum. Weights 5:1:1 give A A B A C A A, never five
 * in a row. Weights may be fractions (slow start).
 */
export class RoundRobin implements Scheduler {
  #members: readonly PoolMember[] = [];
  #current = new Float64Array(0);
  /** Turns to pass over before the first one. */
  #offset: number;

  /** @param offset turns that others have already had */
  constructor(offset = 0) {
    this.#offset = offset;
  }

  update(eligible: readonly PoolMember[]): void {
    const before = new Map(this.#members.map(({ id }, i) => [id, this.#current[i] ?? 0]));
    this.#members = usable(eligible);
    // a change of one weight a second during slow start must not begin the cycle anew each time
    this.#current = Float64Array.from(this.#members, ({ id }) => before.get(id) ?? 0);
    if (this.#members.length === 0) return;
    for (; this.#offset > 0; this.#offset--) this.#next(null);
  }

  pick(_client: ClientKey, _load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    return this.#next(exclude);
  }

  #next(exclude: ReadonlySet<string> | null): PoolMember | null {
    const current = this.#current;
    let total = 0;
    let best: PoolMember | null = null;
    let bestAt = -1;
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i];
      if (member === undefined || exclude?.has(member.id)) continue;
      const value = (current[i] ?? 0) + member.weight;
      current[i] = value;
      total += member.weight;
      if (best === null || value > (current[bestAt] ?? 0)) {
        best = member;
        bestAt = i;
      }
    }
    if (best !== null) current[bestAt] = (current[bestAt] ?? 0) - total;
    return best;
  }
}
