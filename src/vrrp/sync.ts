import type { VrrpState } from '../model/failover.ts';
import type { Router, RouterInput } from './router.ts';

/**
 * Virtual routers that move together: the IPv4 and the IPv6 router of a group, and all of the groups that
 * name the same `sync`. Each has a state machine of its own, as the RFC has it; this decides what the partners
 * of one must do after it has moved.
 *
 * They become Active when all of them may (a partner that still follows another router holds the others
 * back: one that pulled them along would take addresses from a better router, and lose them again). They
 * leave together: when one cannot serve any more, all go to Initialize until it can; when one yields, all do.
 * A partner that was never able to take part since its start, such as IPv6 where it is switched off, does not
 * count.
 */
export interface SyncMember {
  readonly router: Router;
  /** Its state when the partners were last coordinated. */
  readonly before: VrrpState;
}

export type SyncInput = Extract<RouterInput, { type: 'hold' | 'sync' }>;

/** What to feed to each member, null for nothing. To be repeated until there is nothing left to do. */
export function coordinate(members: readonly SyncMember[]): (SyncInput | null)[] {
  const rules = [holds, departures, arrivals];
  for (const rule of rules) {
    const inputs = rule(members);
    if (inputs.some((input) => input !== null)) return inputs;
  }
  return members.map(() => null);
}

function holds(members: readonly SyncMember[]): (SyncInput | null)[] {
  return members.map(({ router }, index) => {
    const held = members.some((other, i) => i !== index && isImpaired(other.router));
    return held === router.held ? null : { type: 'hold', held };
  });
}

/** By what is wrong with it itself: were `held` counted, two partners would hold each other for ever. */
function isImpaired({ participated, started, linkUp, fit }: Router): boolean {
  return participated && started && !(linkUp && fit);
}

function departures(members: readonly SyncMember[]): (SyncInput | null)[] {
  const left = members.some(({ router, before }) => before === 'Active' && router.state === 'Backup');
  return members.map(({ router }) =>
    left && router.state === 'Active' ? { type: 'sync', to: 'Backup' } : null,
  );
}

function arrivals(members: readonly SyncMember[]): (SyncInput | null)[] {
  const taking = members.filter(({ router }) => router.state !== 'Initialize');
  const ready = taking.every(({ router }) => router.state === 'Active' || router.wants);
  return members.map(({ router }) => (ready && router.wants ? { type: 'sync', to: 'Active' } : null));
}
