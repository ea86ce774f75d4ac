import type { Status } from '../admin/contract.ts';
import { formatAge, formatAgo, formatCount, formatNumber } from './format.ts';
import type { Mark } from './mark.ts';

/** What the two cards of the pair say. Pure. */

export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly tone?: 'warn' | 'bad';
}

export interface NodeCard {
  readonly name: string;
  readonly role: Mark;
  readonly facts: readonly Fact[];
  readonly routers: readonly RouterLine[];
  /** What the operator should know, in sentences. */
  readonly notes: readonly Fact[];
}

export interface RouterLine {
  readonly key: string;
  readonly name: string;
  readonly state: Mark;
  readonly addresses: string;
  readonly why: string;
}

type Failover = NonNullable<Status['failover']>;
type Router = Failover['routers'][number];

const ROLES: Readonly<Record<Router['state'], Mark>> = {
  Active: { word: 'Active', icon: 'check', tone: 'ok' },
  Backup: { word: 'Backup', icon: 'pause', tone: 'info' },
  Initialize: { word: 'Initialize', icon: 'alert', tone: 'warn' },
};

/** The role of the node as a whole. */
export function roleOf(failover: Status['failover']): Mark {
  if (failover === null) return { word: 'balancer alone', icon: 'circle', tone: 'idle' };
  if (failover.agent !== 'running' || failover.stale) {
    return { word: `agent ${failover.stale ? 'not heard' : failover.agent}`, icon: 'cross', tone: 'bad' };
  }
  const { routers } = failover;
  const [first, ...others] = new Set(routers.map(({ state }) => state));
  if (first === undefined) return { word: 'starting', icon: 'dots', tone: 'info' };
  if (others.length === 0) return ROLES[first];
  const active = routers.filter(({ state }) => state === 'Active').length;
  return { word: `Active for ${active} of ${routers.length}`, icon: 'check', tone: 'ok' };
}

export function selfCard(status: Status, now: number): NodeCard {
  const { failover } = status;
  return {
    name: status.node,
    role: roleOf(failover),
    facts: [
      { label: 'Version', value: status.version },
      { label: 'Up', value: formatAge(status.uptimeSeconds * 1_000) },
      ...(failover === null ? [] : failoverFacts(failover)),
      { label: 'Workers', value: workersText(status), ...workersTone(status) },
      { label: 'Configuration', value: `loaded ${formatAge(now - status.configLoadedAt)} ago` },
    ],
    routers: failover === null ? [] : failover.routers.map(routerLine),
    notes: failover === null ? [] : notesOf(failover),
  };
}

function failoverFacts(failover: Failover): Fact[] {
  const fit: Fact = failover.fit
    ? { label: 'Fitness', value: 'fit' }
    : { label: 'Fitness', value: `unfit: ${failover.unfitReason ?? 'unknown'}`, tone: 'bad' };
  const priority = [...new Set(failover.routers.map(priorityOf))].join(', ');
  return [
    fit,
    ...(priority === '' ? [] : [{ label: 'Priority', value: priority }]),
    ...(failover.peer === null
      ? []
      : [{ label: 'Reaches', value: formatNumber(failover.peer.reaches, 'backend') }]),
    ...(failover.witness === null ? [] : [witnessFact(failover.witness)]),
  ];
}

const priorityOf = ({ priority, effectivePriority }: Router): string =>
  priority === effectivePriority ? String(priority) : `${effectivePriority} (configured ${priority})`;

function witnessFact({ name, seen, verdict }: NonNullable<Failover['witness']>): Fact {
  const value = `${name}: ${seen}${verdict === 'isolated' ? ', this node is cut off' : ''}`;
  if (verdict === 'isolated') return { label: 'Witness', value, tone: 'bad' };
  return seen === 'down' ? { label: 'Witness', value, tone: 'warn' } : { label: 'Witness', value };
}

