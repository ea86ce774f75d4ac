import {
  type Configured,
  comparePair,
  type DriftState,
  INITIAL_DRIFT,
  type PairDrift,
  watchDrift,
} from '../control-path/pair-drift.ts';
import type { PeerReports } from '../failover/peer/reports.ts';
import type { Clock } from '../lib/clock.ts';
import { between, toMillis, toSeconds } from '../lib/duration.ts';
import type { Emit } from '../model/event.ts';
import type { NodeSummary } from '../model/peer-report.ts';

export interface PairViewOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly reports: Pick<PeerReports, 'latest' | 'last'>;
  /** This node. Asked at every look at the status: without what costs more. */
  readonly own: () => Configured;
}

export interface PairStatus {
  /** As it last reported itself, however old; null before that, or from a version that does not. */
  readonly peer: NodeSummary | null;
  /** Milliseconds since that report. */
  readonly ageMillis: number | null;
  /** Nothing was heard for so long that it counts as not reached. */
  readonly reachable: boolean;
  /** Where the configurations of both nodes differ; null when that is not known, `driftUnknown` says why. */
  readonly drift: string[] | null;
  readonly driftSeconds: number;
  readonly driftUnknown: string | null;
}

/** What this node knows of the pair as a whole, and tells when both are no longer configured alike. */
export class PairView {
  readonly #options: PairViewOptions;
  #state: DriftState = INITIAL_DRIFT;

  constructor(options: PairViewOptions) {
    this.#options = options;
  }

  /** To be called every second or so. */
  observe(): void {
    const { clock, emit } = this.#options;
    const { state, tell } = watchDrift(this.#state, this.#drift(), clock.now());
    this.#state = state;
    if (tell === null) return;
    emit({
      level: tell === '' ? 'info' : 'warn',
      name: 'failover.pair-drift',
      message:
        tell === ''
          ? 'both nodes are configured alike again'
          : `the nodes of the pair are not configured alike: ${tell}`,
      fields: { differences: tell },
    });
  }

  status(): PairStatus {
    const { clock, reports } = this.#options;
    const { last } = reports;
    const drift = this.#drift();
    const { since } = this.#state;
    return {
      peer: last?.report.node ?? null,
      ageMillis: last === null ? null : toMillis(between(last.at, clock.now())),
      reachable: reports.latest() !== null,
      drift: drift.comparable ? [...drift.sections] : null,
      driftSeconds: since === null ? 0 : toSeconds(between(since, clock.now())),
      driftUnknown: drift.comparable ? null : drift.why,
    };
  }

  #drift(): PairDrift {
    return comparePair(this.#options.own(), this.#options.reports.latest()?.node ?? null);
  }
}
