import type { LimitName } from '../../model/reason.ts';

/** How much of a limit is used now. */
export interface LimitReading {
  readonly name: LimitName;
  /** Service, or service/backend; null for the process. */
  readonly subject: string | null;
  readonly used: number;
  readonly max: number;
}

export interface LimitEdge {
  readonly edge: 'warning' | 'cleared';
  readonly reading: LimitReading;
}

/** A warning is over when the share is below this part of the threshold, so that it does not flap. */
const CLEAR_AT = 0.9;

/** Turns readings into warnings before a ceiling is reached, and into the end of them. */
export class LimitWatch {
  #warnAt: number;
  #warned = new Map<string, LimitReading>();

  /** @param warnAt share of a limit, above 0 up to 1 */
  constructor(warnAt: number) {
    this.#warnAt = warnAt;
  }

  update(warnAt: number): void {
    this.#warnAt = warnAt;
  }

  /** Takes all limits at once; one that is no longer among them is cleared (and forgotten). */
  observe(readings: readonly LimitReading[]): LimitEdge[] {
    const edges: LimitEdge[] = [];
    const warned = new Map<string, LimitReading>();
    for (const reading of readings) {
      const key = `${reading.name} ${reading.subject ?? ''}`;
      const before = this.#warned.delete(key);
      const high = isHigh(reading, before ? this.#warnAt * CLEAR_AT : this.#warnAt);
      if (high) warned.set(key, reading);
      if (high !== before) edges.push({ edge: high ? 'warning' : 'cleared', reading });
    }
    for (const gone of this.#warned.values()) edges.push({ edge: 'cleared', reading: { ...gone, used: 0 } });
    this.#warned = warned;
    return edges;
  }
}

function isHigh(reading: LimitReading, share: number): boolean {
  // a limit of 0 admits nobody: nothing to warn of
  return reading.max > 0 && reading.used >= reading.max * share;
}
