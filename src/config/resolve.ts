import type { Duration } from '../lib/duration.ts';
import { formatEndpoint, type IpFamily, type IpPrefix, ipFromBytes } from '../lib/ip.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';
import type { AgentCheckSpec } from '../model/agent-check.ts';
import type { AdminHttpSpec, Config } from '../model/config.ts';
import type {
  AnnounceSpec,
  CommandLine,
  FailoverGroupSpec,
  FailoverSpec,
  NotifySpec,
  PeerSpec,
  VirtualAddress,
  VirtualRoute,
} from '../model/failover.ts';
import type { HealthSpec, PassiveSpec, ProbeSpec } from '../model/health.ts';
import type {
  BackendSpec,
  Protocol,
  RateSpec,
  ScheduleSpec,
  ServiceSpec,
  SourceLimitSpec,
} from '../model/service.ts';
import type { TrackCheck, TrackSpec } from '../model/track.ts';
import type { WitnessCheck, WitnessSpec } from '../model/witness.ts';
import type {
  AgentCheckSection,
  AnnounceSection,
  FailoverSection,
  FileSchema,
  GroupSection,
  HealthSection,
  NotifySection,
  RouteSection,
  ServiceSection,
  TrackSection,
  WitnessSection,
} from './schema.ts';
import { ANNOUNCE_DEFAULTS, GROUP_DEFAULTS } from './schema-failover.ts';
import { AGENT_INTERVAL, HEALTH_DEFAULTS, RCODES } from './schema-health.ts';
import { HASH_KEY, MAGLEV_TABLE_SIZE } from './schema-service.ts';

/** From the file's words to the model's: defaults that depend on other keys are filled in here. Pure. */
export function resolveConfig(file: FileSchema, path: string, hostname: string): Config {
  return {
    path,
    node: { name: file.node.name ?? hostname, logLevel: file.node.log_level },
    limits: {
      maxConnections: file.limits.max_connections ?? null,
      warnAt: file.limits.warn_at / 100,
      fdReserve: file.limits.fd_reserve,
    },
    dataPath: { workers: file.data_path.workers, relay: file.data_path.relay },
    drainTimeout: file.drain_timeout,
    services: file.service.map(resolveService),
    failover: file.failover === undefined ? null : resolveFailover(file.failover),
    admin: {
      socket: file.admin.socket,
      group: file.admin.group ?? null,
      stateFile: file.admin.state_file ?? null,
      http: resolveAdminHttp(file.admin),
    },
    metrics: file.metrics === undefined ? null : { listen: file.metrics.listen },
  };
}

function resolveAdminHttp({ listen, token_file: tokenFile, tls }: FileSchema['admin']): AdminHttpSpec | null {
  if (listen === undefined) return null;
  return { listen, tokenFile: tokenFile ?? null, tls: tls ?? null };
}

export function resolveService(service: ServiceSection): ServiceSpec {
  return {
    name: service.name,
    protocol: service.protocol,
    listen: service.listen,
    schedule: resolveSchedule(service.schedule, service.protocol),
    noneEligible: service.none_eligible,
    maxConnections: service.max_connections ?? null,
    onLimit: service.on_limit,
    rate: resolveRate(service),
    sourceLimit: service.source_limit === undefined ? null : resolveSourceLimit(service.source_limit),
    allow: service.allow,
    deny: service.deny,
    queue: service.queue,
    timeouts: service.timeout,
    retries: service.retries,
    redispatch: service.redispatch,
    noDelay: service.no_delay,
    keepAlive: service.keep_alive,
    backlog: service.backlog,
    proxyProtocol: {
      accept: service.proxy_protocol.accept ? service.proxy_protocol.trusted : null,
      send: service.proxy_protocol.send ?? null,
    },
    sni: service.sni,
    source: service.source ?? null,
    health:
      service.health === undefined
        ? null
        : resolveHealth(service.health, service.proxy_protocol.send ?? null),
    passive: resolvePassive(service.passive),
    slowStart: service.slow_start,
    onDown: service.on_down,
    backends: service.backend.map((backend) => resolveBackend(backend, service.agent_check)),
  };
}

