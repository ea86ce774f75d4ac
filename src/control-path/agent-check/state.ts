import type { Instant } from '../../lib/duration.ts';
import type { AgentReply, AgentStateWord } from '../../model/agent-check.ts';
import type { ProbeFailure } from '../../model/health.ts';
import type { AdminState } from '../../model/service.ts';

/** What came of asking an agent. */
export type AgentResult =
  | { readonly ok: true; readonly reply: AgentReply }
  | { readonly ok: false; readonly reason: ProbeFailure; readonly detail: string };

/** What an agent has said of its backend so far. Pure. */
export interface AgentState {
  /** Its administrative word, beside the operator's: the stricter of the two counts. */
  readonly admin: AdminState;
  /** Its last operational word; null before the first, which counts as up. */
  readonly state: AgentStateWord | null;
  readonly reason: string;
  /** Per cent of the weight that is configured or set at run time. */
  readonly weightPercent: number;
  /** In place of the configured ceiling: 0 for none; null while the agent has not said. */
  readonly maxConnections: number | null;
  /** When `admin` or `state` last changed. */
  readonly since: Instant;
  readonly last: AgentResult | null;
}

export const newAgentState = (now: Instant): AgentState => ({
  admin: 'ready',
  state: null,
  reason: '',
  weightPercent: 100,
  maxConnections: null,
  since: now,
  last: null,
});

const ADMIN = { ready: 'ready', drain: 'draining', maint: 'maintenance' } as const;

export const saysDown = (agent: AgentState | null): boolean =>
  agent !== null && agent.state !== null && agent.state !== 'up';

export interface AgentStep {
  readonly state: AgentState;
  /** Worth an event. A weight that follows the load is not, but when it takes the last clients or gives them back. */
  readonly news: boolean;
  /** It began, or ceased, to answer; null when neither. */
  readonly reach: 'lost' | 'found' | null;
}

/**
 * Takes an answer. What it does not mention is not changed, and no answer changes nothing at all: that the
 * backend can be reached is the health check's business.
 */
export function hearAgent(before: AgentState, result: AgentResult, now: Instant): AgentStep {
  const answered = before.last === null || before.last.ok;
  const reach = result.ok === answered ? null : result.ok ? 'found' : 'lost';
  if (!result.ok) return { state: { ...before, last: result }, news: false, reach };
  const { reply } = result;
  const admin = reply.admin === null ? before.admin : ADMIN[reply.admin];
  const word = reply.state ?? before.state;
  const turned = admin !== before.admin || word !== before.state;
  const state: AgentState = {
    admin,
    state: word,
    reason: reply.state === null ? before.reason : reply.reason,
    weightPercent: reply.weightPercent ?? before.weightPercent,
    maxConnections: reply.maxConnections ?? before.maxConnections,
    since: turned ? now : before.since,
    last: result,
  };
  const news =
    admin !== before.admin ||
    (word !== before.state && !(before.state === null && word === 'up')) ||
    state.maxConnections !== before.maxConnections ||
    (state.weightPercent === 0) !== (before.weightPercent === 0);
  return { state, news, reach };
}

const STRICTNESS: readonly AdminState[] = ['ready', 'draining', 'maintenance'];

/** The operator's word and the agent's: neither takes the other's back. */
export const stricter = (one: AdminState, other: AdminState): AdminState =>
  STRICTNESS.indexOf(one) >= STRICTNESS.indexOf(other) ? one : other;

/** "drain, up, 75%, maxconn:30 (load 12)", as the agent would write what holds now. */
export function describeAgent({ admin, state, weightPercent, maxConnections, reason }: AgentState): string {
  const words = [
    ...(admin === 'ready' ? [] : [admin === 'draining' ? 'drain' : 'maint']),
    ...(state === null ? [] : [state]),
    ...(weightPercent === 100 ? [] : [`${weightPercent}%`]),
    ...(maxConnections === null ? [] : [`maxconn:${maxConnections}`]),
  ];
  const said = words.length === 0 ? 'ready' : words.join(', ');
  return reason === '' ? said : `${said} (${reason})`;
}

/** The last answer's fault in words; null when there is none. */
export function agentFault({ last }: AgentState): string | null {
  if (last === null) return null;
  if (!last.ok) return last.detail;
  return last.reply.notUnderstood === null ? null : `not understood: ${last.reply.notUnderstood}`;
}
