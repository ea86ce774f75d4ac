import { type Instant, instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { SourceLimitSpec } from '../../model/service.ts';
import { networkWords } from './network-key.ts';
import { Gcra } from './rate-limit.ts';
import { createSourceMemory, SourceMemory } from './source-memory.ts';

/** How many sources without a connection are remembered for their rate, beside those that have one. */
export const RESTING_SOURCES = 65_536;

const SHARDS = 64;

/** Of the sources longest at rest, so many are looked at to find the one that owes least. */
const EVICTION_SAMPLE = 8;

/** Expired sources thrown away with each client, so that the work never piles up. */
const SWEEP_PER_CLIENT = 2;

/** Expired sources thrown away under one lock, so that nobody waits for long. */
const SWEEP_PER_LOCK = 256;

/**
 * Most sources of one service at a time.
 * @param clients most clients that it can have: each may come from another source
 */
export function sourceCapacity(clients: number): number {
  return slotsPerShard(clients) * SHARDS;
}

/** A shard gets its share of what is hashed, six standard deviations more, and never less than a few. */
function slotsPerShard(clients: number): number {
  const mean = (clients + RESTING_SOURCES) / SHARDS;
  return Math.ceil(mean + 6 * Math.sqrt(mean) + 16);
}

/** The memory for {@link SourceTable}, of which every worker has a view. */
export function createSources(workers: number, clients: number, seed: number): SharedArrayBuffer {
  return createSourceMemory({ workers, shards: SHARDS, slots: slotsPerShard(clients) }, seed);
}

/** What a client holds while it is connected. */
export interface SourceTicket {
  readonly table: SourceTable;
  readonly shard: number;
  readonly slot: number;
}

export type SourceObjection = 'source-limit' | 'source-rate';

/**
 * Connections and rate for each client network, exact over all workers: one worker's view of the shared memory.
 *
 * A source with connections is never forgotten: their number is bounded by the connections themselves. One
 * without rests until its burst is whole again, when forgetting it changes nothing. Should its shard be full
 * before that, a source is evicted early, and so that nobody can wash off a debt by pushing itself out with
 * thousands of other addresses, newcomers to the shard then start with the largest debt ever evicted from it (the idea of
 * the Space-Saving sketch, Metwally et al. 2005: unknown keys inherit the bound of what was thrown away). A source
 * never gets more than its rate that way; under such a flood, strangers wait at most until that debt is over.
 */
export class SourceTable {
  readonly #memory: SourceMemory;
  readonly #worker: number;
  readonly #words = new Int32Array(4);
  #spec: SourceLimitSpec;
  #rate: Gcra | null;
  #sweeping = 0;

  /** @throws RangeError when the buffer is not one of {@link createSources} */
  constructor(buffer: SharedArrayBuffer, worker: number, spec: SourceLimitSpec) {
    this.#memory = new SourceMemory(buffer);
    this.#worker = worker;
    this.#spec = spec;
    this.#rate = spec.rate === null ? null : new Gcra(spec.rate);
  }

  /** Over all workers. */
  get size(): number {
    return this.#memory.size;
  }

  /** New limits; counts and debts are kept. The prefix lengths must be those of before: others need a new table. */
  update(spec: SourceLimitSpec, now: Instant): void {
    this.#spec = spec;
    this.#rate = spec.rate === null ? null : new Gcra(spec.rate);
    for (let shard = 0; shard < this.#memory.shards; shard++)
      this.#locked(shard, () => this.#adopt(shard, now));
  }

  /** What this client's source has had too much of already; changes nothing. */
  objection(client: IpAddress, now: Instant): SourceObjection | null {
    const hash = this.#hash(client);
    const shard = this.#memory.shardOf(hash);
    this.#memory.lock(shard, this.#worker);
    const objection = this.#objectionTo(shard, this.#memory.find(shard, hash, this.#words), now);
    this.#memory.unlock(shard);
    return objection;
  }

  /** Counts one connection of this client, or says why not. To be released once. */
  enter(client: IpAddress, now: Instant): SourceTicket | SourceObjection {
    const hash = this.#hash(client);
    const shard = this.#memory.shardOf(hash);
    this.#memory.lock(shard, this.#worker);
    const entered = this.#enter(shard, hash, now);
    this.#memory.unlock(shard);
    return typeof entered === 'string' ? entered : { table: this, shard, slot: entered };
  }

  /** @throws RangeError when more is released than was entered: a fault in the caller's accounting. */
  release({ shard, slot }: SourceTicket): void {
    this.#locked(shard, () => {
      const memory = this.#memory;
      memory.count(shard, slot, this.#worker, -1);
      if (memory.connections(shard, slot) > 0) return;
      if (this.#rate === null) memory.remove(shard, slot);
      else memory.rest(shard, slot);
    });
  }

  /** Forgets sources at rest that owe nothing any more, in the next one of the shards. */
  sweep(now: Instant): void {
    const shard = this.#sweeping;
    this.#sweeping = (shard + 1) % this.#memory.shards;
    this.#locked(shard, () => this.#sweepShard(shard, now, SWEEP_PER_LOCK));
  }

  #hash(client: IpAddress): number {
    networkWords(client, client.family === 4 ? this.#spec.prefix4 : this.#spec.prefix6, this.#words);
    return this.#memory.hash(this.#words);
  }

  #locked(shard: number, act: () => void): void {
    this.#memory.lock(shard, this.#worker);
    try {
      act();
    } finally {
      this.#memory.unlock(shard);
    }
  }

  #objectionTo(shard: number, slot: number, now: Instant): SourceObjection | null {
    const { maxConnections } = this.#spec;
    if (maxConnections !== null && slot !== 0 && this.#memory.connections(shard, slot) >= maxConnections) {
      return 'source-limit';
    }
    return this.#rate?.conforms(this.#arrival(shard, slot), now) === false ? 'source-rate' : null;
  }

  #arrival(shard: number, slot: number): Instant {
    return instant(slot === 0 ? this.#memory.forgotten(shard) : this.#memory.arrival(shard, slot));
  }

  #enter(shard: number, hash: number, now: Instant): number | SourceObjection {
    const memory = this.#memory;
    let slot = memory.find(shard, hash, this.#words);
    const objection = this.#objectionTo(shard, slot, now);
    if (objection !== null) return objection;
    const arrival = this.#arrival(shard, slot);
    if (slot === 0) slot = this.#add(shard, hash);
    else if (memory.connections(shard, slot) === 0) memory.rouse(shard, slot);
    // a shard full of sources with connections: six standard deviations off, and refusing is on the safe side
    if (slot === 0) return 'source-limit';
    memory.setArrival(shard, slot, this.#rate?.consume(arrival, now) ?? 0);
    memory.count(shard, slot, this.#worker, 1);
    this.#sweepShard(shard, now, SWEEP_PER_CLIENT);
    return slot;
  }

  #add(shard: number, hash: number): number {
    const slot = this.#memory.add(shard, hash, this.#words);
    if (slot !== 0) return slot;
    this.#evict(shard);
    return this.#memory.add(shard, hash, this.#words);
  }

  #evict(shard: number): void {
    const memory = this.#memory;
    let least = memory.oldest(shard);
    if (least === 0) return;
    let seen = 1;
    for (let slot = memory.newer(shard, least); slot !== 0 && seen < EVICTION_SAMPLE; seen++) {
      if (memory.arrival(shard, slot) < memory.arrival(shard, least)) least = slot;
      slot = memory.newer(shard, slot);
    }
    memory.setForgotten(shard, Math.max(memory.forgotten(shard), memory.arrival(shard, least)));
    this.#forget(shard, least);
  }

  #forget(shard: number, slot: number): void {
    this.#memory.rouse(shard, slot);
    this.#memory.remove(shard, slot);
  }

  #sweepShard(shard: number, now: Instant, budget: number): void {
    for (let left = budget; left > 0; left--) {
      const slot = this.#memory.oldest(shard);
      // what lies behind has come to rest later; its turn comes within one burst's time
      if (slot === 0 || this.#memory.arrival(shard, slot) > now) return;
      this.#forget(shard, slot);
    }
  }

  #adopt(shard: number, now: Instant): void {
    const memory = this.#memory;
    const rate = this.#rate;
    for (const slot of memory.taken(shard)) {
      if (rate !== null) {
        memory.setArrival(shard, slot, rate.adopt(this.#arrival(shard, slot), now));
      } else if (memory.connections(shard, slot) === 0) {
        this.#forget(shard, slot);
      }
    }
    memory.setForgotten(shard, rate === null ? 0 : rate.adopt(instant(memory.forgotten(shard)), now));
  }
}
