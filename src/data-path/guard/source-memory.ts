/**
 * The memory of a service's sources, shared by all workers: a hash table in shards, each behind a lock of its own.
 *
 *     header    Int32[16]            magic, version, workers, shards, slots a shard, buckets a shard, seed
 *     shards    Int32[8] x N         lock, size, slots ever used, first free, oldest and newest at rest
 *     buckets   Int32[B] x N         first slot of each chain
 *     slots     Int32[F + W] x C x N fields of each source, then its connections in each worker
 *     forgotten Float64[N]           no source forgotten in this shard owes more
 *     arrivals  Float64[C] x N       each source's rate (GCRA)
 *
 * Slots and buckets are numbered within their shard, from 1: memory that was never written says "none". Pages that are
 * never touched cost nothing, so that the table can be made for the most that the descriptors allow.
 *
 * A worker can be ended in the middle of a change. All that cannot be told anew from what each slot holds (its key and
 * each worker's part) are chains, lists and sums, and those the supervisor makes anew before it opens the dead one's
 * lock: `SourceMemory.release`.
 */
const MAGIC = 0x7a4d_5352;
const VERSION = 1;
const HEADER = 16;
const SHARD_INTS = 8;
const [LOCK, SIZE, USED, FREE, OLDEST, NEWEST] = [0, 1, 2, 3, 4, 5];
const [KEY, TAKEN, CONNECTIONS, NEXT, OLDER, NEWER] = [0, 4, 5, 6, 7, 8];
const FIELDS = 9;
/** Tries before a thread sleeps for a moment: a lock is held for about a microsecond, unless its owner is preempted. */
const SPINS = 200;

/** For the supervisor, which must not wait for a worker that will never run again: some tenths of a second. */
const SEIZE_TRIES = SPINS + 200;

export interface SourceMemorySize {
  readonly workers: number;
  /** A power of two. */
  readonly shards: number;
  /** In each shard. */
  readonly slots: number;
}

/** @param seed of the hash, so that nobody outside can choose addresses that meet in one shard */
export function createSourceMemory(size: SourceMemorySize, seed: number): SharedArrayBuffer {
  const { workers, shards, slots } = size;
  if (![1, 2, 4, 8, 16, 32, 64].includes(shards)) throw new RangeError(`shards: ${shards}`);
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError(`slots: ${slots}`);
  const shape = shapeOf(size);
  const buffer = new SharedArrayBuffer(shape.bytes);
  new Int32Array(buffer, 0, HEADER).set([MAGIC, VERSION, workers, shards, slots, shape.buckets, seed]);
  return buffer;
}

function shapeOf({ workers, shards, slots }: SourceMemorySize) {
  // one or two a bucket when it is full
  const buckets = 2 ** Math.max(0, Math.ceil(Math.log2(slots / 2)));
  const ints = HEADER + shards * (SHARD_INTS + buckets + slots * (FIELDS + workers));
  const floatsAt = Math.ceil(ints / 2) * 8;
  return { buckets, ints, floatsAt, bytes: floatsAt + 8 * shards * (1 + slots) };
}

/** Slots and lists of {@link createSourceMemory}, without a meaning for the numbers in them. */
export class SourceMemory {
  readonly workers: number;
  readonly shards: number;
  readonly slots: number;
  readonly #buckets: number;
  /** By shard: the dead workers whose parts are still in it. */
  readonly #owed = new Map<number, Set<number>>();
  readonly #seed: number;
  readonly #ints: Int32Array;
  readonly #forgotten: Float64Array;
  readonly #arrivals: Float64Array;

  /** @throws RangeError when the buffer is not one of {@link createSourceMemory} */
  constructor(buffer: SharedArrayBuffer) {
    const [magic, version, workers = 0, shards = 0, slots = 0, buckets = 0, seed = 0] =
      buffer.byteLength < HEADER * 4 ? [] : new Int32Array(buffer, 0, HEADER);
    if (magic !== MAGIC || version !== VERSION) throw new RangeError('not a source table of this version');
    const { ints, floatsAt } = shapeOf({ workers, shards, slots });
    this.workers = workers;
    this.shards = shards;
    this.slots = slots;
    this.#buckets = buckets;
    this.#seed = seed;
    this.#ints = new Int32Array(buffer, 0, ints);
    this.#forgotten = new Float64Array(buffer, floatsAt, shards);
    this.#arrivals = new Float64Array(buffer, floatsAt + 8 * shards, shards * slots);
  }

