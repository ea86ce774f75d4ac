import { type Instant, instant } from '../../lib/duration.ts';
import type { IpAddress } from '../../lib/ip.ts';
import type { RefusalReason } from '../../model/reason.ts';
import { IpFilter } from './ip-filter.ts';
import { Gcra, UNUSED } from './rate-limit.ts';
import { SourceTable } from './source-table.ts';
import type {
  Admission,
  GuardLimits,
  GuardSpec,
  SharedGauges,
  SharedRates,
  SourcesRef,
  Ticket,
} from './types.ts';

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

export interface GuardOptions {
  /** The service's row in the shared counters. */
  readonly slot: number;
  readonly worker: number;
  readonly spec: GuardSpec;
  readonly limits: GuardLimits;
  readonly sources: SourcesRef | null;
}

/**
 * Decides, for one service in one worker, who gets in. The verdicts stand in the order of REFUSAL_REASONS; the
 * reasons that follow fd-headroom arise later, where a backend is looked for.
 *
 * All verdicts are looked at before any of them takes something: a client that is refused has used up neither
 * rate nor room. All limits and rates hold exactly over all workers: what was looked at is looked at again when it is
 * taken, and given back when another worker was faster with the next.
 */
export class Guard {
  readonly #slot: number;
  readonly #worker: number;
  readonly #gauges: SharedGauges;
  readonly #rates: SharedRates;
  #spec: GuardSpec;
  #limits: GuardLimits;
  #filter: IpFilter;
  #rate: Gcra | null;
  #sources: SourceTable | null = null;
  #generation = 0;

  constructor(
    { slot, worker, spec, limits, sources }: GuardOptions,
    gauges: SharedGauges,
    rates: SharedRates,
  ) {
    this.#slot = slot;
    this.#worker = worker;
    this.#gauges = gauges;
    this.#rates = rates;
    this.#spec = spec;
    this.#limits = limits;
    this.#filter = new IpFilter(spec.allow, spec.deny);
    this.#rate = spec.rate === null ? null : new Gcra(spec.rate);
    this.#setSources(spec, sources, null);
  }

  /** Replaces the settings; who is in stays in and stays counted, and spent rate stays spent. */
  update(spec: GuardSpec, limits: GuardLimits, sources: SourcesRef | null, now: Instant): void {
    this.#spec = spec;
    this.#limits = limits;
    this.#filter = new IpFilter(spec.allow, spec.deny);
    const rate = spec.rate === null ? null : new Gcra(spec.rate);
    this.#rate = rate;
    this.#rates.arrivals.update(this.#slot, (arrival) => rate?.adopt(instant(arrival), now) ?? UNUSED);
    this.#setSources(spec, sources, now);
  }

  #setSources({ sourceLimit }: GuardSpec, ref: SourcesRef | null, now: Instant | null): void {
    if (sourceLimit === null || ref === null) {
      this.#sources = null;
    } else if (this.#sources !== null && this.#generation === ref.generation && now !== null) {
      this.#sources.update(sourceLimit, now);
    } else {
      this.#sources = new SourceTable(ref.buffer, this.#worker, sourceLimit);
    }
    this.#generation = ref?.generation ?? 0;
  }

  /** One client's case. When admitted, `release` the ticket exactly once. */
  admit(client: IpAddress, now: Instant): Admission {
    const objection = this.#objection(client, now) ?? this.#take(now);
    if (objection !== null) return REFUSALS[objection];
    if (this.#sources === null) return ADMITTED_WITHOUT_SOURCE;
    const ticket = this.#sources.enter(client, now);
    if (typeof ticket !== 'string') return { admitted: true, ticket };
    this.#giveBack();
    return REFUSALS[ticket];
  }

  /** The client's connection or session has ended. */
  release(ticket: Ticket): void {
    // the reverse of admit: whoever sees the service empty sees no source either
    ticket?.table.release(ticket);
    this.#gauges.leaveService(this.#slot);
    this.#gauges.leaveProcess();
  }

  /** By the lists of networks alone. */
  permits(client: IpAddress): boolean {
    return this.#filter.permits(client);
  }

  /** What any client would be refused for right now, whoever it is; takes nothing. */
  objection(): RefusalReason | null {
    if (this.#isProcessFull()) return 'process-limit';
    if (this.#isServiceFull()) return 'service-limit';
    return this.#hasHeadroom() ? null : 'fd-headroom';
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
    return this.#filter.permits(client) && this.#excess(client, now) === null;
  }

  /** Housekeeping, several times a second: forgets sources that owe nothing any more. */
  tick(now: Instant): void {
    this.#sources?.sweep(now);
  }

  #objection(client: IpAddress, now: Instant): GuardReason | null {
    if (!this.#filter.permits(client)) return 'deny-list';
    if (this.#isProcessFull()) return 'process-limit';
    if (this.#isServiceFull()) return 'service-limit';
    const excess = this.#excess(client, now);
    if (excess !== null) return excess;
    return this.#hasHeadroom() ? null : 'fd-headroom';
  }

  #hasHeadroom(): boolean {
    return this.#limits.fdLimit - this.#gauges.fdsInUse() >= this.#limits.fdReserve;
  }

  /** What the source, or all sources together, have had too much of already. */
  #excess(client: IpAddress, now: Instant): GuardReason | null {
    const objection = this.#sources?.objection(client, now) ?? null;
    if (objection !== null) return objection;
    const conforms = this.#rate?.conforms(instant(this.#rates.arrivals.get(this.#slot)), now) ?? true;
    return conforms ? null : 'service-rate';
  }

  /** Another worker may have taken the last place since it was looked at. */
  #take(now: Instant): GuardReason | null {
    if (!this.#gauges.tryEnterProcess(this.#limits.maxConnections)) return 'process-limit';
    if (!this.#gauges.tryEnterService(this.#slot, this.#spec.maxConnections)) {
      this.#gauges.leaveProcess();
      return 'service-limit';
    }
    if (this.#takeRate(now)) return null;
    this.#gauges.leaveService(this.#slot);
    this.#gauges.leaveProcess();
    return 'service-rate';
  }

  #takeRate(now: Instant): boolean {
    const rate = this.#rate;
    if (rate === null) return true;
    return this.#rates.arrivals.update(this.#slot, (arrival) =>
      rate.conforms(instant(arrival), now) ? rate.consume(instant(arrival), now) : null,
    );
  }

  /** What `#take` took, when the source had no room any more. */
  #giveBack(): void {
    const rate = this.#rate;
    if (rate !== null) this.#rates.arrivals.update(this.#slot, (arrival) => rate.restore(instant(arrival)));
    this.#gauges.leaveService(this.#slot);
    this.#gauges.leaveProcess();
  }

  #isProcessFull(): boolean {
    return this.#gauges.processConnections() >= this.#limits.maxConnections;
  }

  #isServiceFull(): boolean {
    const max = this.#spec.maxConnections;
    return max !== null && this.#gauges.serviceConnections(this.#slot) >= max;
  }
}
