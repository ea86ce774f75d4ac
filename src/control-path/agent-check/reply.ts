import {
  AGENT_ADMIN_WORDS,
  AGENT_STATE_WORDS,
  type AgentAdminWord,
  type AgentReply,
  type AgentStateWord,
} from '../../model/agent-check.ts';

/**
 * The agent's line, as HAProxy reads it (configuration manual, 5.2 "agent-check"):
 *
 *   words between spaces, tabs and commas, in any order and any case, up to the first CR or LF:
 *   "75%"  "maxconn:30"  ready | drain | maint  up | down | fail | stopped  # what comes after is for people
 *
 * Of two words of one kind the last one counts. A line without an end is no line: half of "100%" is "10".
 */
export const MAX_REPLY = 1_024;
/** What people get to see of the agent's text. */
const MAX_SHOWN = 120;
const MAX_CONNECTIONS = 10_000_000;
/** HAProxy's bound: 256 times the smallest weight. */
const MAX_PERCENT = 25_600;

export type AgentLine =
  | { readonly kind: 'more' }
  | { readonly kind: 'reply'; readonly reply: AgentReply }
  /** No line comes any more; `detail` is a phrase for people. */
  | { readonly kind: 'bad'; readonly detail: string };

const LF = 10;
const CR = 13;

/**
 * Looks at what has come so far.
 * @param ended nothing more will come
 */
export function readAgentLine(bytes: Uint8Array, ended: boolean): AgentLine {
  const end = bytes.findIndex((byte) => byte === LF || byte === CR);
  if (end > MAX_REPLY || (end < 0 && bytes.length > MAX_REPLY)) {
    return { kind: 'bad', detail: `a line longer than ${MAX_REPLY} bytes` };
  }
  if (end >= 0)
    return { kind: 'reply', reply: parseReply(Buffer.from(bytes.subarray(0, end)).toString('latin1')) };
  if (!ended) return { kind: 'more' };
  return { kind: 'bad', detail: bytes.length === 0 ? 'closed without a word' : 'an incomplete line' };
}

export function parseReply(line: string): AgentReply {
  let admin: AgentAdminWord | null = null;
  let state: AgentStateWord | null = null;
  let percent: Figure = { word: null, value: null };
  let connections: Figure = { word: null, value: null };
  let unknown: string | null = null;
  let description = '';
  for (const { 0: word, index } of line.matchAll(/[^ \t,]+/g)) {
    if (word.startsWith('#')) {
      description = line.slice(index + 1);
      break;
    }
    const lower = word.toLowerCase();
    const adminWord = AGENT_ADMIN_WORDS.find((known) => known === lower);
    const stateWord = AGENT_STATE_WORDS.find((known) => known === lower);
    if (adminWord !== undefined) admin = adminWord;
    else if (stateWord !== undefined) state = stateWord;
    else if (/^\d/.test(word) && word.includes('%')) percent = { word, value: percentOf(word) };
    else if (lower.startsWith('maxconn:')) connections = { word, value: connectionsOf(word) };
    else unknown ??= word;
  }
  // a figure that is wrong changes nothing, also when a right one came before it
  const wrong =
    [percent, connections].find(({ word, value }) => word !== null && value === null)?.word ?? null;
  return {
    admin,
    state,
    reason: shown(description.trim()),
    weightPercent: percent.value,
    maxConnections: connections.value,
    notUnderstood: unknown === null && wrong === null ? null : shown(unknown ?? wrong ?? ''),
  };
}

interface Figure {
  readonly word: string | null;
  readonly value: number | null;
}

function percentOf(word: string): number | null {
  const digits = /^(\d{1,15})%$/.exec(word)?.[1];
  return digits === undefined ? null : Math.min(MAX_PERCENT, Number(digits));
}

function connectionsOf(word: string): number | null {
  const digits = /^(\d{1,15})$/.exec(word.slice('maxconn:'.length))?.[1];
  return digits === undefined ? null : Math.min(MAX_CONNECTIONS, Number(digits));
}

/** Bytes of somebody else's making: nothing that a terminal or a log would act on, and not too much of it. */
const shown = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_SHOWN);