const workersText = ({ workers, relay }: Status): string => {
  const bad = workers.filter(({ state }) => state !== 'running');
  const kind = `${workers.length} (${relay} relay)`;
  return bad.length === 0
    ? kind
    : `${kind}: ${bad.map(({ worker, state }) => `${worker} ${state}`).join(', ')}`;
};
const workersTone = ({ workers }: Status): Pick<Fact, 'tone'> =>
  workers.every(({ state }) => state === 'running') ? {} : { tone: 'bad' };

function routerLine(router: Router): RouterLine {
  const held = router.holdsAddresses ? 'held here' : 'not held here';
  return {
    key: `${router.group}/${router.family}`,
    name: `${router.group} · IPv${router.family} · VRID ${router.vrid} on ${router.interface}`,
    state: ROLES[router.state],
    addresses: `${router.addresses.join(', ')}: ${held}`,
    why: router.explanation,
  };
}

function notesOf(failover: Failover): Fact[] {
  return [
    ...failover.trackers
      .filter(({ state, weight, fault }) => state !== 'up' || weight !== 0 || fault)
      .map(({ name, state, weight, detail }): Fact => {
        const change = weight === 0 ? '' : `, priority ${weight > 0 ? '+' : ''}${weight}`;
        return { label: `Tracker ${name}`, value: `${state}${change}: ${detail}`, tone: 'warn' };
      }),
    ...(failover.peer?.yields
      ? [{ label: 'Yields', value: failover.peer.yields, tone: 'warn' as const }]
      : []),
    ...failover.drains.map((drain) => ({ label: `Drain ${drain.group}`, value: drainText(drain) })),
    ...failover.routers.flatMap(({ group, duplicates }): Fact[] => {
      const last = duplicates.last;
      if (last === null) return [];
      const value = `${last.mac} claimed ${last.address} ${formatAge(last.ageMillis)} ago`;
      return [{ label: `Duplicate address, ${group}`, value, tone: 'bad' }];
    }),
  ];
}

function drainText({ role, connections, initially, endsInMillis }: Failover['drains'][number]): string {
  const ends = `over in ${formatAge(endsInMillis)} at the latest`;
  if (role === 'taker') return `connections of the peer are sent on to it, ${ends}`;
  if (connections === null) return `old connections are being counted, ${ends}`;
  return `${formatCount(connections)} of ${formatCount(initially ?? connections)} old connections are still here, ${ends}`;
}

/** A report comes several times a second. */
const REPORT_FRESH_MS = 3_000;

/** What this node knows of its peer; null without failover. */
export function peerCard(status: Status): NodeCard | null {
  const { failover } = status;
  if (failover === null) return null;
  // by its IPv4 address when there is one: that of IPv6 is link-local, and says little
  const heard = failover.routers.filter(({ peer }) => peer !== null).sort((a, b) => a.family - b.family);
  const last = heard.find(isFresh) ?? heard[0];
  return {
    name: failover.pair?.peer?.name ?? heard[0]?.peer?.address ?? 'peer',
    role: peerRole(failover),
    facts: [...summaryFacts(failover.pair), ...advertisementFacts(last), ...reportFacts(failover.peer)],
    routers: failover.routers.map(peerLine),
    notes: pairNotes(failover.pair),
  };
}

/** The other end of one of our virtual routers, as far as its advertisements tell. */
function peerLine(router: Router): RouterLine {
  const { group, family, state, peer } = router;
  const fresh = isFresh(router);
  const name = `${group} · IPv${family}`;
  const key = `${group}/${family}`;
  if (fresh && state !== 'Active') {
    const addresses = router.addresses.join(', ');
    const why = `advertises priority ${peer?.priority ?? '?'} from ${peer?.address ?? '?'}`;
    return { key, name, state: ROLES.Active, addresses, why };
  }
  const mark: Mark = { word: 'silent', icon: 'circle', tone: 'idle', title: 'no advertisement now' };
  const last = peer === null ? 'no advertisement heard' : `last advertisement ${formatAgo(peer.ageMillis)}`;
  const why = state === 'Active' ? `${last}: a Backup does not advertise` : last;
  return { key, name, state: mark, addresses: '', why };
}

