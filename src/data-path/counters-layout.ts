import { CLOSE_REASONS, REFUSAL_REASONS, SESSION_END_REASONS } from '../model/reason.ts';

/**
 * The one SharedArrayBuffer between the supervisor and the data-path workers.
 *
 *     header   Int32[16]     magic, version, workers, service slots, backend slots
 *     gauges   Int32[G]      what is in use now, over all workers; changed with Atomics only
 *     shares   Int32[G] x W  each worker's part of every gauge
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
const VERSION = 1;
const HEADER_INTS = 16;

export const PROCESS_GAUGES = 2;
export const [CONNECTIONS, FDS] = [0, 1];
export const SERVICE_GAUGES = 3;
export const [S_CONNECTIONS, S_QUEUED, S_SOURCES] = [0, 1, 2];
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
  const buffer = new SharedArrayBuffer(shape.totalsAt + shape.totals * 8 * size.workers);
  new Int32Array(buffer, 0, HEADER_INTS).set([MAGIC, VERSION, size.workers, size.services, size.backends]);
  return buffer;
}

/** The views on a buffer. */
export interface CounterMap {
  readonly size: CountersSize;
  readonly gauges: Int32Array;
  readonly shares: readonly Int32Array[];
  readonly totals: readonly Float64Array[];
}

function shapeOf(size: CountersSize): { gauges: number; totals: number; totalsAt: number } {
  const gauges = PROCESS_GAUGES + size.services * SERVICE_GAUGES + size.backends * BACKEND_GAUGES;
  const totals = PROCESS_TOTALS + size.services * SERVICE_TOTALS + size.backends * BACKEND_TOTALS;
  const ints = HEADER_INTS + gauges * (1 + size.workers);
  // Float64Array wants a multiple of 8
  return { gauges, totals, totalsAt: Math.ceil(ints / 2) * 8 };
}

/** @throws RangeError when the buffer is not one of {@link createCounters}. */
export function mapCounters(buffer: SharedArrayBuffer): CounterMap {
  const header = buffer.byteLength < HEADER_INTS * 4 ? [] : new Int32Array(buffer, 0, HEADER_INTS);
  const [magic, version, workers = 0, services = 0, backends = 0] = header;
  if (magic !== MAGIC || version !== VERSION) throw new RangeError('not a counters buffer of this version');
  const size = { workers, services, backends };
  const shape = shapeOf(size);
  const ints = (block: number): Int32Array =>
    new Int32Array(buffer, (HEADER_INTS + shape.gauges * block) * 4, shape.gauges);
  const indices = Array.from({ length: workers }, (_, worker) => worker);
  return {
    size,
    gauges: ints(0),
    shares: indices.map((worker) => ints(1 + worker)),
    totals: indices.map(
      (worker) => new Float64Array(buffer, shape.totalsAt + worker * shape.totals * 8, shape.totals),
    ),
  };
}

function indexOf<R extends string>(reasons: readonly R[]): Readonly<Record<R, number>> {
  return Object.fromEntries(reasons.map((reason, i) => [reason, i])) as Record<R, number>;
}
