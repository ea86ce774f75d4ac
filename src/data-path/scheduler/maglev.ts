import type { HashKey, PoolMember, ScheduleSpec } from '../../model/service.ts';
import { BoundedLoad } from './bounded-load.ts';
import { hashAddress, hashId, hashServerName, hashTuple } from './hash.ts';
import { byIdentity } from './members.ts';
import type { ClientKey, LoadReader, Scheduler } from './types.ts';

/** Seeds of MurmurHash3_x86_32: where a backend's permutation begins, its stride, and a client's slot. */
const OFFSET_SEED = 0x6d61_676c;
const SKIP_SEED = 0x6576_2d31;
const CLIENT_SEED = 0x7461_6e64;

const HASHES: Readonly<Record<HashKey, (client: ClientKey, seed: number) => number>> = {
  source: ({ source }, seed) => hashAddress(source, seed),
  tuple: hashTuple,
  'server-name': hashServerName,
};

/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4) with weights: a table of a prime number of
 * slots in which each backend has its own permutation of preferences, filled in turns.
 */
export class Maglev implements Scheduler {
  readonly #hash: (client: ClientKey, seed: number) => number;
  readonly #size: number;
  readonly #bound: BoundedLoad | null;
  #members: readonly PoolMember[] = [];
  #table = new Uint16Array(0);
  /** Which members may be picked, where some may not; kept to spare an allocation a pick. */
  #allowed = new Uint8Array(0);

  constructor(spec: ScheduleSpec) {
    this.#hash = HASHES[spec.hashKey];
    this.#size = spec.tableSize;
    this.#bound = spec.balanceFactor === null ? null : new BoundedLoad(spec.balanceFactor);
  }

  update(eligible: readonly PoolMember[]): void {
    const before = this.#members;
    this.#members = byIdentity(eligible);
    if (sameShares(before, this.#members)) return;
    this.#table = buildTable(this.#members, this.#size);
    this.#allowed = new Uint8Array(this.#members.length);
  }

  pick(client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null {
    if (this.#members.length === 0) return null;
    const start = this.#hash(client, CLIENT_SEED) % this.#size;
    if (this.#bound === null && exclude === null) return this.#members[this.#table[start] ?? 0] ?? null;
    // the bound spreads and never refuses: when it leaves nobody, it does not count
    if (!this.#allow(load, exclude, this.#bound) && !this.#allow(load, exclude, null)) return null;
    return this.#walk(start);
  }

  #allow(load: LoadReader, exclude: ReadonlySet<string> | null, bound: BoundedLoad | null): boolean {
    bound?.measure(this.#members, load);
    let any = false;
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i];
      if (member === undefined) continue;
      const allowed = !exclude?.has(member.id) && (bound === null || bound.allows(member, load));
      this.#allowed[i] = allowed ? 1 : 0;
      any ||= allowed;
    }
    return any;
  }

  /** The clients of a backend that may not be picked go on through the table, to many others. */
  #walk(start: number): PoolMember | null {
    for (
      let step = 0, slot = start;
      step < this.#size;
      step++, slot = slot + 1 === this.#size ? 0 : slot + 1
    ) {
      const index = this.#table[slot] ?? 0;
      if (this.#allowed[index] === 1) return this.#members[index] ?? null;
    }
    // more backends than slots: some have none
    return this.#members[this.#allowed.indexOf(1)] ?? null;
  }
}

/**
 * The look-up table: for each slot an index into `members`, which are ordered by id. The table depends on ids
 * and weights alone. In the k-th round a backend is behind when it has had fewer turns than k times its weight
 * over the largest, and takes one slot then: shares follow the weights, and in the first round everyone gets
 * a slot.
 * @param size a prime, at most 65,536 members
 */
export function buildTable(members: readonly PoolMember[], size: number): Uint16Array<ArrayBuffer> {
  const table = new Uint16Array(size);
  if (members.length === 0) return table;
  const filled = new Uint8Array(size);
  const position = Uint32Array.from(members, ({ id }) => hashId(id, OFFSET_SEED) % size);
  const skip = Uint32Array.from(members, ({ id }) => (hashId(id, SKIP_SEED) % (size - 1)) + 1);
  const heaviest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
  const pace = Float64Array.from(members, ({ weight }) => weight / heaviest);
  const turns = new Uint32Array(members.length);
  let left = size;
  for (let round = 1; ; round++) {
    for (let i = 0; i < members.length; i++) {
      const taken = turns[i] ?? 0;
      if (taken > 0 && taken >= round * (pace[i] ?? 0)) continue;
      const step = skip[i] ?? 1;
      let slot = position[i] ?? 0;
      while (filled[slot] === 1) {
        slot += step;
        if (slot >= size) slot -= size;
      }
      filled[slot] = 1;
      table[slot] = i;
      position[i] = slot;
      turns[i] = taken + 1;
      left -= 1;
      if (left === 0) return table;
    }
  }
}

function sameShares(a: readonly PoolMember[], b: readonly PoolMember[]): boolean {
  return a.length === b.length && a.every(({ id, weight }, i) => id === b[i]?.id && weight === b[i].weight);
}