  /** Sources in all shards. */
  get size(): number {
    let size = 0;
    for (let shard = 0; shard < this.shards; shard++)
      size += Atomics.load(this.#ints, this.#shard(shard) + SIZE);
    return size;
  }

  /** Murmur3's mixing of the four words. */
  hash(words: Int32Array): number {
    let hash = this.#seed;
    for (let i = 0; i < 4; i++) {
      let k = Math.imul(words[i] ?? 0, 0xcc9e_2d51);
      k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
      hash ^= k;
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  shardOf(hash: number): number {
    return hash & (this.shards - 1);
  }

  /** Waits for the shard. @param owner the worker's number, or `workers` for the supervisor */
  lock(shard: number, owner: number): void {
    const at = this.#shard(shard) + LOCK;
    for (let tries = 0; ; tries++) {
      const holder = Atomics.compareExchange(this.#ints, at, 0, owner + 1);
      if (holder === 0) return;
      if (tries >= SPINS) Atomics.wait(this.#ints, at, holder, 1);
    }
  }

  unlock(shard: number): void {
    Atomics.store(this.#ints, this.#shard(shard) + LOCK, 0);
  }

  // All below: with the shard's lock held

  /** The slot of a source, or 0. */
  find(shard: number, hash: number, words: Int32Array): number {
    const ints = this.#ints;
    let slot = ints[this.#bucket(shard, hash)] ?? 0;
    while (slot !== 0) {
      const at = this.#slot(shard, slot);
      if (
        ints[at] === words[0] &&
        ints[at + 1] === words[1] &&
        ints[at + 2] === words[2] &&
        ints[at + 3] === words[3]
      )
        return slot;
      slot = ints[at + NEXT] ?? 0;
    }
    return 0;
  }

  /** A slot for a new source, neither at rest nor with connections; 0 when all are taken. */
  add(shard: number, hash: number, words: Int32Array): number {
    const ints = this.#ints;
    const head = this.#shard(shard);
    const slot = this.#unused(head);
    if (slot === 0) return 0;
    const at = this.#slot(shard, slot);
    for (let i = 0; i < 4; i++) ints[at + KEY + i] = words[i] ?? 0;
    ints[at + CONNECTIONS] = 0;
    ints[at + OLDER] = 0;
    ints[at + NEWER] = 0;
    const bucket = this.#bucket(shard, hash);
    ints[at + NEXT] = ints[bucket] ?? 0;
    ints[bucket] = slot;
    ints[head + SIZE] = (ints[head + SIZE] ?? 0) + 1;
    ints[at + TAKEN] = 1;
    return slot;
  }

  #unused(head: number): number {
    const ints = this.#ints;
    const free = ints[head + FREE] ?? 0;
    if (free !== 0) {
      ints[head + FREE] = ints[this.#slotAt(head, free) + NEXT] ?? 0;
      return free;
    }
    const used = ints[head + USED] ?? 0;
    if (used >= this.slots) return 0;
    ints[head + USED] = used + 1;
    return used + 1;
  }

  /** Forgets a source that is neither at rest nor has connections. */
  remove(shard: number, slot: number): void {
    const ints = this.#ints;
    const at = this.#slot(shard, slot);
    const hash = this.hash(ints.subarray(at + KEY, at + KEY + 4));
    let link = this.#bucket(shard, hash);
    while (ints[link] !== slot) link = this.#slot(shard, ints[link] ?? 0) + NEXT;
    ints[link] = ints[at + NEXT] ?? 0;
    const head = this.#shard(shard);
    ints[at + TAKEN] = 0;
    ints[at + NEXT] = ints[head + FREE] ?? 0;
    ints[head + FREE] = slot;
    ints[head + SIZE] = (ints[head + SIZE] ?? 0) - 1;
  }

  connections(shard: number, slot: number): number {
    return this.#ints[this.#slot(shard, slot) + CONNECTIONS] ?? 0;
  }

  /** A connection more or less of this worker. @throws RangeError when it has none to give back */
  count(shard: number, slot: number, worker: number, by: 1 | -1): void {
    const ints = this.#ints;
    const at = this.#slot(shard, slot);
    const share = (ints[at + FIELDS + worker] ?? 0) + by;
    if (share < 0) throw new RangeError('a source was released more often than entered');
    ints[at + FIELDS + worker] = share;
    ints[at + CONNECTIONS] = (ints[at + CONNECTIONS] ?? 0) + by;
  }

  arrival(shard: number, slot: number): number {
    return this.#arrivals[shard * this.slots + slot - 1] ?? 0;
  }

  setArrival(shard: number, slot: number, arrival: number): void {
    this.#arrivals[shard * this.slots + slot - 1] = arrival;
  }

  forgotten(shard: number): number {
    return this.#forgotten[shard] ?? 0;
  }

  setForgotten(shard: number, arrival: number): void {
    this.#forgotten[shard] = arrival;
  }

  /** The source that has been at rest for longest, or 0. */
  oldest(shard: number): number {
    return this.#ints[this.#shard(shard) + OLDEST] ?? 0;
  }

  newer(shard: number, slot: number): number {
    return this.#ints[this.#slot(shard, slot) + NEWER] ?? 0;
  }

  /** Puts it last in the list of those at rest. */
  rest(shard: number, slot: number): void {
    const ints = this.#ints;
    const head = this.#shard(shard);
    const at = this.#slot(shard, slot);
    const newest = ints[head + NEWEST] ?? 0;
    ints[at + OLDER] = newest;
    ints[at + NEWER] = 0;
    ints[newest === 0 ? head + OLDEST : this.#slot(shard, newest) + NEWER] = slot;
    ints[head + NEWEST] = slot;
  }

  /** Takes it out of that list. */
  rouse(shard: number, slot: number): void {
    const ints = this.#ints;
    const head = this.#shard(shard);
    const at = this.#slot(shard, slot);
    const [older, newer] = [ints[at + OLDER] ?? 0, ints[at + NEWER] ?? 0];
    ints[older === 0 ? head + OLDEST : this.#slot(shard, older) + NEWER] = newer;
    ints[newer === 0 ? head + NEWEST : this.#slot(shard, newer) + OLDER] = older;
  }

  /** All sources of the shard. */
  *taken(shard: number): Generator<number> {
    const used = this.#ints[this.#shard(shard) + USED] ?? 0;
    for (let slot = 1; slot <= used; slot++) {
      if (this.#ints[this.#slot(shard, slot) + TAKEN] === 1) yield slot;
    }
  }

  /**
   * Gives back what a worker held, once it has ended: the supervisor's part. Chains, lists and sums are made anew, for it
   * may have ended in the middle of changing them.
   */
  release(worker: number): void {
    for (let shard = 0; shard < this.shards; shard++) {
      const dead = (this.#owed.get(shard) ?? new Set<number>()).add(worker);
      this.#owed.set(shard, dead);
      if (!this.#seize(shard, dead)) continue;
      for (const each of dead) this.#rebuild(shard, each);
      this.#owed.delete(shard);
      this.unlock(shard);
    }
  }

  /**
   * Takes a shard's lock, a dead worker's as it is. False when somebody else holds on to it: another worker that has died
   * and whose end the supervisor cannot hear of while it waits here. That one's `release` then makes up for this one.
   */
  #seize(shard: number, dead: ReadonlySet<number>): boolean {
    const at = this.#shard(shard) + LOCK;
    for (let tries = 0; tries < SEIZE_TRIES; tries++) {
      const holder = Atomics.load(this.#ints, at);
      if (holder === 0 || dead.has(holder - 1)) {
        if (Atomics.compareExchange(this.#ints, at, holder, this.workers + 1) === holder) return true;
      } else if (tries >= SPINS) Atomics.wait(this.#ints, at, holder, 1);
    }
    return false;
  }

  #rebuild(shard: number, dead: number): void {
    const ints = this.#ints;
    const head = this.#shard(shard);
    const used = ints[head + USED] ?? 0;
    const first = this.#bucket(shard, 0);
    ints.fill(0, first, first + this.#buckets);
    for (const field of [SIZE, FREE, OLDEST, NEWEST]) ints[head + field] = 0;
    const resting: number[] = [];
    for (let slot = 1; slot <= used; slot++) {
      const at = this.#slot(shard, slot);
      ints[at + FIELDS + dead] = 0;
      let connections = 0;
      for (let worker = 0; worker < this.workers; worker++) connections += ints[at + FIELDS + worker] ?? 0;
      ints[at + CONNECTIONS] = connections;
      const link = ints[at + TAKEN] === 1 ? this.#relink(shard, slot) : head + FREE;
      ints[at + NEXT] = ints[link] ?? 0;
      ints[link] = slot;
      if (link !== head + FREE && connections === 0) resting.push(slot);
    }
    resting.sort((a, b) => this.arrival(shard, a) - this.arrival(shard, b));
    for (const slot of resting) this.rest(shard, slot);
  }

  /** @returns the chain where a source belongs, which is counted */
  #relink(shard: number, slot: number): number {
    const at = this.#slot(shard, slot);
    const size = this.#shard(shard) + SIZE;
    this.#ints[size] = (this.#ints[size] ?? 0) + 1;
    return this.#bucket(shard, this.hash(this.#ints.subarray(at + KEY, at + KEY + 4)));
  }

  #shard(shard: number): number {
    return HEADER + shard * (SHARD_INTS + this.#buckets + this.slots * (FIELDS + this.workers));
  }

  /** The bits of the hash that did not choose the shard. */
  #bucket(shard: number, hash: number): number {
    return this.#shard(shard) + SHARD_INTS + ((hash >>> 6) & (this.#buckets - 1));
  }

  #slot(shard: number, slot: number): number {
    return this.#slotAt(this.#shard(shard), slot);
  }

  #slotAt(head: number, slot: number): number {
    return head + SHARD_INTS + this.#buckets + (slot - 1) * (FIELDS + this.workers);
  }
}
