import type { BackendStatus } from '../admin/contract.ts';
import type { Mark } from './mark.ts';

/** How a backend is doing, in a word: what keeps clients away comes first. Pure. */
export function markOf(backend: BackendStatus): Mark {
  if (backend.admin === 'maintenance') return { word: 'maintenance', icon: 'wrench', tone: 'warn' };
  if (backend.health === 'down') return { word: 'down', icon: 'cross', tone: 'bad' };
  const agent = markOfAgent(backend.agent);
  if (agent?.tone === 'bad') return agent;
  if (backend.admin === 'draining') return { word: 'draining', icon: 'drain', tone: 'warn' };
  if (agent !== null) return agent;
  if (backend.ejected) {
    const title = 'taken out for what its traffic showed; it comes back by itself';
    return { word: 'ejected', icon: 'bolt', tone: 'bad', title };
  }
  if (backend.health === 'checking') return { word: 'checking', icon: 'dots', tone: 'info' };
  if (backend.backup && !backend.eligible) {
    return { word: 'standby', icon: 'pause', tone: 'idle', title: 'a backup: used when no other is left' };
  }
  if (backend.health === 'unchecked') return { word: 'unchecked', icon: 'circle', tone: 'idle' };
  return { word: 'up', icon: 'check', tone: 'ok' };
}

/** What the program beside the backend wants, when that keeps clients away. */
function markOfAgent(agent: BackendStatus['agent']): Mark | null {
  if (agent === null) return null;
  if (!agent.up) return { word: 'down by agent', icon: 'cross', tone: 'bad', title: agent.said };
  if (agent.admin === 'ready') return null;
  return { word: `${agent.admin} by agent`, icon: 'drain', tone: 'warn', title: agent.said };
}

/** What the last health check and the agent have said. */
export function saidOf({ lastCheck, agent }: BackendStatus): string {
  const said = agent === null ? [] : [`agent: ${agent.fault ?? agent.said}`];
  return [...(lastCheck === null ? [] : [lastCheck]), ...said].join('; ') || '–';
}

/** The rest of what is to be said of its state. */
export function notesOf(backend: BackendStatus): string[] {
  const word = markOf(backend).word;
  return [
    ...(backend.backup && word !== 'standby' ? ['backup'] : []),
    ...(backend.admin === 'draining' && word !== 'draining' ? ['draining'] : []),
    ...(backend.ejected && word !== 'ejected' ? ['ejected'] : []),
    ...(backend.persisted.length > 0 ? ['persisted'] : []),
  ];
}

/** Trouble first, otherwise as configured. */
const urgency = (backend: BackendStatus): number => {
  const { tone } = markOf(backend);
  return tone === 'bad' ? 0 : tone === 'warn' || tone === 'info' ? 1 : 2;
};

/** Up to `limit` backends: all of them when they fit, those in trouble first when not. */
export function shownBackends(backends: readonly BackendStatus[], limit: number): readonly BackendStatus[] {
  if (backends.length <= limit) return backends;
  return [...backends].sort((a, b) => urgency(a) - urgency(b)).slice(0, limit);
}
