import type { Socket } from 'node:net';

/**
 * Where sockets with `onread` put what they receive. A socket holds on to its buffer until its next read, so
 * one buffer shared by all is safe only for data that is copied out at once: right for the small messages
 * of most connections, and idle ones then cost no buffer at all. A connection that fills the shared buffer
 * is moving bulk and leases one of its own, which is written from without copying; leases are few and bounded.
 */
export class ReadBuffers {
  readonly shared: Buffer;
  readonly #leaseSize: number;
  readonly #maxLeases: number;
  readonly #free: Buffer[] = [];
  #leased = 0;

  /** Sizes in bytes. */
  constructor(options: {
    readonly sharedSize: number;
    readonly leaseSize: number;
    readonly maxLeases: number;
  }) {
    this.shared = Buffer.allocUnsafeSlow(options.sharedSize);
    this.#leaseSize = options.leaseSize;
    this.#maxLeases = options.maxLeases;
  }

  /** Leases given out now. */
  get leased(): number {
    return this.#leased;
  }

  /** A buffer for one connection alone, or null when all are out: use the shared one. */
  lease(): Buffer | null {
    if (this.#leased >= this.#maxLeases) return null;
    this.#leased++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#leaseSize);
  }

  /** Gives a lease back. Nothing may read or write it any more. */
  release(lease: Buffer): void {
    this.#leased--;
    // a burst's memory goes back to the system but for a few that the next one starts with
    if (this.#free.length < 8) this.#free.push(lease);
  }
}

/** Where one socket's next bytes go: the shared buffer or a lease of its own. */
export class Inlet {
  readonly #buffers: ReadBuffers;
  #into: Buffer;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
    this.#into = buffers.shared;
  }

  get into(): Buffer {
    return this.#into;
  }

  /**
   * Passes on what was read into `buffer`, and chooses where the next read goes: a full buffer earns a lease, a small chunk
   * gives it back, so that an idle connection holds none.
   */
  write(length: number, buffer: Uint8Array, to: Socket): void {
    const chunk = buffer.subarray(0, length);
    // A lease is overwritten by the next read. That waits for 'drain' if this write does not complete at once,
    // and 'drain' is certain only for a chunk that reaches the high-water mark.
    const inPlace = buffer !== this.#buffers.shared && length >= to.writableHighWaterMark;
    to.write(inPlace ? chunk : Buffer.from(chunk));
    if (buffer === this.#buffers.shared) {
      if (length === buffer.length) this.#into = this.#buffers.lease() ?? this.#buffers.shared;
    } else if (!inPlace && to.writableLength === 0) {
      this.close();
    }
  }

  /** Gives a lease back; idempotent. Nothing may read or write it any more. */
  close(): void {
    if (this.#into === this.#buffers.shared) return;
    this.#buffers.release(this.#into);
    this.#into = this.#buffers.shared;
  }
}
