import type { Emit } from '../model/event.ts';

/** Seconds between two events of one reason. */
const QUIET = 10;

/** Refusals that say that somebody tries something; a page that has no token yet asks without one. */
const TOLD: ReadonlySet<string> = new Set(['wrong-token', 'throttled', 'foreign-host', 'foreign-origin']);

/** Tells of refused requests, but not so often that whoever sends them could flood the log. */
export class DenialReport {
  readonly #emit: Emit;
  /** For each reason that has occurred: when it was last told, and refusals since. */
  readonly #reasons = new Map<string, { told: number; since: number }>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** @param now seconds, of any clock that only goes forward */
  denied(reason: string, address: string, now: number): void {
    if (!TOLD.has(reason)) return;
    const last = this.#reasons.get(reason);
    if (last !== undefined && now - last.told < QUIET) {
      last.since++;
      return;
    }
    const more = last?.since ?? 0;
    this.#reasons.set(reason, { told: now, since: 0 });
    this.#emit({
      level: 'warn',
      name: 'admin.denied',
      message: `${address} over HTTP: ${reason}${more === 0 ? '' : `; ${more} more before`}`,
      fields: { address, reason, more },
    });
  }
}
