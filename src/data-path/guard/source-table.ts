import { type Instant, instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { SourceLimitSpec } from '../../model/service.ts';
import { type NetworkKey, networkKey } from './network-key.ts';
import { Gcra, UNUSED } from './rate-limit.ts';

/** What is known of one client network. Held by the connections of that network until they end. */
export interface SourceEntry {
  readonly key: NetworkKey;
  connections: number;
  /** Its {@link Gcra} bucket. */
  arrival: Instant;
}

/** How many sources without a connection are remembered for their rate, beside those that have one. */
export const RESTING_SOURCES = 65_536;

/** Of the sources longest at rest, so many are looked at to find the one that owes least. */
const EVICTION_SAMPLE = 8;

/** Expired sources thrown away with each client, so that the work never piles up. */
const SWEEP_PER_CLIENT = 2;

/**
 * Connections and rate for each client network.
 *
 * A source with connections is never forgotten: their number is bounded by the connections themselves. One
 * without rests until its burst is whole again, when forgetting it changes nothing. Should the table be full
 * before that, a source is evicted early, and so that nobody can wash off a debt by pushing itself out with
 * thousands of other addresses, newcomers then start with the largest debt ever evicted (the idea of the
 * Space-Saving sketch, Metwally et al. 2005: unknown keys inherit the bound of what was thrown away). A source
 * never gets more than its rate that way; under such a flood, strangers wait at most until that debt is over.
 */
export class SourceTable {
  #spec: SourceLimitSpec | null;
  #rate: Gcra | null;
  #capacity: number;
  #live = new Map<NetworkKey, SourceEntry>();
  /** In the order in which they came to rest. */
  #resting = new Map<NetworkKey, SourceEntry>();
  /** No forgotten source owes more than this. */
  #forgotten: Instant = UNUSED;

  constructor(spec: SourceLimitSpec | null, capacity: number) {
    this.#spec = spec;
    this.#rate = spec?.rate ? new Gcra(spec.rate) : null;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#live.size + this.#resting.size;
  }

  /** Is there any limit to keep? Otherwise clients need no entry. */
  get isActive(): boolean {
    return this.#spec !== null;
  }

  /**
   * New settings; counts and debts are kept. With other prefix lengths the sources are different ones: counting
   * starts anew, and connections of old are released without effect on the new counts.
   */
  update(spec: SourceLimitSpec | null, capacity: number, now: Instant): void {
    const old = this.#spec;
    const regrouped = old?.prefix4 !== spec?.prefix4 || old?.prefix6 !== spec?.prefix6;
    this.#spec = spec;
    this.#capacity = capacity;
    this.#rate = spec?.rate ? new Gcra(spec.rate) : null;
    if (regrouped) this.clear();
    else this.#adoptRate(now);
  }

  clear(): void {
    this.#live.clear();
    this.#resting.clear();
    this.#forgotten = UNUSED;
  }

  find(client: IpAddress): SourceEntry | undefined {
    const key = this.#keyOf(client);
    return this.#live.get(key) ?? this.#resting.get(key);
  }

  hasRoom(entry: SourceEntry | undefined): boolean {
    const max = this.#spec?.maxConnections ?? null;
    return max === null || (entry?.connections ?? 0) < max;
  }

  conforms(entry: SourceEntry | undefined, now: Instant): boolean {
    return this.#rate === null || this.#rate.conforms(entry?.arrival ?? this.#forgotten, now);
  }

  /** Counts one connection of a client that `find` answered `known` for. */
  enter(client: IpAddress, known: SourceEntry | undefined, now: Instant): SourceEntry {
    const entry = known ?? { key: this.#keyOf(client), connections: 0, arrival: this.#forgotten };
    if (entry.connections === 0) {
      this.#resting.delete(entry.key);
      this.#live.set(entry.key, entry);
    }
    entry.connections += 1;
    if (this.#rate !== null) entry.arrival = this.#rate.consume(entry.arrival, now);
    this.sweep(now, SWEEP_PER_CLIENT);
    this.#shrink();
    return entry;
  }

  /** @throws RangeError when more is released than was entered: a fault in the caller's accounting. */
  release(entry: SourceEntry): void {
    if (entry.connections <= 0) throw new RangeError('a source was released more often than entered');
    entry.connections -= 1;
    if (entry.connections > 0 || this.#live.get(entry.key) !== entry) return;
    this.#live.delete(entry.key);
    if (this.#rate !== null) this.#resting.set(entry.key, entry);
  }

  /** Forgets up to `budget` sources at rest that owe nothing any more. */
  sweep(now: Instant, budget: number): void {
    let left = budget;
    for (const [key, entry] of this.#resting) {
      // what lies behind has come to rest later; its turn comes within one burst's time
      if (left-- === 0 || entry.arrival > now) return;
      this.#resting.delete(key);
    }
  }

  #keyOf(client: IpAddress): NetworkKey {
    const length = client.family === 4 ? this.#spec?.prefix4 : this.#spec?.prefix6;
    return networkKey(client, length ?? 128);
  }

  #shrink(): void {
    while (this.size > this.#capacity && this.#resting.size > 0) {
      let least: SourceEntry | undefined;
      let seen = 0;
      for (const entry of this.#resting.values()) {
        if (least === undefined || entry.arrival < least.arrival) least = entry;
        if (++seen === EVICTION_SAMPLE) break;
      }
      if (least === undefined) return;
      this.#resting.delete(least.key);
      this.#forgotten = instant(Math.max(this.#forgotten, least.arrival));
    }
  }

  #adoptRate(now: Instant): void {
    const rate = this.#rate;
    if (rate === null) {
      this.#resting.clear();
      this.#forgotten = UNUSED;
      return;
    }
    for (const entry of this.#live.values()) entry.arrival = rate.adopt(entry.arrival, now);
    for (const entry of this.#resting.values()) entry.arrival = rate.adopt(entry.arrival, now);
    this.#forgotten = rate.adopt(this.#forgotten, now);
  }
}
