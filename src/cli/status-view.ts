import type {
  BackendStatus,
  DrainStatus,
  LimitStatus,
  RouterStatus,
  ServiceStatus,
  Status,
  TrackStatus,
  WorkerStatus,
} from '../admin/contract.ts';
import { EXIT, type ExitStatus } from '../lib/errors.ts';
import { bar, type Column, formatAge, formatBytes, formatCount, type Style, table } from './output.ts';

/** `tandem status` as text. Pure: the time is handed in. */
export interface View {
  readonly style: Style;
  /** Wall-clock milliseconds since 1970. */
  readonly now: number;
  /** An earlier status and the seconds since then, for rates. */
  readonly before?: { readonly status: Status; readonly seconds: number };
}

/** The answer for scripts: 1 when a service has no eligible backend or the agent does not run. */
export function verdictOf(status: Status): ExitStatus {
  const starved = status.services.some((service) => !service.backends.some((backend) => backend.eligible));
  const agent = status.failover?.agent;
  return starved || agent === 'dead' || agent === 'hung' ? EXIT.failure : EXIT.ok;
}

/** One screen: node, services with their backends, limits, failover. */
export function renderStatus(status: Status, view: View): string[] {
  return [
    ...nodeLines(status, view),
    ...status.services.flatMap((service) => ['', ...serviceLines(service, view)]),
    ...limitLines(status.limits, view),
    ...(status.failover === null ? [] : ['', ...failoverLines(status.failover, view)]),
  ];
}

function nodeLines(status: Status, { style, now }: View): string[] {
  const loaded = formatAge(now - status.configLoadedAt);
  return [
    `${style.bold(status.node)}  tandem ${status.version}, pid ${status.pid}, up ${formatAge(status.uptimeSeconds * 1_000)}`,
    style.dim(`${status.configPath}, loaded ${loaded} ago, ${status.relay} relay`),
    `workers  ${status.workers.map((worker) => workerText(worker, style)).join(', ')}`,
    ...(status.persistence.fault === null ? [] : [style.red(status.persistence.fault)]),
  ];
}

const WORKER_COLOR = { running: 'green', stalled: 'red', dead: 'red' } as const;
/** Seconds; fitness calls it a concern from here on. */
const LATE = 0.25;

function workerText(
  { worker, state, connections, loopLagSeconds, restarts }: WorkerStatus,
  style: Style,
): string {
  const facts = [
    `${formatCount(connections)} clients`,
    ...(loopLagSeconds > LATE ? [style.yellow(`${loopLagSeconds.toFixed(2)}s late`)] : []),
    ...(restarts > 0 ? [style.yellow(`replaced ${restarts} times`)] : []),
  ];
  return `${worker} ${style[WORKER_COLOR[state]](state)} (${facts.join(', ')})`;
}

function serviceLines(service: ServiceStatus, view: View): string[] {
  const { style } = view;
  const eligible = service.backends.filter((backend) => backend.eligible).length;
  const count = `${eligible} of ${service.backends.length} backends eligible`;
  const refused = Object.entries(service.refused).map(([reason, n]) => `${reason} ${formatCount(n)}`);
  const ceiling = service.maxConnections === null ? '' : ` of ${formatCount(service.maxConnections)}`;
  const numbers = [
    `${formatCount(service.connections)}${ceiling} ${service.protocol === 'tcp' ? 'connections' : 'sessions'}`,
    ...(service.queued > 0 ? [`${formatCount(service.queued)} queued`] : []),
    `${formatCount(service.accepted)} accepted${acceptRate(service, view)}`,
    `${formatBytes(service.bytesIn)} in`,
    `${formatBytes(service.bytesOut)} out`,
  ];
  return [
    `${style.bold(service.name)}  ${service.protocol} ${service.listen.join(', ')}  ${service.schedule}  ${
      eligible === 0 ? style.red(count) : count
    }`,
    `  ${numbers.join(', ')}`,
    ...(refused.length === 0 ? [] : [`  ${style.yellow('refused:')} ${refused.join(', ')}`]),
    ...backendTable(service.backends, style).map((line) => `  ${line}`),
  ];
}

