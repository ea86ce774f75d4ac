/**
 * Numbers that several threads read and change. A change is a compare-and-swap of the eight bytes, so that none is
 * lost; a reader takes them in one load, which does not tear on the 64-bit machines that Node supports.
 */
export class SharedFloats {
  readonly #values: Float64Array;
  readonly #bits: BigInt64Array;
  readonly #value = new Float64Array(1);
  readonly #pattern = new BigInt64Array(this.#value.buffer);

  /** @param offset in bytes, a multiple of 8 */
  constructor(buffer: ArrayBufferLike, offset: number, length: number) {
    this.#values = new Float64Array(buffer, offset, length);
    this.#bits = new BigInt64Array(buffer, offset, length);
  }

  get length(): number {
    return this.#values.length;
  }

  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#value[0] = value;
    Atomics.store(this.#bits, index, this.#pattern[0] ?? 0n);
  }

  /**
   * @param change the new value for the present one, or null to leave it; called again when another thread was faster
   * @returns false when it was left as it was
   */
  update(index: number, change: (value: number) => number | null): boolean {
    for (;;) {
      const before = Atomics.load(this.#bits, index);
      this.#pattern[0] = before;
      const next = change(this.#value[0] ?? 0);
      if (next === null) return false;
      this.#value[0] = next;
      if (Atomics.compareExchange(this.#bits, index, before, this.#pattern[0] ?? 0n) === before) return true;
    }
  }
}
