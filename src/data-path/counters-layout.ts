import { SharedFloats } from '../lib/shared-floats.ts';
import { CLOSE_REASONS, REFUSAL_REASONS, SESSION_END_REASONS } from '../model/reason.ts';

/**
 * The one SharedArrayBuffer between the supervisor and the data-path workers.
 *
 *     header   Int32[16]        magic, version, workers, service slots, backend slots
 *     gauges   Int32[G]         what is in use now, over all workers; changed with Atomics only
 *     shares   Int32[G] x W     each worker's part of every gauge
 *     wakes    Int32[W]         a worker sleeps on its own: shared-state.ts has the rest, too
 *     evicts   Int32[S]         which worker is asked to end a UDP session, counted from 1
 *     troubled Int32[B]         1 from a failure on a backend until its next success has been told
 *     arrivals Float64[S]       each service's rate (GCRA)
 *     failures Float64[B]       recent failures of each backend
 *     heads    Float64[S] x W   since when the first in each worker's queue has waited
 *     doors    Float64[S] x W   the same of those who wait to be let in
 *     totals   Float64[T] x W   what has happened; each region has one writer, readers add them up
 *
 *     G: process {connections, descriptors} | S service rows | B backend rows
 *     T: process {lag, heartbeats}          | S service rows | B backend rows
 *
 * A gauge lives twice. The shared cell makes limits exact over all workers and costs a reader one load; the
 * worker's share is what the supervisor gives back when that worker dies. Both are changed back to back with
 * no call or loop between, where V8 does not interrupt a thread, so they cannot part.
 *
 * Totals are plain stores: eight aligned bytes do not tear on the 64-bit machines that Node supports, and a
 * lost update is impossible with a single writer. Float64 counts bytes exactly up to 2^53.
 */
const MAGIC = 0x7a4d_4c42;
const VERSION = 3;
const HEADER_INTS = 16;

export const PROCESS_GAUGES = 2;
export const [CONNECTIONS, FDS] = [0, 1];
export const SERVICE_GAUGES = 2;
export const [S_CONNECTIONS, S_QUEUED] = [0, 1];
export const BACKEND_GAUGES = 1;

export const PROCESS_TOTALS = 2;
export const [LAG, HEARTBEATS] = [0, 1];
export const [ACCEPTED, BYTES_IN, BYTES_OUT, DATAGRAMS_IN, DATAGRAMS_OUT, DATAGRAMS_DROPPED] = [
  0, 1, 2, 3, 4, 5,
];
export const REFUSED = 6;
export const CLOSED = REFUSED + REFUSAL_REASONS.length;
export const SESSIONS_ENDED = CLOSED + CLOSE_REASONS.length;
export const SERVICE_TOTALS = SESSIONS_ENDED + SESSION_END_REASONS.length;
export const [
  CONNECTS,
  CONNECT_ERRORS,
  RETRIES,
  REDISPATCHES,
  B_BYTES_IN,
  B_BYTES_OUT,
  SECONDS,
  SECONDS_COUNT,
] = [0, 1, 2, 3, 4, 5, 6, 7];
export const BACKEND_TOTALS = 8;

export const REFUSAL_INDEX = indexOf(REFUSAL_REASONS);
export const CLOSE_INDEX = indexOf(CLOSE_REASONS);
export const SESSION_END_INDEX = indexOf(SESSION_END_REASONS);

/** How many rows the buffer has; fixed for its life. */
export interface CountersSize {
  readonly workers: number;
  readonly services: number;
  readonly backends: number;
}

/** @throws RangeError unless every size is a whole number from 1 to 65,536. */
export function createCounters(size: CountersSize): SharedArrayBuffer {
  for (const [name, count] of Object.entries(size)) {
    if (!Number.isInteger(count) || count < 1 || count > 65_536) throw new RangeError(`${name}: ${count}`);
  }
  const shape = shapeOf(size);
  const buffer = new SharedArrayBuffer(shape.bytes);
  new Int32Array(buffer, 0, HEADER_INTS).set([MAGIC, VERSION, size.workers, size.services, size.backends]);
  return buffer;
}

/** The views on a buffer. */
export interface CounterMap {
  readonly size: CountersSize;
  readonly gauges: Int32Array;
  readonly shares: readonly Int32Array[];
  readonly wakes: Int32Array;
  readonly evicts: Int32Array;
  readonly troubled: Int32Array;
  readonly arrivals: SharedFloats;
  readonly failures: SharedFloats;
  readonly heads: readonly Float64Array[];
  readonly doors: readonly Float64Array[];
  readonly totals: readonly Float64Array[];
}

interface Shape {
  readonly gauges: number;
  readonly totals: number;
  /** Where the floats begin, in bytes. */
  readonly floatsAt: number;
  readonly bytes: number;
}

function shapeOf({ workers, services, backends }: CountersSize): Shape {
  const gauges = PROCESS_GAUGES + services * SERVICE_GAUGES + backends * BACKEND_GAUGES;
  const totals = PROCESS_TOTALS + services * SERVICE_TOTALS + backends * BACKEND_TOTALS;
  const ints = HEADER_INTS + gauges * (1 + workers) + workers + services + backends;
  const floats = services + backends + 2 * services * workers + totals * workers;
  // Float64Array wants a multiple of 8
  const floatsAt = Math.ceil(ints / 2) * 8;
  return { gauges, totals, floatsAt, bytes: floatsAt + floats * 8 };
}

/** @throws RangeError when the buffer is not one of {@link createCounters}. */
export function mapCounters(buffer: SharedArrayBuffer): CounterMap {
  const header = buffer.byteLength < HEADER_INTS * 4 ? [] : new Int32Array(buffer, 0, HEADER_INTS);
  const [magic, version, workers = 0, services = 0, backends = 0] = header;
  if (magic !== MAGIC || version !== VERSION) throw new RangeError('not a counters buffer of this version');
  const size = { workers, services, backends };
  const { gauges, totals, floatsAt } = shapeOf(size);
  const each = Array.from({ length: workers }, (_, worker) => worker);
  const ints = walker(HEADER_INTS * 4, 4);
  const floats = walker(floatsAt, 8);
  const int32 = (length: number): Int32Array => new Int32Array(buffer, ints(length), length);
  const float64 = (length: number): Float64Array => new Float64Array(buffer, floats(length), length);
  // in the order of the table above
  return {
    size,
    gauges: int32(gauges),
    shares: each.map(() => int32(gauges)),
    wakes: int32(workers),
    evicts: int32(services),
    troubled: int32(backends),
    arrivals: new SharedFloats(buffer, floats(services), services),
    failures: new SharedFloats(buffer, floats(backends), backends),
    heads: each.map(() => float64(services)),
    doors: each.map(() => float64(services)),
    totals: each.map(() => float64(totals)),
  };
}

/** Hands out the offsets of consecutive regions. */
function walker(start: number, width: number): (length: number) => number {
  let at = start;
  return (length) => {
    const offset = at;
    at += length * width;
    return offset;
  };
}

function indexOf<R extends string>(reasons: readonly R[]): Readonly<Record<R, number>> {
  return Object.fromEntries(reasons.map((reason, i) => [reason, i])) as Record<R, number>;
}
