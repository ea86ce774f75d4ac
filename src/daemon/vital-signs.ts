import type { Status } from '../admin/contract.ts';

/** What a service manager is told of the daemon's health; pure. */

/**
 * What a restart would mend, and nothing else would: a data-path worker that does not turn, an agent that does not run.
 * Both are replaced within seconds when they die; one that stays so for as long as the watchdog waits is beyond that.
 * A node that is unfit for lack of backends, or of descriptors, would be no better after a restart: that is no fault here.
 */
export function vitalFault({ workers, failover }: Pick<Status, 'workers' | 'failover'>): string | null {
  const worker = workers.find(({ state }) => state !== 'running');
  if (worker !== undefined) return `data-path worker ${worker.worker} is ${worker.state}`;
  if (failover !== null && failover.agent !== 'running') return `the failover agent is ${failover.agent}`;
  return null;
}

/** "vrid-51 Active; web 3/3, dns 1/2 backends", what is wrong first: one line for `systemctl status`. */
export function statusLine(status: Pick<Status, 'workers' | 'services' | 'failover'>): string {
  const { services, failover } = status;
  const faults = [vitalFault(status), failover?.unfitReason ?? null];
  const roles = failover === null ? [] : rolesOf(failover.routers);
  const taking = services.map(({ name, backends }) => {
    return `${name} ${backends.filter(({ eligible }) => eligible).length}/${backends.length}`;
  });
  const parts = [
    ...new Set(faults.filter((fault) => fault !== null)),
    roles.join(', '),
    taking.length === 0 ? 'no services' : `${taking.join(', ')} backends`,
  ];
  return parts.filter((part) => part !== '').join('; ');
}

/** A group's two families mostly are in one state, and then it is said once. */
function rolesOf(routers: NonNullable<Status['failover']>['routers']): string[] {
  const states = new Map<string, Set<string>>();
  for (const { group, state } of routers) states.set(group, (states.get(group) ?? new Set()).add(state));
  return [...states].map(([group, all]) => `${group} ${[...all].join('/')}`);
}
