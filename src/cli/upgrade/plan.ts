import { coerce, parse, SemVer } from 'semver';
import type { CommandResult, Status } from '../../admin/contract.ts';

/**
 * The steps of a rolling upgrade of the pair as it stands now, so that connections live on: each node is upgraded
 * while it is Backup, and the role moves by planned handovers. Pure: what is known goes in, the plan comes out.
 */

type Failover = NonNullable<Status['failover']>;
type Pair = NonNullable<Failover['pair']>;
export type Role = 'Active' | 'Backup' | 'Active for some groups' | 'Initialize';

export interface UpgradeFacts {
  /** What this node's daemon says. */
  readonly status: Status;
  /** Version of the command that asks: what is installed here. */
  readonly installed: string;
  /** Whether the peer would take over now; null where this node is not Active for anything. */
  readonly inquiry: CommandResult | null;
  /** The version that both are to have; undefined: it is not told. */
  readonly target: string | undefined;
}

export interface NodeState {
  readonly name: string;
  /** That its daemon runs. */
  readonly version: string;
  readonly role: Role;
}

export interface UpgradeCheck {
  /** 'problem': do not begin. 'warning': think first. */
  readonly severity: 'ok' | 'warning' | 'problem';
  readonly seen: string;
  /** What to do about it; null for 'ok'. */
  readonly fix: string | null;
}

export interface UpgradeStep {
  readonly number: number;
  /** The name of the node on which the command is given. */
  readonly on: string;
  readonly what: string;
  readonly command: string;
  readonly done: boolean;
  /** It may be left out. */
  readonly optional: boolean;
}

export interface UpgradePlan {
  /** No problem was found. */
  readonly safe: boolean;
  readonly nodes: readonly NodeState[];
  readonly checks: readonly UpgradeCheck[];
  readonly steps: readonly UpgradeStep[];
}

export function planUpgrade(facts: UpgradeFacts): UpgradePlan {
  const own = ownState(facts.status);
  const peer = peerState(facts.status.failover?.pair ?? null);
  const checks = checksOf(facts, own, peer);
  const nodes = peer === null ? [own] : [own, peer];
  return {
    safe: checks.every(({ severity }) => severity !== 'problem'),
    nodes,
    checks,
    steps: peer === null ? [] : stepsOf(own, peer, facts),
  };
}

const ownState = ({ node, version, failover }: Status): NodeState => ({
  name: node,
  version,
  role: roleOf(failover?.routers ?? []),
});

const peerState = (pair: Pair | null): NodeState | null =>
  pair === null || pair.peer === null
    ? null
    : { name: pair.peer.name, version: pair.peer.version, role: roleOf(pair.peer.routers) };

function roleOf(routers: readonly { readonly state: 'Initialize' | 'Backup' | 'Active' }[]): Role {
  const states = new Set(routers.map(({ state }) => state));
  if (states.has('Active')) return states.size === 1 ? 'Active' : 'Active for some groups';
  return states.has('Backup') ? 'Backup' : 'Initialize';
}

const ok = (seen: string): UpgradeCheck => ({ severity: 'ok', seen, fix: null });
const warning = (seen: string, fix: string): UpgradeCheck => ({ severity: 'warning', seen, fix });
const problem = (seen: string, fix: string): UpgradeCheck => ({ severity: 'problem', seen, fix });

function checksOf(facts: UpgradeFacts, own: NodeState, peer: NodeState | null): UpgradeCheck[] {
  const { failover } = facts.status;
  if (failover === null) {
    return [
      problem(
        'this node has no [failover] section: it is not one of a pair',
        'an upgrade restarts the daemon',
      ),
    ];
  }
  const { pair } = failover;
  if (pair === null) {
    const fix = 'configure [failover.peer] on both nodes; without it a move of the role resets connections';
    return [problem('the nodes do not know each other: there is no [failover.peer]', fix)];
  }
  return [
    ...agentChecks(failover),
    ...peerChecks(pair, peer),
    ...roleChecks(own, peer),
    ...handoverChecks(facts),
    ...driftChecks(pair),
    ...drainChecks(failover),
    ...installedChecks(facts, own),
  ];
}

function agentChecks({ agent, stale, fit, unfitReason }: Failover): UpgradeCheck[] {
  if (agent !== 'running' || stale) {
    return [
      problem(
        `the failover agent here is ${stale ? 'not heard' : agent}`,
        'tandem doctor; tandem failover restart-agent',
      ),
    ];
  }
  if (!fit)
    return [problem(`this node is unfit: ${unfitReason ?? 'unknown'}`, 'tandem status; tandem doctor')];
  return [];
}

function peerChecks({ reachable, ageMillis }: Pair, peer: NodeState | null): UpgradeCheck[] {
  const fix = 'tandem status and tandem doctor on the other node; TCP port 8694 between the nodes';
  if (peer === null) return [problem('the peer has not reported itself yet', fix)];
  if (!reachable) {
    return [
      problem(`the peer ${peer.name} has not been heard for ${Math.round((ageMillis ?? 0) / 1_000)} s`, fix),
    ];
  }
  return [ok(`the peer ${peer.name} answers`)];
}

