import type { DrillReport } from '../admin/contract.ts';
import type { Emit } from '../model/event.ts';

/** As many are remembered as a year of monthly drills has. */
const MAX_KEPT = 16;

export interface DrillEntry extends DrillReport {
  /** Wall-clock milliseconds of the report. */
  readonly time: number;
}

/** The last failovers that were made on purpose, and what was measured. */
export class Drills {
  readonly #emit: Emit;
  readonly #wallMillis: () => number;
  #entries: DrillEntry[] = [];

  constructor(emit: Emit, wallMillis: () => number) {
    this.#emit = emit;
    this.#wallMillis = wallMillis;
  }

  add(report: DrillReport): void {
    this.#entries = [...this.#entries, { ...report, time: this.#wallMillis() }].slice(-MAX_KEPT);
    const { kind, passed, gapMillis, targetMillis, probesLost, connectionsKept, connectionsLost, by } =
      report;
    this.#emit({
      level: passed ? 'info' : 'warn',
      name: 'failover.drill',
      message: `drill (${kind}) ${passed ? 'passed' : 'FAILED'}: ${report.summary}`,
      fields: { kind, passed, gapMillis, targetMillis, probesLost, connectionsKept, connectionsLost, by },
    });
  }

  list(): readonly DrillEntry[] {
    return this.#entries;
  }
}