function acceptRate(service: ServiceStatus, { before }: View): string {
  const earlier = before?.status.services.find(({ name }) => name === service.name);
  if (before === undefined || earlier === undefined || before.seconds <= 0) return '';
  const rate = Math.max(0, service.accepted - earlier.accepted) / before.seconds;
  return ` (${formatCount(Math.round(rate))}/s)`;
}

const BACKEND_COLUMNS: readonly Column[] = [
  { title: 'BACKEND' },
  { title: 'STATE' },
  { title: 'ELIGIBLE' },
  { title: 'WEIGHT', align: 'right' },
  { title: 'CONNS', align: 'right' },
  { title: 'TOTAL', align: 'right' },
  { title: 'ERRORS', align: 'right' },
  { title: 'IN', align: 'right' },
  { title: 'OUT', align: 'right' },
  { title: 'SINCE', align: 'right' },
  { title: 'LAST CHECK' },
];

export function backendTable(backends: readonly BackendStatus[], style: Style): string[] {
  return table(
    BACKEND_COLUMNS,
    backends.map((backend) => backendRow(backend, style)),
    style,
  );
}

function backendRow(backend: BackendStatus, style: Style): string[] {
  const { weight, effectiveWeight, maxConnections } = backend;
  const ceiling = maxConnections === null ? '' : `/${formatCount(maxConnections)}`;
  return [
    backend.id === backend.address ? backend.id : `${backend.id} (${backend.address})`,
    stateText(backend, style),
    backend.eligible ? 'yes' : style.yellow('no'),
    weight === effectiveWeight ? String(weight) : `${Number(effectiveWeight.toFixed(1))}/${weight}`,
    formatCount(backend.connections) + ceiling,
    formatCount(backend.connects),
    formatCount(backend.connectErrors),
    formatBytes(backend.bytesIn),
    formatBytes(backend.bytesOut),
    formatAge(backend.stateAgeMillis),
    backend.lastCheck ?? '',
  ];
}

const HEALTH_COLOR = { up: 'green', down: 'red', checking: 'yellow', unchecked: 'green' } as const;

function stateText(backend: BackendStatus, style: Style): string {
  const parts = [style[HEALTH_COLOR[backend.health]](backend.health)];
  if (backend.ejected) parts.push(style.red('ejected'));
  const kept = (setting: 'state' | 'weight'): string =>
    backend.persisted.includes(setting) ? ' (persisted)' : '';
  if (backend.admin !== 'ready') parts.push(style.yellow(`${backend.admin}${kept('state')}`));
  if (backend.weight !== backend.configuredWeight || kept('weight') !== '')
    parts.push(style.yellow(`weight set${kept('weight')}`));
  if (backend.backup) parts.push('backup');
  if (backend.agent !== null) parts.push(agentText(backend.agent, style));
  return parts.join(', ');
}

function agentText({ said, up, admin, fault }: NonNullable<BackendStatus['agent']>, style: Style): string {
  const paint = !up ? style.red : admin === 'ready' ? (text: string) => text : style.yellow;
  return `agent: ${paint(said)}${fault === null ? '' : style.yellow(` [${fault}]`)}`;
}

const MAX_LIMITS = 8;

function limitLines(limits: readonly LimitStatus[], { style }: View): string[] {
  const ranked = limits
    .map((limit) => ({ ...limit, ratio: limit.max > 0 ? limit.used / limit.max : 0 }))
    .sort((a, b) => b.ratio - a.ratio);
  if (ranked.length === 0) return [];
  const rows = ranked.slice(0, MAX_LIMITS).map(({ name, subject, used, max, ratio }) => {
    const paint = ratio >= 1 ? style.red : ratio >= 0.8 ? style.yellow : (text: string) => text;
    return [
      subject === null ? name : `${name} ${subject}`,
      paint(bar(ratio, 20)),
      paint(`${Math.round(ratio * 100)}%`),
      `${formatCount(used)} of ${formatCount(max)}`,
    ];
  });
  const rest = ranked.length - rows.length;
  const columns: Column[] = [
    { title: 'LIMIT' },
    { title: '' },
    { title: 'USED', align: 'right' },
    { title: '' },
  ];
  const more = rest > 0 ? [style.dim(`and ${rest} with less use`)] : [];
  return ['', ...table(columns, rows, style), ...more];
}