/** The Backup does not advertise (RFC 9568, 6.4.2): that it is there, only its supervisor's reports say. */
function peerRole({ routers, peer }: Failover): Mark {
  const reports = peer?.reportAgeMillis ?? Number.POSITIVE_INFINITY;
  const advertises = routers.some((router) => router.state !== 'Active' && isFresh(router));
  if (advertises) {
    const title = 'it advertises, and this node does not';
    return { ...ROLES.Active, title };
  }
  if (reports < REPORT_FRESH_MS) {
    const active = routers.length > 0 && routers.every(({ state }) => state === 'Active');
    if (active) return { ...ROLES.Backup, title: 'it reports, and does not advertise' };
    return { word: 'reports', icon: 'circle', tone: 'info' };
  }
  const title =
    peer === null
      ? 'a Backup does not advertise; with [failover.peer] it would report'
      : 'no report and no advertisement';
  return { word: 'peer not heard', icon: 'alert', tone: peer === null ? 'idle' : 'bad', title };
}

const isFresh = ({ peer }: Router): boolean =>
  peer !== null && peer.ageMillis <= Math.max(1_000, 4 * peer.intervalMillis);

function advertisementFacts(router: Router | undefined): Fact[] {
  if (router === undefined || router.peer === null) return [{ label: 'Advertisements', value: 'none heard' }];
  const last = router.peer;
  return [
    // the last word of one that leaves is 0
    ...(isFresh(router) ? [{ label: 'Priority', value: String(last.priority) }] : []),
    { label: 'Advertised', value: formatAgo(last.ageMillis) },
  ];
}

/** What it says of itself. */
function summaryFacts(pair: Failover['pair']): Fact[] {
  const peer = pair?.peer ?? null;
  if (pair === null || peer === null) return [];
  return [
    { label: 'Version', value: peer.version },
    { label: 'Up', value: formatAge(peer.uptimeSeconds * 1_000) },
    ...(pair.reachable
      ? []
      : [{ label: 'Not reached for', value: formatAge(pair.ageMillis ?? 0), tone: 'bad' as const }]),
    ...peer.services.map(({ name, eligible, backends, connections }): Fact => {
      const value = `${eligible} of ${formatNumber(backends, 'backend')}, ${formatNumber(connections, 'connection')}`;
      return { label: `Service ${name}`, value, ...(eligible === 0 ? { tone: 'warn' } : {}) };
    }),
  ];
}

function pairNotes(pair: Failover['pair']): Fact[] {
  if (pair === null || pair.peer === null) return [];
  const { drift, driftUnknown, reachable } = pair;
  if (drift === null) {
    return reachable ? [{ label: 'Configuration', value: `not compared: ${driftUnknown ?? 'unknown'}` }] : [];
  }
  if (drift.length === 0) return [{ label: 'Configuration', value: 'the same on both nodes' }];
  return [{ label: 'Not configured alike', value: drift.join(', '), tone: 'warn' }];
}

function reportFacts(peer: Failover['peer']): Fact[] {
  if (peer === null) return [{ label: 'Reports', value: 'none: no [failover.peer]' }];
  const { reportAgeMillis: age, peerReaches } = peer;
  if (age === null) return [{ label: 'Reported', value: 'not yet', tone: 'warn' }];
  const late: Pick<Fact, 'tone'> = age < REPORT_FRESH_MS ? {} : { tone: 'bad' };
  return [
    { label: 'Reported', value: formatAgo(age), ...late },
    { label: 'Reaches', value: peerReaches === null ? 'unknown' : formatNumber(peerReaches, 'backend') },
  ];
}