function roleChecks(own: NodeState, peer: NodeState | null): UpgradeCheck[] {
  return [own, ...(peer === null ? [] : [peer])]
    .filter(({ role }) => role === 'Initialize')
    .map(({ name }) => problem(`${name} takes no part in elections`, `on ${name}: tandem failover explain`));
}

function handoverChecks({ inquiry }: UpgradeFacts): UpgradeCheck[] {
  if (inquiry === null) return [];
  if (inquiry.ok) return [ok('the peer would take over now')];
  return [problem(`no handover now: ${inquiry.message}`, 'tandem failover; tandem doctor on both nodes')];
}

function driftChecks({ drift, driftUnknown }: Pair): UpgradeCheck[] {
  if (drift === null) {
    // in the middle of an upgrade the versions differ, and that is right
    return [
      warning(
        `not known whether both nodes are configured alike: ${driftUnknown ?? 'unknown'}`,
        'tandem diff on both nodes',
      ),
    ];
  }
  if (drift.length === 0) return [ok('both nodes are configured alike')];
  return [
    problem(`not configured alike: ${drift.join(', ')}`, 'correct one of the files, tandem reload there'),
  ];
}

function drainChecks({ drains }: Failover): UpgradeCheck[] {
  return drains.map(({ group, endsInMillis }) =>
    problem(
      `the drain of an earlier handover of ${group} is not over: connections live on the node that gave it away`,
      `wait for up to ${Math.ceil(endsInMillis / 1_000)} s`,
    ),
  );
}

function installedChecks({ installed, target }: UpgradeFacts, own: NodeState): UpgradeCheck[] {
  if (installed !== own.version) {
    return [
      warning(
        `${installed} is installed here, and the daemon still runs ${own.version}`,
        "sudo systemctl restart tandem, when it is this node's turn",
      ),
    ];
  }
  return target !== undefined && own.version === target ? [ok(`this node runs ${target} already`)] : [];
}

/** Who is upgraded first: the node that is Backup, or that is Backup for most. */
function order(own: NodeState, peer: NodeState, facts: UpgradeFacts): readonly [NodeState, NodeState] {
  // half done: the one that is not up to date is left
  if (isDone(own, facts) !== isDone(peer, facts)) return isDone(own, facts) ? [own, peer] : [peer, own];
  const burden = { Active: 2, 'Active for some groups': 1, Backup: 0, Initialize: 0 } as const;
  return burden[own.role] < burden[peer.role] ? [own, peer] : [peer, own];
}

/** Without a target the node with the greater version is the one that was upgraded. */
function isDone(node: NodeState, { target, status }: UpgradeFacts): boolean {
  if (target !== undefined) return node.version === target;
  const versions = [status.version, status.failover?.pair?.peer?.version ?? status.version];
  const [lower = ''] = versions.sort(compareVersions);
  return compareVersions(node.version, lower) > 0;
}

/** As semver.org orders them: 1.9.3-rc.1, 1.9.3, 1.10.0. What is no version at all is the lowest. */
export function compareVersions(a: string, b: string): number {
  const read = (version: string): SemVer => parse(version) ?? coerce(version) ?? new SemVer('0.0.0');
  return read(a).compare(read(b));
}

const INSTALL = 'sudo apt-get install ./tandem-lb_VERSION_ARCH.deb';

function stepsOf(own: NodeState, peer: NodeState, facts: UpgradeFacts): UpgradeStep[] {
  const [first, second] = order(own, peer, facts);
  const both = isDone(first, facts) && isDone(second, facts);
  const firstDone = isDone(first, facts);
  const moved = firstDone && first.role === 'Active';
  const install = INSTALL.replace('VERSION', facts.target ?? 'VERSION');
  const steps: Omit<UpgradeStep, 'number'>[] = [];
  const add = (on: NodeState, what: string, command: string, done: boolean, optional = false): void => {
    steps.push({ on: on.name, what, command, done, optional });
  };
  const busy = !firstDone && first.role !== 'Backup';
  if (busy)
    add(
      first,
      `hand over to ${second.name}, and wait for old connections`,
      'tandem failover handover --wait',
      false,
    );
  add(first, 'install the new version; the daemon restarts', install, firstDone);
  add(first, 'see that it is well', 'tandem status && tandem doctor', moved || both);
  add(
    second,
    `hand over to ${first.name}, and wait for old connections`,
    'tandem failover handover --wait',
    moved || both,
  );
  add(second, 'install the new version; the daemon restarts', install, both);
  add(second, 'see that it is well', 'tandem status && tandem doctor', both);
  add(
    second,
    'take the role back, where this node is to have it',
    'tandem failover takeover --ask-peer',
    false,
    true,
  );
  return steps.map((step, i) => ({ number: i + 1, ...step }));
}