/**
 * TCP: least-connections. UDP: source-hash, because a client's datagrams belong together more often than
 * not, and because it sends them to the same backend on both nodes of a pair after a failover.
 */
function resolveSchedule(schedule: ServiceSection['schedule'], protocol: Protocol): ScheduleSpec {
  return {
    algorithm: schedule?.algorithm ?? (protocol === 'tcp' ? 'least-connections' : 'source-hash'),
    hashKey: schedule?.hash_key ?? HASH_KEY,
    tableSize: schedule?.table_size ?? MAGLEV_TABLE_SIZE,
    balanceFactor: schedule?.balance_factor ?? null,
  };
}

/** Without `burst`, a whole period's worth may come at once. */
function resolveRate(limit: Pick<ServiceSection, 'rate' | 'burst'>): RateSpec | null {
  return limit.rate === undefined ? null : { ...limit.rate, burst: limit.burst ?? limit.rate.count };
}

function resolveSourceLimit(limit: NonNullable<ServiceSection['source_limit']>): SourceLimitSpec {
  return {
    maxConnections: limit.max_connections ?? null,
    rate: resolveRate(limit),
    prefix4: limit.prefix_v4,
    prefix6: limit.prefix_v6,
  };
}

type BackendSection = ServiceSection['backend'][number];

/** A backend's own keys over its service's; null when neither has the table, or it is turned off. */
export function agentCheckOf(
  backend: BackendSection,
  ofService: AgentCheckSection | undefined,
): (AgentCheckSection & Pick<AgentCheckSpec, 'interval' | 'timeout'>) | null {
  if (backend.agent_check === undefined && ofService === undefined) return null;
  const merged = { ...ofService, ...defined(backend.agent_check ?? {}) };
  if (merged.enabled === false) return null;
  const interval = merged.interval ?? AGENT_INTERVAL;
  return { ...merged, interval, timeout: merged.timeout ?? interval };
}

/** Without the keys that are there and undefined, which would win over those of the service. */
const defined = (section: AgentCheckSection): AgentCheckSection =>
  Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined));

function resolveAgentCheck(
  backend: BackendSection,
  ofService: AgentCheckSection | undefined,
): AgentCheckSpec | null {
  const check = agentCheckOf(backend, ofService);
  // a missing port is a fault, told by check-services.ts
  if (check === null || check.port === undefined) return null;
  const { port, interval, timeout, send = null, address = backend.address.address } = check;
  return { endpoint: { address, port }, interval, timeout, send };
}

function resolveBackend(backend: BackendSection, agent: AgentCheckSection | undefined): BackendSpec {
  return {
    id: backend.id ?? formatEndpoint(backend.address),
    endpoint: backend.address,
    weight: backend.weight,
    maxConnections: backend.max_connections ?? null,
    backup: backend.backup,
    agentCheck: resolveAgentCheck(backend, agent),
  };
}

function resolvePassive(passive: ServiceSection['passive']): PassiveSpec | null {
  if (passive.failures === 0) return null;
  return {
    failures: passive.failures,
    baseEjection: passive.base_ejection,
    maxEjection: passive.max_ejection,
    maxEjectedPercent: passive.max_ejected,
  };
}

const atMost = (limit: Duration, usual: Duration): Duration => (usual < limit ? usual : limit);

function resolveHealth(health: HealthSection, send: ProxyVersion | null): HealthSpec {
  return {
    probe: resolveProbe(health, send),
    port: health.port ?? null,
    interval: health.interval,
    fastInterval: health.fast_interval ?? atMost(health.interval, HEALTH_DEFAULTS.fastInterval),
    jitter: health.jitter / 100,
    timeout: health.timeout ?? atMost(health.interval, HEALTH_DEFAULTS.timeout),
    rise: health.rise,
    fall: health.fall,
    initial: health.initial,
  };
}

/** A port that is for checks alone does not expect what clients' connections begin with. */
function probeHeader(
  health: Extract<HealthSection, { type: 'tcp' | 'http' }>,
  send: ProxyVersion | null,
): ProxyVersion | null {
  return (health.send_proxy ?? health.port === undefined) ? send : null;
}

