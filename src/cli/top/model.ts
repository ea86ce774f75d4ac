import type { BackendStatus, LimitStatus, ServiceStatus, Status } from '../../admin/contract.ts';
import type { TandemEvent } from '../../model/event.ts';

/** What `tandem top` shows: a status and the one before become rows with rates. Pure: times are handed in. */

/** One answer of the daemon. */
export interface Reading {
  readonly status: Status;
  /** Wall-clock milliseconds, for ages. */
  readonly at: number;
  /** Monotonic milliseconds, for rates. */
  readonly ticks: number;
  /** The latest events, oldest first. */
  readonly events: readonly TandemEvent[];
}

/** For each second between two readings. */
export interface Rates {
  /** Clients of a service, connections to a backend. */
  readonly opened: number;
  /** Clients refused by a service, connects to a backend that failed. */
  readonly failed: number;
  /** Bytes. */
  readonly in: number;
  readonly out: number;
}

export type Tone = 'good' | 'bad' | 'warn' | 'accent' | 'dim';

interface RowBase {
  /** "web" or "web/10.0.1.11:8080": what a selection holds on to. */
  readonly key: string;
  readonly name: string;
  readonly service: string;
  readonly state: string;
  readonly tone: Tone;
  readonly connections: number;
  readonly maxConnections: number | null;
  /** Null before the second reading, and right after the daemon or the backend began anew. */
  readonly rates: Rates | null;
}

export interface ServiceRow extends RowBase {
  readonly kind: 'service';
  readonly detail: string;
  readonly eligible: number;
  readonly backends: number;
}

export interface BackendRow extends RowBase {
  readonly kind: 'backend';
  readonly backend: string;
  readonly eligible: boolean;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly total: number;
  readonly stateAgeMillis: number;
  readonly lastCheck: string;
}

export type Row = ServiceRow | BackendRow;

export interface Totals {
  readonly connections: number;
  readonly queued: number;
  readonly rates: Rates | null;
}

export interface Model {
  readonly at: number;
  readonly status: Status;
  /** A service and its backends after it, services in the configured order. */
  readonly rows: readonly Row[];
  readonly totals: Totals;
  /** The fullest first. */
  readonly limits: readonly (LimitStatus & { readonly ratio: number })[];
  readonly events: readonly TandemEvent[];
}

