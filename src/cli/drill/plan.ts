import type { DrillReport, Status } from '../../admin/contract.ts';
import { type Endpoint, type IpAddress, isUnspecified, parseEndpoint, parsePrefix } from '../../lib/ip.ts';
import type { ProbeReport } from './measurement.ts';
import { formatTarget, type Target } from './target.ts';

/** What a drill decides, without doing anything: may it begin, what is probed, has it passed. */

export type DrillKind = DrillReport['kind'];

type Failover = NonNullable<Status['failover']>;

/** As many targets as one prober can keep up with. */
const MAX_TARGETS = 8;

/** Why this node is in no state for a drill, as far as it can tell by itself; the peer is asked besides. */
export function unhealthy({ failover }: Status, group: string | undefined): string | null {
  if (failover === null) return 'this node has no [failover] section';
  if (failover.agent !== 'running') return `the failover agent is ${failover.agent}`;
  if (failover.stale) return 'the failover agent has not been heard for too long';
  const routers = routersOf(failover, group);
  if (routers.length === 0) return 'no group runs here';
  const passive = routers.find(({ state }) => state !== 'Active');
  if (passive !== undefined) {
    return `group ${passive.group} is ${passive.state} here, not Active: run the drill on the node that is`;
  }
  if (failover.drains.length > 0) return 'the drain of an earlier handover is not over';
  return null;
}

export const routersOf = ({ routers }: Failover, group: string | undefined): Failover['routers'] =>
  routers.filter((router) => group === undefined || router.group === group);

/** Every service on a virtual address of these groups, one target for each address and port. */
export function targetsOf(status: Status, group: string | undefined): Target[] {
  const routers = status.failover === null ? [] : routersOf(status.failover, group);
  const addresses = routers
    .flatMap((router) => router.addresses)
    .flatMap((text) => parsePrefix(text)?.address ?? [])
    .filter(({ text }) => !text.startsWith('fe80:'));
  const found = new Map<string, Target>();
  for (const { protocol, listen } of status.services) {
    for (const endpoint of listen.flatMap((text) => virtualEndpoints(parseEndpoint(text), addresses))) {
      const target = { protocol, endpoint };
      found.set(formatTarget(target), target);
    }
  }
  return [...found.values()].slice(0, MAX_TARGETS);
}

/** A listener on all addresses of its family listens on the virtual ones, too. */
function virtualEndpoints(listen: Endpoint | undefined, addresses: readonly IpAddress[]): Endpoint[] {
  if (listen === undefined) return [];
  const { address, port } = listen;
  return addresses
    .filter((virtual) =>
      isUnspecified(address) ? virtual.family === address.family : virtual.text === address.text,
    )
    .map((virtual) => ({ address: virtual, port }));
}

export interface Measured {
  readonly kind: DrillKind;
  readonly probes: ProbeReport;
  readonly targetMillis: number;
  /** The handover said that connections are kept. */
  readonly connectionsPromised: boolean;
  readonly activeBefore: string;
  readonly activeAfter: string;
  readonly by: string;
  /** What went wrong beside the figures, such as a daemon that did not come back. */
  readonly faults: readonly string[];
}

/** The verdict: the gap is within its target, and what was promised was kept. */
export function judge(measured: Measured): DrillReport {
  const { kind, probes, targetMillis, activeBefore, activeAfter, by } = measured;
  const gaps = probes.targets.flatMap(({ gapMillis }) => gapMillis ?? []);
  const gapMillis = gaps.length === 0 ? null : Math.round(Math.max(...gaps) * 10) / 10;
  const faults = [...measured.faults];
  if (gapMillis === null) faults.push('nothing was answered');
  else if (gapMillis > targetMillis) faults.push(`the gap is above the target`);
  if (measured.connectionsPromised && probes.connectionsLost > 0) {
    faults.push('connections were lost that were to be kept');
  }
  const sum = (of: 'sent' | 'lost'): number => probes.targets.reduce((total, one) => total + one[of], 0);
  const figures = [
    `gap ${gapMillis === null ? 'unknown' : `${gapMillis} ms`} (target ${targetMillis} ms)`,
    `${sum('lost')} of ${sum('sent')} probes lost`,
    `${probes.connectionsKept} connections kept, ${probes.connectionsLost} lost`,
  ];
  return {
    kind,
    passed: faults.length === 0,
    summary: [figures.join(', '), ...faults].join('; ').slice(0, 500),
    gapMillis,
    targetMillis,
    probesSent: sum('sent'),
    probesLost: sum('lost'),
    connectionsKept: probes.connectionsKept,
    connectionsLost: probes.connectionsLost,
    activeBefore,
    activeAfter,
    by,
  };
}
