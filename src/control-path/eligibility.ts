import type { HealthState } from '../model/health.ts';
import type { AdminState, Disposition, NoneEligible } from '../model/service.ts';

/** What decides whether a backend may take clients. */
export interface Standing {
  readonly backup: boolean;
  readonly admin: AdminState;
  /** Configured or set at run time, before slow start. */
  readonly weight: number;
  readonly health: HealthState;
  readonly ejected: boolean;
}

/** Which rule chose the eligible backends. */
export type Tier = 'primary' | 'backup' | 'fail-open' | 'fail-open-backup' | 'none';

/** May the operator's settings alone let it take clients? */
const wanted = (s: Standing): boolean => s.admin === 'ready' && s.weight > 0;

const healthy = (s: Standing): boolean => (s.health === 'up' || s.health === 'unchecked') && !s.ejected;

/** Wanted, healthy and not ejected: eligible unless a better tier serves. */
export const isCandidate = (s: Standing): boolean => wanted(s) && healthy(s);

/** No verdict yet, and the verdict matters. */
export const isUndecided = (s: Standing): boolean => wanted(s) && s.health === 'checking';

/**
 * Healthy primaries; else healthy backups; else what the policy says: "fail-open" takes primaries and
 * "backup" takes backups as if health did not matter. No policy overrides maintenance, draining or
 * weight 0: those are the operator's word, not an observation.
 */
export function chooseTier(standings: readonly Standing[], policy: NoneEligible): Tier {
  if (standings.some((s) => isCandidate(s) && !s.backup)) return 'primary';
  if (standings.some(isCandidate)) return 'backup';
  if (policy === 'fail-open' && standings.some((s) => wanted(s) && !s.backup)) return 'fail-open';
  if (policy === 'backup' && standings.some((s) => wanted(s) && s.backup)) return 'fail-open-backup';
  return 'none';
}

function inTier(s: Standing, tier: Tier): boolean {
  switch (tier) {
    case 'primary':
      return isCandidate(s) && !s.backup;
    case 'backup':
      return isCandidate(s) && s.backup;
    case 'fail-open':
      return wanted(s) && !s.backup;
    case 'fail-open-backup':
      return wanted(s) && s.backup;
    case 'none':
      return false;
  }
}

/** How one backend stands towards clients when `tier` serves. */
export function dispositionOf(s: Standing, tier: Tier): Disposition {
  if (inTier(s, tier)) return 'eligible';
  return s.admin === 'maintenance' || s.health === 'down' || s.ejected ? 'leave' : 'keep';
}