export function modelOf(now: Reading, before: Reading | undefined): Model {
  // counters of another process have another beginning
  const earlier = before?.status.pid === now.status.pid ? before : undefined;
  const seconds = earlier === undefined ? 0 : (now.ticks - earlier.ticks) / 1_000;
  const services = now.status.services.map((service) => {
    const old = earlier?.status.services.find(({ name }) => name === service.name);
    return { service, rows: serviceRows(service, old, seconds) };
  });
  const rates = services.map(({ rows }) => rows[0].rates);
  return {
    at: now.at,
    status: now.status,
    rows: services.flatMap(({ rows }) => rows),
    totals: {
      connections: sum(now.status.services.map(({ connections }) => connections)),
      queued: sum(now.status.services.map(({ queued }) => queued)),
      rates: addUp(rates),
    },
    limits: now.status.limits
      .map((limit) => ({ ...limit, ratio: limit.max > 0 ? limit.used / limit.max : 0 }))
      .sort((one, other) => other.ratio - one.ratio),
    events: now.events,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);

/** Null where nothing is known; a service that is new counts from its second reading on. */
function addUp(all: readonly (Rates | null)[]): Rates | null {
  const known = all.filter((rates) => rates !== null);
  if (known.length === 0) return null;
  return {
    opened: sum(known.map(({ opened }) => opened)),
    failed: sum(known.map(({ failed }) => failed)),
    in: sum(known.map((rates) => rates.in)),
    out: sum(known.map(({ out }) => out)),
  };
}

interface Counters {
  readonly opened: number;
  readonly failed: number;
  readonly in: number;
  readonly out: number;
}

function ratesOf(now: Counters, before: Counters | undefined, seconds: number): Rates | null {
  if (before === undefined || seconds <= 0) return null;
  const since = (name: keyof Counters): number => (now[name] - before[name]) / seconds;
  const rates = {
    opened: since('opened'),
    failed: since('failed'),
    in: since('in'),
    out: since('out'),
  };
  // its row in the shared counters was given to another, or it was removed and added again
  return Math.min(...Object.values(rates)) < 0 ? null : rates;
}

const serviceCounters = (service: ServiceStatus): Counters => ({
  opened: service.accepted,
  failed: sum(Object.values(service.refused)),
  in: service.bytesIn,
  out: service.bytesOut,
});

const backendCounters = (backend: BackendStatus): Counters => ({
  opened: backend.connects,
  failed: backend.connectErrors,
  in: backend.bytesIn,
  out: backend.bytesOut,
});

function serviceRows(
  service: ServiceStatus,
  old: ServiceStatus | undefined,
  seconds: number,
): [ServiceRow, ...Row[]] {
  const eligible = service.backends.filter((backend) => backend.eligible).length;
  const row: ServiceRow = {
    kind: 'service',
    key: service.name,
    name: service.name,
    service: service.name,
    detail: `${service.protocol} ${service.listen.join(' ')}`,
    state: `${eligible}/${service.backends.length} up`,
    tone: eligible === 0 ? 'bad' : eligible < service.backends.length ? 'warn' : 'good',
    eligible,
    backends: service.backends.length,
    connections: service.connections,
    maxConnections: service.maxConnections,
    rates: ratesOf(serviceCounters(service), old === undefined ? undefined : serviceCounters(old), seconds),
  };
  const backends = service.backends.map((backend) => {
    const earlier = old?.backends.find(({ id }) => id === backend.id);
    return backendRow(service.name, backend, earlier, seconds);
  });
  return [row, ...backends];
}

function backendRow(
  service: string,
  backend: BackendStatus,
  old: BackendStatus | undefined,
  seconds: number,
): BackendRow {
  return {
    kind: 'backend',
    key: `${service}/${backend.id}`,
    name: backend.id,
    service,
    backend: backend.id,
    ...stateOf(backend),
    eligible: backend.eligible,
    weight: backend.weight,
    effectiveWeight: backend.effectiveWeight,
    connections: backend.connections,
    maxConnections: backend.maxConnections,
    total: backend.connects,
    stateAgeMillis: backend.stateAgeMillis,
    lastCheck: [backend.lastCheck, agentText(backend)].filter((text) => text !== null).join('; '),
    rates: ratesOf(backendCounters(backend), old === undefined ? undefined : backendCounters(old), seconds),
  };
}

/** Its agent's words, beside the check's. */
function agentText({ agent }: BackendStatus): string | null {
  if (agent === null) return null;
  return `agent: ${agent.said}${agent.fault === null ? '' : ` [${agent.fault}]`}`;
}

/** The one word that matters most: what the operator wants, then what is wrong. */
function stateOf(backend: BackendStatus): { state: string; tone: Tone } {
  const { agent } = backend;
  if (backend.admin === 'maintenance' || agent?.admin === 'maintenance')
    return { state: 'maint', tone: 'warn' };
  if (backend.health === 'down' || agent?.up === false) return { state: 'down', tone: 'bad' };
  if (backend.admin === 'draining' || agent?.admin === 'draining') return { state: 'draining', tone: 'warn' };
  if (backend.ejected) return { state: 'ejected', tone: 'bad' };
  if (backend.health === 'checking') return { state: 'checking', tone: 'warn' };
  if (backend.backup && !backend.eligible) return { state: 'backup', tone: 'dim' };
  if (backend.weight === 0 || agent?.weightPercent === 0) return { state: 'weight 0', tone: 'warn' };
  if (!backend.eligible) return { state: 'unused', tone: 'warn' };
  return { state: backend.health === 'unchecked' ? 'unchecked' : 'up', tone: 'good' };
}

export const SORT_KEYS = ['configured', 'connections', 'new', 'errors', 'in', 'out'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Arrangement {
  readonly sort: SortKey;
  readonly reverse: boolean;
  /** Words that a row must all contain, whatever their case; empty shows everything. */
  readonly filter: string;
}

/**
 * The rows to show: services sorted among themselves, the backends of each below it. A service stays when it
 * matches or one of its backends does; when it matches itself, all of its backends stay.
 */
export function arrange(rows: readonly Row[], { sort, reverse, filter }: Arrangement): Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (row: Row): boolean => {
    const text =
      `${row.key} ${row.state} ${row.kind === 'service' ? row.detail : row.lastCheck}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const blocks: { service: ServiceRow; backends: BackendRow[] }[] = [];
  for (const row of rows) {
    if (row.kind === 'service') blocks.push({ service: row, backends: [] });
    else blocks.at(-1)?.backends.push(row);
  }
  const order = (one: Row, other: Row): number => sortValue(other, sort) - sortValue(one, sort);
  const shown = blocks.flatMap((block) => {
    const backends = matches(block.service) ? block.backends : block.backends.filter(matches);
    if (backends.length === 0 && !matches(block.service)) return [];
    const sorted = backends.toSorted(order);
    return [{ service: block.service, backends: reverse ? sorted.toReversed() : sorted }];
  });
  const sorted = shown.toSorted((one, other) => order(one.service, other.service));
  const blocksInOrder = reverse ? sorted.toReversed() : sorted;
  return blocksInOrder.flatMap(({ service, backends }): Row[] => [service, ...backends]);
}

/** What a column is sorted by, the greatest first; equal ones keep the configured order. */
function sortValue(row: Row, sort: SortKey): number {
  switch (sort) {
    case 'configured':
      return 0;
    case 'connections':
      return row.connections;
    case 'new':
      return row.rates?.opened ?? 0;
    case 'errors':
      return row.rates?.failed ?? 0;
    case 'in':
      return row.rates?.in ?? 0;
    case 'out':
      return row.rates?.out ?? 0;
  }
}
