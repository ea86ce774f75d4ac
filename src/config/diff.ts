import { isDeepStrictEqual } from 'node:util';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { Config } from '../model/config.ts';
import type { FailoverGroupSpec, FailoverSpec } from '../model/failover.ts';
import type { BackendSpec, ServiceSpec } from '../model/service.ts';
import type { TrackSpec } from '../model/track.ts';

/** What a list of named things lost, gained and changed. */
export interface ListDiff<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  readonly changed: readonly Changed<T>[];
}

export interface Changed<T> {
  readonly before: T;
  readonly after: T;
  /** The keys that differ, as the file calls them; listeners and backends of a service are told apart below. */
  readonly settings: readonly string[];
}

export interface ServiceChange extends Changed<ServiceSpec> {
  readonly opened: readonly Endpoint[];
  readonly closed: readonly Endpoint[];
  /** By id. */
  readonly backends: ListDiff<BackendSpec>;
}

export interface FailoverDiff {
  readonly before: FailoverSpec | null;
  readonly after: FailoverSpec | null;
  /** By name. */
  readonly groups: ListDiff<FailoverGroupSpec>;
  /** By name. */
  readonly tracks: ListDiff<TrackSpec>;
}

/** The difference between two configurations, as data: nothing is decided or applied here. */
export interface ConfigDiff {
  readonly services: {
    readonly added: readonly ServiceSpec[];
    readonly removed: readonly ServiceSpec[];
    readonly changed: readonly ServiceChange[];
  };
  /** Null when nothing about failover differs that can be applied in place. */
  readonly failover: FailoverDiff | null;
  /** Settings of the daemon as a whole that apply at once: "limits.warn_at". */
  readonly settings: readonly string[];
  /** Settings that differ and that a running daemon keeps until it is restarted: "admin.socket". */
  readonly restart: readonly string[];
}

/** Compares by name (services, groups) and id (backends); a service that changes its protocol is another one. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  return {
    services: diffServices(before.services, after.services),
    failover: diffFailover(before.failover, after.failover),
    settings: keysThatDiffer(before, after, LIVE_SETTINGS),
    restart: [...keysThatDiffer(before, after, RESTART_SETTINGS), ...agentRestart(before, after)],
  };
}

/** True when a reload has nothing to do. */
export function isEmptyDiff(diff: ConfigDiff): boolean {
  const { added, removed, changed } = diff.services;
  const lists = [added, removed, changed, diff.settings, diff.restart];
  return diff.failover === null && lists.every((list) => list.length === 0);
}

type Settings<T> = Readonly<Record<string, (of: T) => unknown>>;

const LIVE_SETTINGS: Settings<Config> = {
  'node.log_level': (config) => config.node.logLevel,
  'limits.max_connections': (config) => config.limits.maxConnections,
  'limits.warn_at': (config) => config.limits.warnAt,
  'limits.fd_reserve': (config) => config.limits.fdReserve,
  drain_timeout: (config) => config.drainTimeout,
  'admin.listen': (config) => config.admin.http?.listen,
  'admin.token_file': (config) => config.admin.http?.tokenFile ?? null,
  'admin.tls': (config) => config.admin.http?.tls ?? null,
};

// metrics and logs carry the node's name in every line; sockets are bound, privileges
// taken, and shared memory laid out for so many workers, once
const RESTART_SETTINGS: Settings<Config> = {
  'node.name': (config) => config.node.name,
  'data_path.workers': (config) => config.dataPath.workers,
  'data_path.relay': (config) => config.dataPath.relay,
  'admin.socket': (config) => config.admin.socket,
  'admin.group': (config) => config.admin.group,
  'admin.state_file': (config) => config.admin.stateFile,
  'metrics.listen': (config) => config.metrics,
};

const AGENT_SETTINGS: Settings<FailoverSpec> = {
  'failover.realtime_priority': (failover) => failover.realtimePriority,
  'failover.startup_delay': (failover) => failover.startupDelay,
  'failover.peer': (failover) => failover.peer,
  'failover.witness': (failover) => failover.witness,
};

