import { type Instant, toMillis } from '../lib/duration.ts';
import { formatEndpoint } from '../lib/ip.ts';
import type { HealthSpec, HealthState, ProbeResult } from '../model/health.ts';
import type { AdminState, BackendSpec, PoolMember } from '../model/service.ts';
import { type PassiveState, UNTROUBLED } from './ejection.ts';
import type { Standing } from './eligibility.ts';
import { initialTracker, type TrackerState } from './health/tracker.ts';

/** Everything a pool knows of one backend. */
export interface PoolBackend {
  spec: BackendSpec;
  /** null: the service has no active check. */
  tracker: TrackerState | null;
  /** When it joined: the age of "unchecked". */
  added: Instant;
  passive: PassiveState;
  admin: AdminState;
  persistAdmin: boolean;
  /** Set at run time; null: as configured. */
  weight: number | null;
  persistWeight: boolean;
  /** When slow start began; null when it is over or never was. */
  recovered: Instant | null;
}

/** One backend as `status` shows it, without the data path's counters. */
export interface BackendView {
  readonly id: string;
  readonly address: string;
  readonly health: HealthState;
  readonly admin: AdminState;
  readonly eligible: boolean;
  readonly ejected: boolean;
  readonly backup: boolean;
  /** Configured or set at run time. */
  readonly weight: number;
  /** After slow start. */
  readonly effectiveWeight: number;
  readonly maxConnections: number | null;
  /** The last probe's outcome in words; null when there was none. */
  readonly lastCheck: string | null;
  readonly stateAgeMillis: number;
}

/** What the operator set with `--persist`. */
export interface RuntimeBackendState {
  readonly admin: AdminState | null;
  readonly weight: number | null;
}

export function newBackend(
  spec: BackendSpec,
  health: HealthSpec | null,
  kept: RuntimeBackendState | undefined,
  now: Instant,
): PoolBackend {
  return {
    spec,
    tracker: health === null ? null : initialTracker(health.initial, now),
    added: now,
    passive: UNTROUBLED,
    admin: kept?.admin ?? 'ready',
    persistAdmin: kept !== undefined && kept.admin !== null,
    weight: kept?.weight ?? null,
    persistWeight: kept !== undefined && kept.weight !== null,
    recovered: null,
  };
}

/** Configured or set at run time, before slow start. */
export const weightOf = (backend: PoolBackend): number => backend.weight ?? backend.spec.weight;

export const healthOf = (backend: PoolBackend): HealthState => backend.tracker?.health ?? 'unchecked';

export const isEjected = (backend: PoolBackend): boolean => backend.passive.ejectedUntil !== null;

export const standingOf = (backend: PoolBackend): Standing => ({
  backup: backend.spec.backup,
  admin: backend.admin,
  weight: weightOf(backend),
  health: healthOf(backend),
  ejected: isEjected(backend),
});

export function viewOf(backend: PoolBackend, member: PoolMember, now: Instant): BackendView {
  return {
    id: member.id,
    address: formatEndpoint(member.endpoint),
    health: healthOf(backend),
    admin: backend.admin,
    eligible: member.disposition === 'eligible',
    ejected: isEjected(backend),
    backup: backend.spec.backup,
    weight: weightOf(backend),
    effectiveWeight: member.weight,
    maxConnections: member.maxConnections,
    lastCheck: lastCheckOf(backend.tracker, now),
    stateAgeMillis: Math.max(0, Math.round((now - (backend.tracker?.since ?? backend.added)) / 1_000)),
  };
}

function lastCheckOf(tracker: TrackerState | null, now: Instant): string | null {
  if (tracker === null || tracker.last === null) return null;
  const held = tracker.heldUntil === null ? 0 : Math.ceil((tracker.heldUntil - now) / 1_000_000);
  const text = describeResult(tracker.last);
  return held > 0 ? `${text}; flapping, held down for ${held}s more` : text;
}

/** "HTTP 200 in 3.1ms", "connection refused". */
export function describeResult(result: ProbeResult): string {
  return result.ok ? `${result.detail} in ${Number(toMillis(result.latency).toFixed(1))}ms` : result.detail;
}
