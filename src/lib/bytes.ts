/** Thrown by {@link ByteReader} when a message ends before the field does. */
export class TruncatedError extends Error {
  constructor(wanted: number, available: number) {
    super(`message truncated: ${wanted} more bytes wanted, ${available} available`);
    this.name = 'TruncatedError';
  }
}

/** Reads big-endian fields and never past the end: everything from the network goes through one of these. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** A view of the next `length` bytes (not a copy). */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): number {
    if (length < 0 || length > this.remaining) throw new TruncatedError(length, this.remaining);
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

/** Writes big-endian fields into a buffer that grows; `finish` returns exactly what was written. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #offset = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get offset(): number {
    return this.#offset;
  }

  u8(value: number): this {
    const start = this.#reserve(1);
    this.#view.setUint8(start, value);
    return this;
  }

  u16(value: number): this {
    const start = this.#reserve(2);
    this.#view.setUint16(start, value);
    return this;
  }

  u32(value: number): this {
    const start = this.#reserve(4);
    this.#view.setUint32(start, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const start = this.#reserve(value.byteLength);
    this.#bytes.set(value, start);
    return this;
  }

  /** Overwrites a field written earlier, for lengths and checksums. */
  patchU16(offset: number, value: number): this {
    this.#view.setUint16(offset, value);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#offset);
  }

  /** May replace the view: call it before the view is read. */
  #reserve(length: number): number {
    const start = this.#offset;
    const needed = start + length;
    if (needed > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.byteLength * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#offset = needed;
    return start;
  }
}
