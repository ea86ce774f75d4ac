/** `value`, or the end of the range that it is beyond; with `max` below `min`, `max`. */
export const clamp = <N extends number>(value: N, min: N, max: N): N =>
  Math.min(max, Math.max(min, value)) as N;
