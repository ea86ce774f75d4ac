import type { FailoverGroupSpec, VirtualRouterStatus } from '../../model/failover.ts';
import type { Condition, GroupIdentity } from '../peer/messages.ts';
import type { TransferRequest } from './taker.ts';

/** What the taker knows of itself. */
export interface TakerView {
  readonly agentState: string;
  readonly groups: readonly FailoverGroupSpec[];
  readonly routers: readonly VirtualRouterStatus[];
  /** Services without an eligible backend here. */
  readonly starved: readonly string[];
}

export const identityOf = ({ vrid, addresses }: FailoverGroupSpec): GroupIdentity => ({
  vrid,
  addresses: addresses.map(({ address }) => address.text).sort(),
});

export function findGroup(
  groups: readonly FailoverGroupSpec[],
  wanted: GroupIdentity,
): FailoverGroupSpec | undefined {
  const key = JSON.stringify(wanted);
  return groups.find((group) => JSON.stringify(identityOf(group)) === key);
}

/** These groups and all that move with them. */
export function withPartners(
  chosen: readonly FailoverGroupSpec[],
  all: readonly FailoverGroupSpec[],
): FailoverGroupSpec[] {
  const syncs = new Set(chosen.flatMap(({ sync }) => (sync === null ? [] : [sync])));
  const names = new Set(chosen.map(({ name }) => name));
  return all.filter(({ name, sync }) => names.has(name) || (sync !== null && syncs.has(sync)));
}

/** What the priority of these routers lacks now; a raised one lacks nothing. */
export function shortfallOf(routers: readonly VirtualRouterStatus[]): number {
  return Math.max(0, ...routers.map(({ priority, effectivePriority }) => priority - effectivePriority));
}

/** Why this node should not take these groups over, or null. */
export function objectionTo(request: TransferRequest, view: TakerView): string | null {
  if (view.agentState !== 'running') return `its failover agent is ${view.agentState}`;
  const own: FailoverGroupSpec[] = [];
  for (const wanted of request.groups) {
    const group = findGroup(view.groups, wanted);
    if (group === undefined) {
      return `it has no group with VRID ${wanted.vrid} and the addresses ${wanted.addresses.join(', ')}`;
    }
    own.push(group);
  }
  return (
    own.map((group) => notReady(group, view)).find((why) => why !== null) ??
    partnerLeftBehind(own, view) ??
    (request.force ? null : worsePlaced(own, request.condition, view))
  );
}

function notReady({ name }: FailoverGroupSpec, { routers }: TakerView): string | null {
  const own = routers.filter(({ group }) => group === name);
  if (own.length === 0) return `its group ${name} does not run`;
  const unready = own.find(({ state }) => state !== 'Backup');
  return unready === undefined
    ? null
    : `its group ${name} is ${unready.state}, not Backup: ${unready.explanation}`;
}

/** Partners would move as well, and their connections would not be kept: the nodes are not configured alike. */
function partnerLeftBehind(own: readonly FailoverGroupSpec[], view: TakerView): string | null {
  const names = new Set(own.map(({ name }) => name));
  const partner = withPartners(own, view.groups).find(
    ({ name }) =>
      !names.has(name) && view.routers.some(({ group, state }) => group === name && state === 'Backup'),
  );
  return partner === undefined
    ? null
    : `its group ${partner.name} would move with them (sync = "${partner.sync}"), which is not so on this node`;
}

/** Being as bad as the giver is no reason to move; being as good as configured always is. */
function worsePlaced(
  own: readonly FailoverGroupSpec[],
  giver: Condition,
  { routers, starved }: TakerView,
): string | null {
  const names = new Set(own.map(({ name }) => name));
  const ours = routers.filter(({ group }) => names.has(group));
  const worst = ours.find((router) => shortfallOf([router]) > 0 && shortfallOf([router]) >= giver.shortfall);
  if (worst !== undefined) {
    return `its group ${worst.group} is no better placed (priority ${worst.effectivePriority} instead of ${worst.priority}): ${worst.explanation}`;
  }
  const missing = starved.find((name) => !giver.starved.includes(name.slice(0, 64)));
  return missing === undefined ? null : `its service ${missing} has no eligible backend`;
}