/** The agent and its virtual routers. */
export function failoverLines(failover: NonNullable<Status['failover']>, view: View): string[] {
  const { style } = view;
  const well = failover.agent === 'running';
  const agent = [
    `agent ${well ? style.green(failover.agent) : style.red(failover.agent)}`,
    ...(failover.agentPid === null ? [] : [`pid ${failover.agentPid}`]),
    ...(well ? [failover.realtime ? 'real-time' : style.yellow('not real-time')] : []),
    `heard ${formatAge(failover.ageMillis)} ago`,
    failover.fit ? 'node fit' : style.red(`node unfit: ${failover.unfitReason ?? 'unknown'}`),
  ];
  const stale =
    well && !failover.stale
      ? []
      : [`  ${style.red(`stale: as last heard ${formatAge(failover.ageMillis)} ago`)}`];
  return [
    `${style.bold('failover')}  ${agent.join(', ')}`,
    ...stale,
    ...(failover.peer === null ? [] : [peerLine(failover.peer, view)]),
    ...(failover.pair === null ? [] : pairLines(failover.pair, view)),
    ...(failover.witness === null ? [] : [witnessLine(failover.witness, view)]),
    ...failover.trackers.map((tracker) => trackerLine(tracker, view)),
    ...failover.drains.map((drain) => drainLine(drain, view)),
    ...failover.routers.flatMap((router) => routerLines(router, view)),
  ];
}

type PeerStatus = NonNullable<NonNullable<Status['failover']>['peer']>;

function peerLine({ reportAgeMillis, reaches, peerReaches, yields }: PeerStatus, { style }: View): string {
  const heard =
    reportAgeMillis === null
      ? style.yellow('has not reported yet')
      : `reported ${formatAge(reportAgeMillis)} ago`;
  const counts = `reaches ${peerReaches ?? '?'} backends, this node ${reaches}`;
  return `  peer  ${heard}, ${counts}${yields === null ? '' : `; ${style.yellow('yielding to it')}`}`;
}

type PairStatus = NonNullable<NonNullable<Status['failover']>['pair']>;

/** The other node as it says of itself, and whether both are configured alike. */
function pairLines(
  { peer, ageMillis, reachable, drift, driftUnknown }: PairStatus,
  { style }: View,
): string[] {
  if (peer === null) return [];
  const silent = reachable ? [] : [style.red(`not reached for ${formatAge(ageMillis ?? 0)}`)];
  const states = new Set(peer.routers.map(({ state }) => state));
  const role =
    states.size === 1
      ? [...states].join()
      : peer.routers.map(({ group, family, state }) => `${group}/${family} ${state}`).join(', ');
  const services = peer.services.map(
    ({ name, eligible, backends, connections }) =>
      `${name} ${eligible}/${backends} backends, ${formatCount(connections)} connections`,
  );
  const up = formatAge(peer.uptimeSeconds * 1_000);
  return [
    `  pair  ${[`${peer.name} ${role}`, `tandem ${peer.version}`, `up ${up}`, ...silent].join(', ')}`,
    ...(services.length === 0 ? [] : [`        there: ${services.join('; ')}`]),
    ...(drift === null || drift.length === 0
      ? []
      : [`        ${style.yellow(`not configured alike: ${drift.join(', ')}`)}`]),
    ...(drift === null && reachable
      ? [`        configuration not compared: ${driftUnknown ?? 'unknown'}`]
      : []),
  ];
}

type WitnessStatus = NonNullable<NonNullable<Status['failover']>['witness']>;

function witnessLine(witness: WitnessStatus, { style }: View): string {
  const { name, seen, verdict, discredited, detail, stateAgeMillis } = witness;
  const parts = [
    `${style[TRACKER_COLOR[seen]](seen)} for ${formatAge(stateAgeMillis)}`,
    ...(verdict === 'isolated' ? [style.red('this node is cut off')] : []),
    ...(verdict === 'worse' ? [style.yellow('yielding to the peer')] : []),
    ...(discredited ? ['lost by both nodes, counts for nothing'] : []),
    detail,
  ];
  return `  witness ${name}  ${parts.join(', ')}`;
}

