import type { CounterReader } from './counters.ts';

/**
 * Hands out the rows, on the supervisor's side. A freed row is reused only when nothing in it is in use any
 * more, oldest first, so that a worker that has not heard yet cannot spoil the row of a successor.
 */
export class SlotAllocator {
  readonly #size: number;
  readonly #isIdle: (slot: number) => boolean;
  readonly #clear: (slot: number) => void;
  readonly #taken = new Set<number>();
  /** Never used, then freed ones in the order of their release. */
  #spare: number[];

  private constructor(size: number, isIdle: (slot: number) => boolean, clear: (slot: number) => void) {
    this.#size = size;
    this.#isIdle = isIdle;
    this.#clear = clear;
    this.#spare = Array.from({ length: size }, (_, slot) => slot);
  }

  static services(reader: CounterReader): SlotAllocator {
    return new SlotAllocator(
      reader.size.services,
      (slot) => reader.isServiceIdle(slot),
      (slot) => reader.clearService(slot),
    );
  }

  static backends(reader: CounterReader): SlotAllocator {
    return new SlotAllocator(
      reader.size.backends,
      (slot) => reader.backendConnections(slot) === 0,
      (slot) => reader.clearBackend(slot),
    );
  }

  get size(): number {
    return this.#size;
  }

  get taken(): number {
    return this.#taken.size;
  }

  /** A row of zeros, or undefined when all are taken or still in use. */
  allocate(): number | undefined {
    const at = this.#spare.findIndex(this.#isIdle);
    const [slot] = at < 0 ? [] : this.#spare.splice(at, 1);
    if (slot === undefined) return undefined;
    this.#clear(slot);
    this.#taken.add(slot);
    return slot;
  }

  /** @throws RangeError when the slot is not taken. */
  free(slot: number): void {
    if (!this.#taken.delete(slot)) throw new RangeError(`slot ${slot} is not taken`);
    this.#spare.push(slot);
  }
}
