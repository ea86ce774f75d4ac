/** A quantity over the last five minutes. Pure: takes the time. */

export const WINDOW_MS = 300_000;
/** A status comes about once a second; later than this, nobody knows what was in between. */
export const GAP_MS = 6_000;
const MAX_SAMPLES = 600;

export interface Sample {
  /** Wall-clock milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
}

/** Samples in the order of time, the oldest forgotten. */
export class Series {
  #samples: Sample[] = [];

  /** A clock that was set back begins anew. */
  push(at: number, value: number): void {
    if (at <= (this.#samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY)) this.#samples = [];
    this.#samples.push({ at, value });
    const first = this.#samples.findIndex((sample) => sample.at > at - WINDOW_MS);
    this.#samples = this.#samples.slice(Math.max(first, this.#samples.length - MAX_SAMPLES));
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get last(): number | null {
    return this.#samples.at(-1)?.value ?? null;
  }
}

/** What a counter grew by each second; null when it is not the same counter any more, or too long ago. */
export function rateOf(before: Sample | undefined, after: Sample): number | null {
  if (before === undefined || after.value < before.value) return null;
  const millis = after.at - before.at;
  return millis <= 0 || millis > GAP_MS ? null : ((after.value - before.value) / millis) * 1_000;
}

/** A counter as a series of rates. */
export class RateSeries {
  readonly rates = new Series();
  #before: Sample | undefined;

  push(at: number, total: number): void {
    const sample = { at, value: total };
    const rate = rateOf(this.#before, sample);
    this.#before = sample;
    if (rate !== null) this.rates.push(at, rate);
  }
}
