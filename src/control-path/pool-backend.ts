import { type Instant, toMillis } from '../lib/duration.ts';
import { formatEndpoint } from '../lib/ip.ts';
import type { HealthSpec, HealthState, ProbeResult } from '../model/health.ts';
import type { AdminState, BackendSpec, PoolMember } from '../model/service.ts';
import {
  type AgentState,
  agentFault,
  describeAgent,
  newAgentState,
  saysDown,
  stricter,
} from './agent-check/state.ts';
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
  /** null: the backend has no agent check. */
  agent: AgentState | null;
  /** The operator's word alone. */
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
  readonly configuredWeight: number;
  /** What of the operator's words outlives a reload. */
  readonly persisted: readonly RuntimeSetting[];
  /** After slow start and the agent's share. */
  readonly effectiveWeight: number;
  readonly maxConnections: number | null;
  /** The last probe's outcome in words; null when there was none. */
  readonly lastCheck: string | null;
  readonly stateAgeMillis: number;
  /** What its agent has said so far; null without an agent check. */
  readonly agent: AgentView | null;
}

export interface AgentView {
  readonly admin: AdminState;
  /** False while it says "down", "fail" or "stopped". */
  readonly up: boolean;
  readonly weightPercent: number;
  /** In place of the configured ceiling; null while it has not said. */
  readonly maxConnections: number | null;
  /** What holds, in its own words: "drain, 75% (reason)". */
  readonly said: string;
  /** Why the last answer counts for nothing, or what in it was not understood; null when all is well. */
  readonly fault: string | null;
}

/** What an operator can set of a backend. */
export type RuntimeSetting = 'state' | 'weight';

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
    agent: spec.agentCheck === null ? null : newAgentState(now),
    admin: kept?.admin ?? 'ready',
    persistAdmin: kept !== undefined && kept.admin !== null,
    weight: kept?.weight ?? null,
    persistWeight: kept !== undefined && kept.weight !== null,
    recovered: null,
  };
}

/** HAProxy's bound, and that of the configuration. */
const MAX_WEIGHT = 256;

/** Configured or set at run time, before the agent's share and slow start. */
export const weightOf = (backend: PoolBackend): number => backend.weight ?? backend.spec.weight;

/** The part of the weight that its agent asks for. */
export const sharedWeight = (backend: PoolBackend): number =>
  backend.agent === null
    ? weightOf(backend)
    : Math.min(MAX_WEIGHT, (weightOf(backend) * backend.agent.weightPercent) / 100);

/** The operator's word or the agent's, whichever lets it do less. */
export const adminOf = (backend: PoolBackend): AdminState =>
  backend.agent === null ? backend.admin : stricter(backend.admin, backend.agent.admin);

/** The configured ceiling, or the agent's in its place; null for none. */
export function ceilingOf({ spec, agent }: PoolBackend): number | null {
  if (agent === null || agent.maxConnections === null) return spec.maxConnections;
  return agent.maxConnections === 0 ? null : agent.maxConnections;
}

/** What the health check says, whatever the agent does. */
export const healthOf = (backend: PoolBackend): HealthState => backend.tracker?.health ?? 'unchecked';

/** Down for its health check or for its agent? */
export const isDown = (backend: PoolBackend): boolean =>
  healthOf(backend) === 'down' || saysDown(backend.agent);

export const isEjected = (backend: PoolBackend): boolean => backend.passive.ejectedUntil !== null;

export const standingOf = (backend: PoolBackend): Standing => ({
  backup: backend.spec.backup,
  admin: adminOf(backend),
  weight: sharedWeight(backend),
  health: isDown(backend) ? 'down' : healthOf(backend),
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
    configuredWeight: backend.spec.weight,
    persisted: [
      ...(backend.persistAdmin ? (['state'] as const) : []),
      ...(backend.persistWeight ? (['weight'] as const) : []),
    ],
    effectiveWeight: member.weight,
    maxConnections: member.maxConnections,
    lastCheck: lastCheckOf(backend.tracker, now),
    stateAgeMillis: Math.max(0, Math.round((now - (backend.tracker?.since ?? backend.added)) / 1_000)),
    agent: agentView(backend.agent),
  };
}

function agentView(agent: AgentState | null): AgentView | null {
  if (agent === null) return null;
  return {
    admin: agent.admin,
    up: !saysDown(agent),
    weightPercent: agent.weightPercent,
    maxConnections: agent.maxConnections,
    said: describeAgent(agent),
    fault: agentFault(agent),
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
