import type { TransitionReason } from '../model/failover.ts';
import { basePriority, effectivePriority, type Router } from './router.ts';

/** Why a router became Active, after "Active: ". */
const WHY_ACTIVE: Readonly<Partial<Record<TransitionReason, string>>> = {
  'address-owner': 'priority 255 owns the addresses',
  'active-down-expired': 'no advertisement from another router within Active_Down_Interval',
  'peer-priority-zero': 'the peer resigned with priority 0',
  preempt: 'preempted a router of lower priority',
  takeover: 'told to take over',
  resumed: 'kept the role over a restart of the agent',
  fit: 'well again, and priority 255 owns the addresses',
  reconfigured: 'the configuration made it the owner of the addresses',
};

/**
 * One sentence for people: why this router is Active or not.
 * @param weightReason why the priority is not the configured one, where that is known
 */
export function explain(router: Router, weightReason: string | null = null): string {
  switch (router.state) {
    case 'Initialize':
      return `Initialize: ${whyInitialize(router)}`;
    case 'Backup':
      return `Backup: ${whyBackup(router)}${priorityNote(router, weightReason)}`;
    case 'Active':
      if (router.parting) return 'Active: resigned; keeps the addresses until another router has them';
      return `Active: ${WHY_ACTIVE[router.reason] ?? router.reason}${priorityNote(router, weightReason)}`;
  }
}

function whyInitialize({ started, linkUp, fit, held, reason }: Router): string {
  if (!started) {
    if (reason === 'supervisor-lost') return 'resigned, because the supervisor fell silent';
    return reason === 'shutdown' ? 'shut down' : 'not started yet';
  }
  if (!linkUp) return 'the link is down';
  if (!fit) return 'this node is not fit to serve';
  return held ? 'a partner that moves with it cannot serve' : 'starting';
}

function whyBackup(router: Router): string {
  const { peer, settings, timers } = router;
  if (router.wants) return 'ready to be Active as soon as the partners that move with it are';
  if (peer === null) return 'listening for an Active router before becoming one';
  const who = peer.source.text;
  const claim = (relation: string): string => `${who} advertises priority ${peer.priority} ${relation}`;
  if (peer.priority === 0) return `${who} resigned; taking over after Skew_Time`;
  const own = basePriority(router);
  if (router.yielded)
    return `handed over to ${who} (priority ${peer.priority}); not preempting while it advertises`;
  if (peer.priority > own) return claim(`> ${own}`);
  if (peer.priority === own) return claim('as this node does');
  if (timers['preempt-delay'] !== null) return `${claim(`< ${own}`)}; the preempt delay is running`;
  if (!settings.preempt) return `${claim(`< ${own}`)}, and preemption is off`;
  return `${claim(`< ${own}`)}; about to preempt it`;
}

function priorityNote(router: Router, weightReason: string | null): string {
  const { settings, raised } = router;
  const own = effectivePriority(router);
  if (own === settings.priority) return '';
  const why = raised === null && weightReason !== null ? ` (${weightReason})` : '';
  return `, with priority ${own} instead of ${settings.priority}${why}`;
}
