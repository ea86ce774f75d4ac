// A stream of bytes that both ends know by its seed alone (xorshift32): what comes back can be checked to the byte.
export class Stream {
  #state;

  constructor(seed) {
    this.#state = seed | 1;
  }

  /** The next `length` bytes. */
  take(length) {
    const bytes = Buffer.allocUnsafe(length);
    let state = this.#state;
    for (let i = 0; i < length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[i] = state & 0xff;
    }
    this.#state = state;
    return bytes;
  }
}

/** A small generator for choices: a run can be told again by its seed. */
export function choices(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    next,
    below: (n) => Math.floor(next() * n),
    of: (list) => list[Math.floor(next() * list.length)],
  };
}
