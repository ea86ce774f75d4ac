import type { ClientKey, LoadReader, Scheduler } from '../../src/data-path/scheduler/types.ts';
import { type IpAddress, parseEndpoint, parseIp } from '../../src/lib/ip.ts';
import type { PoolMember, ScheduleSpec } from '../../src/model/service.ts';

export function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

export function member(slot: number, part: Partial<PoolMember> = {}): PoolMember {
  const endpoint = parseEndpoint(`10.0.${slot >> 8}.${slot & 255}:8080`);
  if (endpoint === undefined) throw new Error(`no endpoint for slot ${slot}`);
  const id = `${endpoint.address.text}:${endpoint.port}`;
  return { id, slot, endpoint, weight: 1, maxConnections: null, disposition: 'eligible', ...part };
}

/** Members "A", "B", "C"... in slots 0, 1, 2... with these weights. */
export function lettered(...weights: number[]): PoolMember[] {
  return weights.map((weight, slot) => member(slot, { id: String.fromCharCode(65 + slot), weight }));
}

export const schedule = (part: Partial<ScheduleSpec> & Pick<ScheduleSpec, 'algorithm'>): ScheduleSpec => ({
  hashKey: 'source',
  tableSize: 251,
  balanceFactor: null,
  ...part,
});

export function client(source = '192.0.2.1', sourcePort = 40_000): ClientKey {
  return { source: ip(source), sourcePort, destination: ip('10.0.0.100'), destinationPort: 80 };
}

/** The n-th of many different clients. */
export function nthClient(n: number): ClientKey {
  return client(`10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
}

/** Loads that a test sets by slot. */
export class TestLoad implements LoadReader {
  readonly connections: number[];
  readonly failures: number[] = [];

  constructor(...connections: number[]) {
    this.connections = connections;
  }

  active(slot: number): number {
    return this.connections[slot] ?? 0;
  }

  recentFailures(slot: number): number {
    return this.failures[slot] ?? 0;
  }
}

/** A picks B, C... as text; "-" where nobody was left. */
export function picks(
  scheduler: Scheduler,
  count: number,
  load: LoadReader = new TestLoad(),
  exclude: ReadonlySet<string> | null = null,
): string {
  return Array.from({ length: count }, () => scheduler.pick(client(), load, exclude)?.id ?? '-').join('');
}

/** A repeatable random source in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