/** A [failover] that comes or goes starts or ends the agent, which takes its priority then. */
function agentRestart({ failover: before }: Config, { failover: after }: Config): string[] {
  if (before === null || after === null) return [];
  return keysThatDiffer(before, after, AGENT_SETTINGS);
}

const SERVICE_SETTINGS: Settings<ServiceSpec> = {
  schedule: (service) => service.schedule,
  none_eligible: (service) => service.noneEligible,
  max_connections: (service) => service.maxConnections,
  on_limit: (service) => service.onLimit,
  rate: (service) => service.rate,
  source_limit: (service) => service.sourceLimit,
  allow: (service) => service.allow,
  deny: (service) => service.deny,
  queue: (service) => service.queue,
  timeout: (service) => service.timeouts,
  retries: (service) => service.retries,
  redispatch: (service) => service.redispatch,
  no_delay: (service) => service.noDelay,
  keep_alive: (service) => service.keepAlive,
  backlog: (service) => service.backlog,
  proxy_protocol: (service) => service.proxyProtocol,
  sni: (service) => service.sni,
  source: (service) => service.source,
  health: (service) => service.health,
  passive: (service) => service.passive,
  slow_start: (service) => service.slowStart,
  on_down: (service) => service.onDown,
};

const BACKEND_SETTINGS: Settings<BackendSpec> = {
  address: (backend) => backend.endpoint,
  weight: (backend) => backend.weight,
  max_connections: (backend) => backend.maxConnections,
  backup: (backend) => backend.backup,
  agent_check: (backend) => backend.agentCheck,
};

const GROUP_SETTINGS: Settings<FailoverGroupSpec> = {
  interface: (group) => group.interface,
  vrid: (group) => group.vrid,
  version: (group) => group.version,
  priority: (group) => group.priority,
  addresses: (group) => group.addresses,
  excluded_addresses: (group) => group.excluded,
  routes: (group) => group.routes,
  virtual_mac: (group) => group.virtualMac,
  accept: (group) => group.accept,
  advertise_interval: (group) => group.advertiseInterval,
  preempt: (group) => group.preempt,
  preempt_delay: (group) => group.preemptDelay,
  checksum: (group) => group.checksum,
  unicast: (group) => group.unicast,
  auth_pass: (group) => group.authPass,
  announce: (group) => group.announce,
  lease: (group) => group.lease,
  notify: (group) => group.notify,
  sync: (group) => group.sync,
  track: (group) => group.track,
};

const TRACK_SETTINGS: Settings<TrackSpec> = {
  check: (track) => track.check,
  interval: (track) => track.interval,
  rise: (track) => track.rise,
  fall: (track) => track.fall,
  weight: (track) => track.weight,
  invert: (track) => track.invert,
};

function keysThatDiffer<T>(before: T, after: T, settings: Settings<T>): string[] {
  return Object.entries(settings)
    .filter(([, read]) => !isDeepStrictEqual(read(before), read(after)))
    .map(([key]) => key);
}

function diffList<T>(
  before: readonly T[],
  after: readonly T[],
  identity: (of: T) => string,
  settings: Settings<T>,
): ListDiff<T> {
  const old = new Map(before.map((item) => [identity(item), item]));
  const next = new Set(after.map(identity));
  return {
    added: after.filter((item) => !old.has(identity(item))),
    removed: before.filter((item) => !next.has(identity(item))),
    changed: after.flatMap((item) => {
      const was = old.get(identity(item));
      if (was === undefined) return [];
      const keys = keysThatDiffer(was, item, settings);
      return keys.length === 0 ? [] : [{ before: was, after: item, settings: keys }];
    }),
  };
}

function diffServices(before: readonly ServiceSpec[], after: readonly ServiceSpec[]): ConfigDiff['services'] {
  const identity = (service: ServiceSpec): string => `${service.name}/${service.protocol}`;
  const old = new Map(before.map((service) => [identity(service), service]));
  const { added, removed } = diffList(before, after, identity, {});
  const changed = after.flatMap((service) => {
    const was = old.get(identity(service));
    const change = was === undefined ? null : diffService(was, service);
    return change === null ? [] : [change];
  });
  return { added, removed, changed };
}

