/** Frames on the channel between two supervisors: a big-endian 16-bit length, then that many bytes. */

/** Enough for a handover of every group that a configuration may hold; a longer frame ends the session. */
export const MAX_FRAME = 32_768;
const LENGTH_BYTES = 2;

/** The other end does not speak this protocol. */
export class FrameError extends Error {
  constructor(length: number) {
    super(`a frame of ${length} bytes: 1 to ${MAX_FRAME} are allowed`);
    this.name = 'FrameError';
  }
}

/** @throws FrameError when `body` is empty or too long. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  checkLength(body.byteLength);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.byteLength);
  frame.writeUInt16BE(body.byteLength);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Cuts a stream into frames; holds at most one frame and what came with its end. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * @returns the bodies that `chunk` completes
   * @throws FrameError; the reader is of no use after that
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#rest = this.#rest.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const bodies: Uint8Array[] = [];
    while (this.#rest.byteLength >= LENGTH_BYTES) {
      const length = this.#rest.readUInt16BE();
      checkLength(length);
      const end = LENGTH_BYTES + length;
      if (this.#rest.byteLength < end) break;
      bodies.push(this.#rest.subarray(LENGTH_BYTES, end));
      this.#rest = this.#rest.subarray(end);
    }
    return bodies;
  }
}

function checkLength(length: number): void {
  if (length === 0 || length > MAX_FRAME) throw new FrameError(length);
}
