import type { Duration } from '../lib/duration.ts';
import type { Endpoint } from '../lib/ip.ts';

/**
 * HAProxy's agent check: a program beside a backend says in one line what the backend would like. (The
 * "agent" elsewhere in Tandem is the failover agent.)
 */
export interface AgentCheckSpec {
  readonly endpoint: Endpoint;
  readonly interval: Duration;
  /** From connect to the end of the line. */
  readonly timeout: Duration;
  /** Sent as it stands when the connection is there; null for nothing. */
  readonly send: string | null;
}

export const AGENT_ADMIN_WORDS = ['ready', 'drain', 'maint'] as const;
export type AgentAdminWord = (typeof AGENT_ADMIN_WORDS)[number];

export const AGENT_STATE_WORDS = ['up', 'down', 'fail', 'stopped'] as const;
export type AgentStateWord = (typeof AGENT_STATE_WORDS)[number];

/** One line of an agent. What it does not mention is null, and stays as it was. */
export interface AgentReply {
  readonly admin: AgentAdminWord | null;
  readonly state: AgentStateWord | null;
  /** What follows "#"; empty without one. */
  readonly reason: string;
  /** Share of the weight, in per cent, 0 to 25,600. */
  readonly weightPercent: number | null;
  /** 0 is no limit. */
  readonly maxConnections: number | null;
  /** The first word that means nothing, or whose number is wrong; null when all were understood. */
  readonly notUnderstood: string | null;
}