function diffService(before: ServiceSpec, after: ServiceSpec): ServiceChange | null {
  const listeners = diffList(before.listen, after.listen, formatEndpoint, {});
  const backends = diffList(before.backends, after.backends, (backend) => backend.id, BACKEND_SETTINGS);
  const settings = keysThatDiffer(before, after, SERVICE_SETTINGS);
  if (isReordered(before.backends, after.backends)) settings.push('backend_order');
  const counts = [settings, listeners.added, listeners.removed, ...Object.values(backends)];
  if (counts.every((list) => list.length === 0)) return null;
  return { before, after, settings, opened: listeners.added, closed: listeners.removed, backends };
}

/** Do the backends that stay stand in another order? Only `first` looks at it, but a status shows it. */
function isReordered(before: readonly BackendSpec[], after: readonly BackendSpec[]): boolean {
  const ids = (of: readonly BackendSpec[], others: readonly BackendSpec[]): string[] => {
    const known = new Set(others.map((backend) => backend.id));
    return of.map((backend) => backend.id).filter((id) => known.has(id));
  };
  return !isDeepStrictEqual(ids(before, after), ids(after, before));
}

function diffFailover(before: FailoverSpec | null, after: FailoverSpec | null): FailoverDiff | null {
  const groups = diffList(before?.groups ?? [], after?.groups ?? [], (group) => group.name, GROUP_SETTINGS);
  const tracks = diffList(before?.tracks ?? [], after?.tracks ?? [], (track) => track.name, TRACK_SETTINGS);
  const same = (before === null) === (after === null);
  const lists = [...Object.values(groups), ...Object.values(tracks)];
  if (same && lists.every((list) => list.length === 0)) return null;
  return { before, after, groups, tracks };
}

/** The difference in sentences for people, in the order of the file. Secrets are not spelled out. */
export function describeDiff(diff: ConfigDiff): string[] {
  const { services, failover } = diff;
  return [
    ...diff.settings.map((key) => `${key} changed`),
    ...services.removed.map((service) => `service ${service.name} removed`),
    ...services.added.map((service) => `service ${service.name} added`),
    ...services.changed.flatMap(describeService),
    ...(failover === null ? [] : describeFailover(failover)),
    ...diff.restart.map((key) => `${key} changed: it needs a restart and stays as it was until then`),
  ];
}

function describeService(change: ServiceChange): string[] {
  const service = `service ${change.after.name}`;
  return [
    ...change.closed.map((endpoint) => `${service} stops listening on ${formatEndpoint(endpoint)}`),
    ...change.opened.map((endpoint) => `${service} listens on ${formatEndpoint(endpoint)}`),
    ...change.backends.removed.map((backend) => `${service}: backend ${backend.id} removed`),
    ...change.backends.added.map((backend) => `${service}: backend ${backend.id} added`),
    ...change.backends.changed.map(
      ({ after, settings }) => `${service}: backend ${after.id}: ${settings.join(', ')} changed`,
    ),
    ...(change.settings.length === 0 ? [] : [`${service}: ${change.settings.join(', ')} changed`]),
  ];
}

function describeFailover({ before, after, groups, tracks }: FailoverDiff): string[] {
  if (before === null) return ['failover switched on'];
  if (after === null) return ['failover switched off'];
  return [
    ...groups.removed.map((group) => `failover group ${group.name} removed`),
    ...groups.added.map((group) => `failover group ${group.name} added`),
    ...groups.changed.map(
      ({ after: group, settings }) => `failover group ${group.name}: ${settings.join(', ')} changed`,
    ),
    ...tracks.removed.map(({ name }) => `tracker ${name} removed`),
    ...tracks.added.map(({ name }) => `tracker ${name} added`),
    ...tracks.changed.map(
      ({ after: track, settings }) => `tracker ${track.name}: ${settings.join(', ')} changed`,
    ),
  ];
}
