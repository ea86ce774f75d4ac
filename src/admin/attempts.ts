/** Wrong tokens that one source may send at once, and the seconds after which it may send one more. */
const BURST = 5;
const SECONDS_EACH = 10;
const MAX_SOURCES = 1_024;

/**
 * Holds back whoever sends wrong tokens: after {@link BURST} of them in a row a source waits. What it remembers
 * is bounded: of too many sources, the one that failed longest ago is forgotten. Pure: takes `now` in seconds.
 */
export class Attempts {
  /** When the source's failures will all be forgiven; in the order of their last failure. */
  readonly #until = new Map<string, number>();

  /** Whole seconds until the source may try again; 0 for now. */
  secondsUntil(source: string, now: number): number {
    const forgiven = this.#until.get(source) ?? 0;
    return Math.max(0, Math.ceil(forgiven - now - (BURST - 1) * SECONDS_EACH));
  }

  failed(source: string, now: number): void {
    const forgiven = Math.max(this.#until.get(source) ?? 0, now) + SECONDS_EACH;
    this.#until.delete(source);
    this.#until.set(source, forgiven);
    if (this.#until.size <= MAX_SOURCES) return;
    const oldest = this.#until.keys().next();
    if (oldest.done !== true) this.#until.delete(oldest.value);
  }
}
