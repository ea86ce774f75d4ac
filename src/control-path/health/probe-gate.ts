/**
 * Bounds how many probes run at once over all services, so that a thousand hanging backends cannot take
 * the daemon's descriptors. First come, first served; the queue holds at most one entry a backend, because
 * a backend is never probed twice at once.
 */
export class ProbeGate {
  readonly #max: number;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  /** @param max at least 1 */
  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get running(): number {
    return this.#running;
  }

  /**
   * Calls `start` at once or when it is its turn; whoever was started calls `leave` exactly once.
   * The returned function takes back a start that has not come yet, and does nothing afterwards.
   */
  enter(start: () => void): () => void {
    if (this.#running < this.#max) {
      this.#running++;
      start();
      return () => undefined;
    }
    const entry = (): void => start();
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next(); // takes over the place that became free
      return;
    }
    this.#running--;
  }
}
