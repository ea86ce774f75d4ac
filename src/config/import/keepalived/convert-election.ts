import { Names } from '../names.ts';
import type { SyncGroup, VrrpInstance } from './model.ts';

/** What decides an instance's elections; seconds. */
export interface Election {
  readonly priority: number;
  readonly preempt: boolean;
  readonly preemptDelay: number;
}

/** An instance's sync group as far as it became one. */
export interface Membership {
  readonly sync: SyncGroup;
  /** In Tandem. */
  readonly name: string;
  readonly election: Election;
  readonly hasOwner: boolean;
}

/** keepalived clears both settings where they cannot work, with a warning: so does the import. */
export function electionOf(instance: VrrpInstance): Election {
  const { section, noPreempt, preemptDelay, priority, startsAsMaster } = instance;
  const { journal } = section;
  const delay = section.last('preempt_delay');
  const pointless = startsAsMaster
    ? 'with "state MASTER"'
    : priority === 255
      ? 'with priority 255'
      : undefined;
  if (pointless !== undefined) {
    const text = `keepalived ignores it ${pointless}: left out, write it into the file if it is meant`;
    if (noPreempt !== undefined) journal.remark(noPreempt, 'changed', text);
    if (delay !== undefined && preemptDelay > 0) journal.remark(delay, 'changed', text);
    return { priority, preempt: true, preemptDelay: 0 };
  }
  if (noPreempt === undefined) return { priority, preempt: true, preemptDelay };
  if (delay !== undefined) journal.remark(delay, 'needless', 'it means nothing with nopreempt');
  return { priority, preempt: false, preemptDelay: 0 };
}

/** By instance: its sync group, with the settings that Tandem wants to be the same in all of its members. */
export function convertSyncGroups(
  groups: readonly SyncGroup[],
  instances: readonly VrrpInstance[],
): Map<VrrpInstance, Membership> {
  const names = new Names();
  const memberships = new Map<VrrpInstance, Membership>();
  for (const sync of groups) {
    const members = membersOf(sync, instances, memberships);
    if (members.length === 0) {
      sync.section.journal.remark(sync.section.statement, 'missing', 'left out: it has no instance');
      continue;
    }
    if (sync.weighs) remarkWeighs(sync);
    const membership = {
      sync,
      name: names.take(sync.name),
      election: commonElection(members),
      hasOwner: members.some(({ priority }) => priority === 255),
    };
    for (const member of members) memberships.set(member, membership);
  }
  return memberships;
}

function membersOf(
  { section, members }: SyncGroup,
  instances: readonly VrrpInstance[],
  taken: ReadonlyMap<VrrpInstance, Membership>,
): VrrpInstance[] {
  const { journal } = section;
  const found = members.flatMap(({ item, name }) => {
    journal.read(item);
    const instance = instances.find((each) => each.name === name);
    if (instance !== undefined && !taken.has(instance)) return [instance];
    const why = instance === undefined ? 'there is no such instance' : 'it belongs to an earlier sync group';
    journal.remark(item, 'missing', `left out: ${why}; keepalived ignores it too`);
    return [];
  });
  return [...new Set(found)];
}

function remarkWeighs({ section }: SyncGroup): void {
  for (const statement of section.all('sync_group_tracking_weight', 'global_tracking')) {
    const text =
      "the trackers of each member count for all of them: Tandem's groups of one `sync` share them";
    section.journal.remark(statement, 'changed', text);
  }
}

/**
 * The highest priority; preemption when any of them preempts, for it takes the others along. In keepalived
 * members may differ, which leads to one being pulled by the other.
 */
function commonElection(members: readonly VrrpInstance[]): Election {
  const elections = members.map(electionOf);
  const priorities = elections.map(({ priority }) => priority);
  const owners = priorities.filter((priority) => priority === 255).length;
  const highest = Math.max(...priorities);
  // an owner is one in all of its groups, or in none
  const priority = owners > 0 && owners < priorities.length ? 254 : highest;
  const eager = elections.filter(({ preempt }) => preempt);
  const delays = eager.map(({ preemptDelay }) => preemptDelay);
  const common = {
    priority,
    preempt: eager.length > 0,
    preemptDelay: eager.length > 0 ? Math.min(...delays) : 0,
  };
  members.forEach((member, index) => {
    const own = elections[index];
    if (own !== undefined) remarkDifference(member, own, common);
  });
  return common;
}

function remarkDifference({ section }: VrrpInstance, own: Election, common: Election): void {
  const { journal, statement } = section;
  const partners = 'as its partners in the sync group: they move together';
  const tell = (keyword: string, text: string): void =>
    journal.remark(section.last(keyword) ?? statement, 'changed', `${text}, ${partners}`);
  if (own.priority !== common.priority) tell('priority', `priority ${common.priority}`);
  if (own.preempt !== common.preempt) tell('nopreempt', 'it preempts');
  else if (own.preemptDelay !== common.preemptDelay) {
    tell('preempt_delay', `preempt_delay ${common.preemptDelay} s`);
  }
}
