import {
  type Comparison,
  compareReach,
  comparisonPolicy,
  INITIAL_COMPARISON,
} from '../control-path/comparison.ts';
import type { PeerReports } from '../failover/peer/reports.ts';
import type { Clock } from '../lib/clock.ts';
import { toMillis } from '../lib/duration.ts';
import type { Emit } from '../model/event.ts';
import { MAX_WEIGHT, type Standing } from '../model/failover.ts';
import type { Reach } from '../model/peer-report.ts';
import type { ServiceSpec } from '../model/service.ts';

export interface PeerComparisonOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly reports: Pick<PeerReports, 'latest' | 'age'>;
}

export interface PeerStatus {
  /** Milliseconds since the peer's last report; null before the first. */
  readonly reportAgeMillis: number | null;
  /** Backends whose checks pass, here and at the peer; null when not known. */
  readonly reaches: number;
  readonly peerReaches: number | null;
  /** Why this node yields to its peer; null when it does not. */
  readonly yields: string | null;
}

/** Keeps the judgement whether the peer reaches more backends, and tells when it changes. */
export class PeerComparison {
  readonly #options: PeerComparisonOptions;
  #last: Comparison = { state: INITIAL_COMPARISON, reason: null };
  #own: Reach = { digest: '', up: 0 };

  constructor(options: PeerComparisonOptions) {
    this.#options = options;
  }

  get own(): Reach {
    return this.#own;
  }

  /** @returns whether this node yields where it did not, or the other way round. */
  observe(own: Reach, services: readonly ServiceSpec[]): boolean {
    const { clock, reports } = this.#options;
    const before = this.#last.reason !== null;
    this.#own = own;
    const policy = comparisonPolicy(services);
    this.#last = compareReach(this.#last.state, own, reports.latest(), policy, clock.now());
    const after = this.#last.reason !== null;
    if (before !== after) this.#tell();
    return before !== after;
  }

  /** What is against the node already stays as it is. */
  standing(base: Standing): Standing {
    const { reason } = this.#last;
    if (reason === null || base.weight === -MAX_WEIGHT) return base;
    return { fault: base.fault, weight: -MAX_WEIGHT, reason };
  }

  status(): PeerStatus {
    const { reports } = this.#options;
    const age = reports.age();
    return {
      reportAgeMillis: age === null ? null : toMillis(age),
      reaches: this.#own.up,
      peerReaches: reports.latest()?.reach.up ?? null,
      yields: this.#last.reason,
    };
  }

  #tell(): void {
    const { reason } = this.#last;
    const peer = this.#options.reports.latest()?.reach.up ?? null;
    this.#options.emit({
      level: reason === null ? 'info' : 'warn',
      name: 'failover.comparison',
      message:
        reason === null
          ? 'this node reaches as many of the backends as its peer again'
          : `${reason}: yielding the role`,
      fields: { up: this.#own.up, peerUp: peer, yields: reason !== null },
    });
  }
}
