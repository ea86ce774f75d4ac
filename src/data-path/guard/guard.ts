import type { Instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { RefusalReason } from '../../model/reason.ts';
import { IpFilter } from './ip-filter.ts';
import { Gcra, UNUSED } from './rate-limit.ts';
import { RESTING_SOURCES, type SourceEntry, SourceTable } from './source-table.ts';
import type { Admission, GuardLimits, GuardSpec, SharedGauges, Ticket } from './types.ts';

/** Answers that need no allocation. */
const REFUSALS = {
  'deny-list': { admitted: false, reason: 'deny-list' },
  'process-limit': { admitted: false, reason: 'process-limit' },
  'service-limit': { admitted: false, reason: 'service-limit' },
  'source-limit': { admitted: false, reason: 'source-limit' },
  'source-rate': { admitted: false, reason: 'source-rate' },
  'service-rate': { admitted: false, reason: 'service-rate' },
  'fd-headroom': { admitted: false, reason: 'fd-headroom' },
} as const satisfies Partial<Record<RefusalReason, Admission>>;
type GuardReason = keyof typeof REFUSALS;

const ADMITTED_WITHOUT_SOURCE: Admission = { admitted: true, ticket: null };

/** Most sources that the guard of a service remembers at once: the ceiling of the "source-table" limit. */
export function sourceCapacity(limits: GuardLimits): number {
  return limits.maxConnections + RESTING_SOURCES;
}

/**
 * Decides, for one service in one worker, who gets in. The verdicts stand in the order of REFUSAL_REASONS; the
 * reasons that follow fd-headroom arise later, where a backend is looked for.
 *
 * All verdicts are looked at before any of them takes something: a client that is refused has used up neither
 * rate nor room. Limits of process and service hold exactly over all workers; sources are counted where they
 * arrive, in each worker by itself.
 */
export class Guard {
  readonly #slot: number;
  readonly #gauges: SharedGauges;
  readonly #sources: SourceTable;
  #spec: GuardSpec;
  #limits: GuardLimits;
  #filter: IpFilter;
  #rate: Gcra | null;
  #arrival: Instant = UNUSED;
  #reportedSources = 0;

  /** `slot` is the service's row in the shared counters. */
  constructor(slot: number, spec: GuardSpec, limits: GuardLimits, gauges: SharedGauges) {
    this.#slot = slot;
    this.#gauges = gauges;
    this.#spec = spec;
    this.#limits = limits;
    this.#filter = new IpFilter(spec.allow, spec.deny);
    this.#rate = spec.rate === null ? null : new Gcra(spec.rate);
    this.#sources = new SourceTable(spec.sourceLimit, sourceCapacity(limits));
  }

  /** Replaces the settings; who is in stays in and stays counted, and spent rate stays spent. */
  update(spec: GuardSpec, limits: GuardLimits, now: Instant): void {
    this.#spec = spec;
    this.#limits = limits;
    this.#filter = new IpFilter(spec.allow, spec.deny);
    this.#rate = spec.rate === null ? null : new Gcra(spec.rate);
    this.#arrival = this.#rate?.adopt(this.#arrival, now) ?? UNUSED;
    this.#sources.update(spec.sourceLimit, sourceCapacity(limits), now);
    this.#reportSources();
  }

  /** One client's case. When admitted, `release` the ticket exactly once. */
  admit(client: IpAddress, now: Instant): Admission {
    const known = this.#sources.isActive ? this.#sources.find(client) : undefined;
    const objection = this.#objection(client, known, now) ?? this.#take();
    if (objection !== null) return REFUSALS[objection];
    if (this.#rate !== null) this.#arrival = this.#rate.consume(this.#arrival, now);
    if (!this.#sources.isActive) return ADMITTED_WITHOUT_SOURCE;
    const ticket = this.#sources.enter(client, known, now);
    this.#reportSources();
    return { admitted: true, ticket };
  }

  /** The client's connection or session has ended. */
  release(ticket: Ticket): void {
    this.#gauges.leaveService(this.#slot);
    this.#gauges.leaveProcess();
    if (ticket === null) return;
    this.#sources.release(ticket);
    this.#reportSources();
  }

  /** Would a client be refused because of the process's or the service's limit? For `on_limit = "wait"`. */
  isFull(): boolean {
    return this.#isProcessFull() || this.#isServiceFull();
  }

  /**
   * For a caller that can make room by ending something older: is room all that this client lacks? Otherwise a
   * source beyond its own limits could push others out without getting in itself.
   */
  lacksOnlyRoom(client: IpAddress, now: Instant): boolean {
    const known = this.#sources.isActive ? this.#sources.find(client) : undefined;
    return this.#filter.permits(client) && this.#excess(known, now) === null;
  }

  /** Housekeeping, about once a second: forgets sources that owe nothing any more. */
  tick(now: Instant): void {
    this.#sources.sweep(now, RESTING_SOURCES);
    this.#reportSources();
  }

  /** Gives back what the guard itself holds in the shared gauges; tickets are to be released before. */
  close(): void {
    this.#sources.clear();
    this.#reportSources();
  }

  #objection(client: IpAddress, known: SourceEntry | undefined, now: Instant): GuardReason | null {
    if (!this.#filter.permits(client)) return 'deny-list';
    if (this.#isProcessFull()) return 'process-limit';
    if (this.#isServiceFull()) return 'service-limit';
    const excess = this.#excess(known, now);
    if (excess !== null) return excess;
    if (this.#limits.fdLimit - this.#gauges.fdsInUse() < this.#limits.fdReserve) return 'fd-headroom';
    return null;
  }

  /** What the source, or all sources together, have had too much of already. */
  #excess(known: SourceEntry | undefined, now: Instant): GuardReason | null {
    if (this.#sources.isActive) {
      if (!this.#sources.hasRoom(known)) return 'source-limit';
      if (!this.#sources.conforms(known, now)) return 'source-rate';
    }
    if (this.#rate !== null && !this.#rate.conforms(this.#arrival, now)) return 'service-rate';
    return null;
  }

  /** Another worker may have taken the last place since it was looked at. */
  #take(): GuardReason | null {
    if (!this.#gauges.tryEnterProcess(this.#limits.maxConnections)) return 'process-limit';
    if (this.#gauges.tryEnterService(this.#slot, this.#spec.maxConnections)) return null;
    this.#gauges.leaveProcess();
    return 'service-limit';
  }

  #isProcessFull(): boolean {
    return this.#gauges.processConnections() >= this.#limits.maxConnections;
  }

  #isServiceFull(): boolean {
    const max = this.#spec.maxConnections;
    return max !== null && this.#gauges.serviceConnections(this.#slot) >= max;
  }

  #reportSources(): void {
    const change = this.#sources.size - this.#reportedSources;
    if (change === 0) return;
    this.#reportedSources += change;
    this.#gauges.sources(this.#slot, change);
  }
}