const TRACKER_COLOR = { up: 'green', down: 'red', unknown: 'yellow' } as const;

function trackerLine(tracker: TrackStatus, { style }: View): string {
  const { name, type, state, weight, fault, detail, stateAgeMillis } = tracker;
  const parts = [
    `${style[TRACKER_COLOR[state]](state)} for ${formatAge(stateAgeMillis)}`,
    ...(fault ? [style.red('fault')] : []),
    ...(weight === 0 ? [] : [style.yellow(`priority ${weight > 0 ? '+' : ''}${weight}`)]),
    detail,
  ];
  return `  tracker ${name} (${type})  ${parts.join(', ')}`;
}

function drainLine(
  { group, role, connections, initially, endsInMillis }: DrainStatus,
  { style }: View,
): string {
  const ends = `over in ${formatAge(endsInMillis)} at the latest`;
  if (role === 'taker') return `  drain ${group}  connections of the peer are sent on to it, ${ends}`;
  const left =
    connections === null
      ? 'old connections are being counted'
      : `${style.yellow(formatCount(connections))} of ${formatCount(initially ?? connections)} old connections are still here`;
  return `  drain ${group}  ${left}, ${ends}`;
}

const ROUTER_COLOR = { Active: 'green', Backup: 'cyan', Initialize: 'yellow' } as const;

/** A virtual router in three lines or four: what it is, why, and who else is there. */
export function routerLines(router: RouterStatus, { style, now }: View): string[] {
  const { effectivePriority, priority } = router;
  const state = style[ROUTER_COLOR[router.state]](style.bold(router.state));
  const facts = [
    `IPv${router.family}`,
    `vrid ${router.vrid} on ${router.interface}`,
    effectivePriority === priority ? `priority ${priority}` : `priority ${effectivePriority} (${priority})`,
  ];
  const held = router.holdsAddresses ? 'held here' : 'not held here';
  const odd = router.holdsAddresses !== (router.state === 'Active');
  const dropped = Object.entries(router.discarded).map(([reason, n]) => `${reason} ${formatCount(n)}`);
  return [
    `  ${style.bold(router.group)}  ${state} for ${formatAge(now - router.since)} (${router.reason})  ${facts.join(', ')}`,
    `    ${router.addresses.join(', ')}: ${odd ? style.yellow(held) : held}`,
    ...router.routes.map(({ route, installed }) => routeLine(route, installed, router.state, style)),
    `    ${router.explanation}`,
    `    ${peerText(router)}`,
    ...(dropped.length === 0 ? [] : [`    ${style.yellow('discarded:')} ${dropped.join(', ')}`]),
    ...duplicateLines(router, style),
  ];
}

function duplicateLines({ duplicates: { count, last } }: RouterStatus, style: Style): string[] {
  if (last === null) return [];
  const times = count === 1 ? 'once' : `${formatCount(count)} times`;
  const when = `${formatAge(last.ageMillis)} ago`;
  return [
    `    ${style.red('duplicate address:')} ${last.mac} claimed ${last.address} ${when}, ${times} in all`,
  ];
}

function peerText({ peer, advertisementsSent, advertisementsReceived }: RouterStatus): string {
  const traffic = `${formatCount(advertisementsSent)} sent, ${formatCount(advertisementsReceived)} received`;
  if (peer === null) return `no peer heard; ${traffic}`;
  const style = peer.checksum === null ? '' : `, checksum ${peer.checksum}`;
  const heard = `heard ${formatAge(peer.ageMillis)} ago`;
  return `peer ${peer.address} priority ${peer.priority} every ${peer.intervalMillis}ms${style}, ${heard}; ${traffic}`;
}

function routeLine(
  route: string,
  installed: boolean,
  state: RouterStatus['state'],
  style: View['style'],
): string {
  const text = installed ? 'in place' : 'not in place';
  return `    route ${route}: ${installed === (state === 'Active') ? text : style.yellow(text)}`;
}
