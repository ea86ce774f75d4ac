import type { IpFamily } from '../lib/ip.ts';
import type { TransitionReason, VirtualRouterStatus, VrrpState } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';

/** Transitions kept of each virtual router; the oldest goes first. */
const KEPT = 64;
/** Virtual routers remembered, those that a reload has dropped included. */
const MAX_ROUTERS = 256;

export interface TransitionTotal {
  readonly group: string;
  readonly family: IpFamily;
  readonly vrid: number;
  readonly to: VrrpState;
  readonly reason: TransitionReason;
  readonly count: number;
}

interface Kept {
  readonly records: TransitionRecord[];
  readonly totals: Map<string, TransitionTotal>;
}

/**
 * The supervisor's memory of what its agents went through: it gets each record when it is made, so that
 * neither a restart nor a crash of an agent loses one.
 */
export class TransitionHistory {
  readonly #routers = new Map<string, Kept>();

  add(record: TransitionRecord): void {
    const kept = this.#of(record);
    kept.records.push(record);
    if (kept.records.length > KEPT) kept.records.shift();
    const { group, family, vrid, to, reason } = record;
    const key = `${to} ${reason}`;
    const count = (kept.totals.get(key)?.count ?? 0) + 1;
    kept.totals.set(key, { group, family, vrid, to, reason, count });
  }

  /** Oldest first; null for every group. */
  list(group: string | null): TransitionRecord[] {
    return [...this.#routers.values()]
      .flatMap(({ records }) => records)
      .filter((record) => group === null || record.group === group)
      .sort((a, b) => a.time - b.time);
  }

  /** Since the daemon started, what is no longer kept included. */
  totals(): TransitionTotal[] {
    return [...this.#routers.values()].flatMap(({ totals }) => [...totals.values()]);
  }

  #of({ group, family, vrid }: TransitionRecord): Kept {
    const key = `${group} ${vrid}/${family}`;
    const known = this.#routers.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#routers.keys();
    if (oldest !== undefined && this.#routers.size >= MAX_ROUTERS) this.#routers.delete(oldest);
    const kept: Kept = { records: [], totals: new Map() };
    this.#routers.set(key, kept);
    return kept;
  }
}

/** What the supervisor writes for a virtual router whose agent died, from its last heartbeat. */
export function agentLost(router: VirtualRouterStatus, how: string, time: number): TransitionRecord {
  const { group, family, vrid, interface: device, state, effectivePriority, addresses, peer } = router;
  return {
    group,
    family,
    vrid,
    interface: device,
    time,
    from: state,
    to: 'Initialize',
    reason: 'agent-lost',
    cause: `the failover agent ended with ${how}; the supervisor takes the addresses off`,
    priority: effectivePriority,
    addresses,
    peer: peer && {
      address: peer.address,
      priority: peer.priority,
      intervalMillis: peer.intervalMillis,
      ageMillis: peer.ageMillis,
    },
    activeDown: null,
    requestedBy: null,
    linkUp: true,
    fit: true,
    weight: 0,
    unfitReason: null,
    stall: null,
    supervisorSilenceMillis: 0,
    heartbeatsLost: 0,
    trace: null,
  };
}