function resolveProbe(health: HealthSection, send: ProxyVersion | null): ProbeSpec {
  switch (health.type) {
    case 'tcp':
      return {
        type: 'tcp',
        tls: health.tls ? { host: health.host ?? null, verify: health.tls_verify } : null,
        exchange: health.exchange.map((step) => ({
          send: step.send ?? null,
          expect: step.expect ?? null,
          expectRegex: step.expect_regex ?? null,
        })),
        sendProxy: probeHeader(health, send),
      };
    case 'http':
      return {
        type: 'http',
        tls: health.tls,
        tlsVerify: health.tls_verify,
        method: health.method,
        path: health.path,
        host: health.host ?? null,
        expectStatus: health.expect_status,
        expectBody: health.expect_body ?? null,
        expectRegex: health.expect_regex ?? null,
        expectJson: health.expect_json,
        sendProxy: probeHeader(health, send),
      };
    case 'udp':
      return { type: 'udp', send: health.send, expect: health.expect ?? null };
    case 'dns':
      return {
        type: 'dns',
        query: health.query,
        recordType: health.record_type,
        expectRcode: RCODES.indexOf(health.expect_rcode),
      };
    case 'exec': {
      // checks.ts refuses an empty command before anything is resolved
      const [program = '', ...args] = health.command;
      return { type: 'exec', command: [program, ...args] };
    }
  }
}

function resolveFailover(failover: FailoverSection): FailoverSpec {
  return {
    groups: failover.group.map((group) => resolveGroup(group, failover)),
    tracks: failover.track.map(resolveTrack),
    realtimePriority: failover.realtime_priority,
    startupDelay: failover.startup_delay,
    peer: failover.peer === undefined ? null : resolvePeer(failover.peer),
    witness: failover.witness === undefined ? null : resolveWitness(failover.witness, failover),
  };
}

const ANY_ADDRESS = { 4: ipFromBytes(new Uint8Array(4)), 6: ipFromBytes(new Uint8Array(16)) } as const;

/** Both nodes listen on the same port unless told otherwise. */
function resolvePeer(peer: NonNullable<FailoverSection['peer']>): PeerSpec {
  const { address, port } = peer;
  return {
    address,
    port,
    listen: peer.listen ?? { address: ANY_ADDRESS[address.family], port },
    secretFile: peer.secret_file,
    drain: peer.drain,
  };
}

function resolveWitness(witness: WitnessSection, failover: FailoverSection): WitnessSpec {
  const { interval, timeout, fall, rise, policy } = witness;
  return { check: resolveWitnessCheck(witness, failover), interval, timeout, fall, rise, policy };
}

function resolveWitnessCheck(witness: WitnessSection, failover: FailoverSection): WitnessCheck {
  switch (witness.type) {
    case 'arp':
      return { type: 'arp', interface: witnessInterface(witness, failover) ?? '', address: witness.target };
    case 'icmp':
      return { type: 'icmp', address: witness.target };
    case 'http':
      return { type: 'http', ...witness.target };
  }
}

/** Its own, that of [failover], or that of the groups when they all have one. */
export function witnessInterface(
  { interface: own }: { readonly interface?: string | undefined },
  failover: FailoverSection,
): string | null {
  const [first, ...others] = new Set(failover.group.map((group) => group.interface ?? failover.interface));
  return own ?? failover.interface ?? (others.length === 0 ? first : undefined) ?? null;
}

function resolveNotify(notify: NotifySection | undefined): NotifySpec | null {
  if (notify === undefined) return null;
  return {
    active: commandOf(notify.active),
    backup: commandOf(notify.backup),
    fault: commandOf(notify.fault),
    stopped: commandOf(notify.stopped),
    timeout: notify.timeout,
    beforeClaim: commandOf(notify.before_claim),
    beforeClaimTimeout: notify.before_claim_timeout,
    onTimeout: notify.on_timeout,
  };
}

/** checks.ts refuses an empty command before anything is resolved. */
function commandOf(command: readonly string[] | undefined): CommandLine | null {
  const [program, ...args] = command ?? [];
  return program === undefined ? null : [program, ...args];
}

const placed = ({ address, interface: device }: GroupSection['addresses'][number]): VirtualAddress => ({
  ...address,
  device: device ?? null,
});

