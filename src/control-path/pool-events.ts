import { type Duration, formatDuration, type Instant, millis } from '../lib/duration.ts';
import { unreachable } from '../lib/errors.ts';
import type { EventInput } from '../model/event.ts';
import type { ProbeResult, TrafficOutcome } from '../model/health.ts';
import type { AdminState, NoneEligible } from '../model/service.ts';
import { type AgentResult, type AgentState, describeAgent, saysDown } from './agent-check/state.ts';
import type { PassiveState } from './ejection.ts';
import type { Tier } from './eligibility.ts';

/** The pool's events: one place for their wording, levels and fields. */

/** Why an ejection ended. */
export type ReturnReason = 'expired' | 'operator' | 'configuration' | 'cap' | 'last';

const wholeSeconds = (d: number): Duration => millis(Math.max(0, Math.ceil(d / 1_000_000)) * 1_000);

export function backendUp(service: string, backend: string, result: ProbeResult, first: boolean): EventInput {
  const message = `${service}: backend ${backend} is up (${result.detail})`;
  return {
    level: 'info',
    name: 'backend.up',
    message,
    fields: { service, backend, first, detail: result.detail },
  };
}

export function backendDown(
  service: string,
  backend: string,
  result: ProbeResult,
  heldUntil: Instant | null,
  now: Instant,
): EventInput {
  const held =
    heldUntil === null ? '' : `; flapping, held down for ${formatDuration(wholeSeconds(heldUntil - now))}`;
  return {
    level: 'warn',
    name: 'backend.down',
    message: `${service}: backend ${backend} is down (${result.detail})${held}`,
    fields: {
      service,
      backend,
      reason: result.ok ? null : result.reason,
      detail: result.detail,
      flapping: heldUntil !== null,
    },
  };
}

export function backendEjected(
  service: string,
  backend: string,
  outcome: TrafficOutcome,
  state: PassiveState,
  now: Instant,
): EventInput {
  const length = wholeSeconds((state.ejectedUntil ?? now) - now);
  return {
    level: 'warn',
    name: 'backend.ejected',
    message: `${service}: backend ${backend} is ejected for ${formatDuration(length)} (${outcome}, ejection ${state.count})`,
    fields: { service, backend, reason: outcome, count: state.count, seconds: length / 1_000_000 },
  };
}

export function backendReturned(service: string, backend: string, reason: ReturnReason): EventInput {
  return {
    level: 'info',
    name: 'backend.returned',
    message: `${service}: backend ${backend} returns from ejection (${returnWords(reason)})`,
    fields: { service, backend, reason },
  };
}

function returnWords(reason: ReturnReason): string {
  switch (reason) {
    case 'expired':
      return 'its time is over';
    case 'operator':
      return 'set ready';
    case 'configuration':
      return 'passive checks are off';
    case 'cap':
      return 'fewer backends may be ejected now';
    case 'last':
      return 'no other backend is left';
    default:
      return unreachable(reason);
  }
}

export function backendAdmin(service: string, backend: string, from: AdminState, to: AdminState): EventInput {
  return {
    level: 'info',
    name: 'backend.admin',
    message: `${service}: backend ${backend} is ${to} (was ${from})`,
    fields: { service, backend, from, to },
  };
}

export function backendWeight(
  service: string,
  backend: string,
  from: number,
  to: number,
  by: 'operator' | 'configuration',
): EventInput {
  return {
    level: 'info',
    name: 'backend.weight',
    message: `${service}: backend ${backend} has weight ${to} (was ${from})`,
    fields: { service, backend, from, to, by },
  };
}

export function backendAgent(service: string, backend: string, agent: AgentState): EventInput {
  const less = agent.admin !== 'ready' || saysDown(agent) || agent.weightPercent === 0;
  return {
    level: less ? 'warn' : 'info',
    name: 'backend.agent',
    message: `${service}: the agent of backend ${backend} says ${describeAgent(agent)}`,
    fields: {
      service,
      backend,
      admin: agent.admin,
      state: agent.state,
      reason: agent.reason,
      weight_percent: agent.weightPercent,
      max_connections: agent.maxConnections,
    },
  };
}

/** It began, or ceased, to answer. */
export function agentReach(service: string, backend: string, result: AgentResult): EventInput {
  const message = result.ok
    ? `${service}: the agent of backend ${backend} answers again`
    : `${service}: the agent of backend ${backend} does not answer (${result.detail}); what it said last holds`;
  return {
    level: result.ok ? 'info' : 'warn',
    name: 'backend.agent',
    message,
    fields: { service, backend, answers: result.ok, reason: result.ok ? null : result.reason },
  };
}

export function noneEligible(service: string, tier: Tier, policy: NoneEligible): EventInput {
  const consequence =
    tier === 'fail-open'
      ? 'clients go to primaries regardless of health'
      : tier === 'fail-open-backup'
        ? 'clients go to backups regardless of health'
        : 'new clients are refused';
  return {
    level: tier === 'none' ? 'error' : 'warn',
    name: 'service.none-eligible',
    message: `${service}: no backend is eligible; ${consequence}`,
    fields: { service, policy, refusing: tier === 'none' },
  };
}

export function eligibleAgain(service: string, tier: Tier): EventInput {
  return {
    level: 'info',
    name: 'service.eligible-again',
    message: `${service}: ${tier === 'backup' ? 'a backup' : 'a'} backend is eligible again`,
    fields: { service, backup: tier === 'backup' },
  };
}