/** As keepalived calls them. */
const macNames = ({ vrid, virtual_mac: mac }: GroupSection): FailoverGroupSpec['virtualMac'] => ({
  4: mac?.name ?? `vrrp.${vrid}`,
  6: mac?.name_v6 ?? `vrrp6.${vrid}`,
});

const DEFAULT_ROUTE: Readonly<Record<IpFamily, IpPrefix>> = {
  4: { address: ipFromBytes(new Uint8Array(4)), length: 0, text: '0.0.0.0/0' },
  6: { address: ipFromBytes(new Uint8Array(16)), length: 0, text: '::/0' },
};

function resolveRoute(route: RouteSection, link: string): VirtualRoute {
  const { to, via = null, source = null, table } = route;
  const family = (via ?? source)?.family ?? 4;
  return {
    to: to === 'default' ? DEFAULT_ROUTE[family] : to,
    via,
    device: route.interface ?? (via === null ? link : null),
    table,
    metric: route.metric ?? null,
    source,
  };
}

function resolveAnnounce(announce: AnnounceSection): AnnounceSpec {
  const { repeat, interval, delay, refresh, pace } = announce;
  return {
    repeat,
    interval,
    delay,
    refresh,
    refreshRepeat: announce.refresh_repeat,
    pace,
    conflictRepeat: announce.conflict_repeat ?? repeat,
    conflictDelay: announce.conflict_delay ?? delay,
  };
}

/** A group says it itself, or [failover] says it for all, or the default holds. */
export function resolveGroup(group: GroupSection, all: FailoverSection): FailoverGroupSpec {
  return {
    name: group.name ?? `vrid-${group.vrid}`,
    // checks.ts refuses a group without an interface before anything is resolved
    interface: group.interface ?? all.interface ?? '',
    vrid: group.vrid,
    virtualMac: group.virtual_mac === undefined ? null : macNames(group),
    accept: group.accept ?? all.accept ?? GROUP_DEFAULTS.accept,
    version: group.version ?? all.version ?? GROUP_DEFAULTS.version,
    priority: group.priority ?? all.priority ?? GROUP_DEFAULTS.priority,
    addresses: group.addresses.map(placed),
    excluded: group.excluded_addresses.map(placed),
    routes: group.routes.map((route) => resolveRoute(route, group.interface ?? all.interface ?? '')),
    advertiseInterval: group.advertise_interval ?? all.advertise_interval ?? GROUP_DEFAULTS.advertiseInterval,
    preempt: group.preempt ?? all.preempt ?? GROUP_DEFAULTS.preempt,
    preemptDelay: group.preempt_delay ?? all.preempt_delay ?? GROUP_DEFAULTS.preemptDelay,
    checksum: group.checksum ?? all.checksum ?? GROUP_DEFAULTS.checksum,
    unicast:
      group.unicast === undefined
        ? null
        : { source: group.unicast.source ?? null, peers: group.unicast.peers },
    authPass: group.auth_pass ?? null,
    announce: resolveAnnounce(group.announce ?? all.announce ?? ANNOUNCE_DEFAULTS),
    lease: group.lease ?? all.lease ?? GROUP_DEFAULTS.lease,
    sync: group.sync ?? null,
    track: group.track ?? all.track.map(({ name }) => name),
    notify: resolveNotify(group.notify ?? all.notify),
  };
}

function resolveTrack(track: TrackSection): TrackSpec {
  const { name, interval, rise, fall, weight } = track;
  const invert = track.type !== 'file' && track.invert;
  return { name, check: resolveTrackCheck(track), interval, rise, fall, weight, invert };
}

function resolveTrackCheck(track: TrackSection): TrackCheck {
  switch (track.type) {
    case 'interface':
      return { type: 'interface', interface: track.interface };
    case 'script': {
      // check-failover.ts refuses an empty command before anything is resolved
      const [program = '', ...args] = track.command;
      const timeout = track.timeout ?? track.interval;
      return { type: 'script', command: [program, ...args], timeout };
    }
    case 'process':
      return { type: 'process', process: track.process, match: track.match, count: track.count };
    case 'file':
      return { type: 'file', path: track.path };
  }
}
