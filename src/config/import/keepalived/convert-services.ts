import { formatDuration, seconds } from '../../../lib/duration.ts';
import { formatHostPort, isBroadcast, isMulticast, isUnspecified } from '../../../lib/ip.ts';
import { Names } from '../names.ts';
import { whereabouts } from '../source.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { convertHealth } from './convert-health.ts';
import type { Section } from './journal.ts';
import type { LvsTimeouts, RealServer, ServerAddress, VirtualServer } from './model.ts';

/** [[service]] with its tables for each virtual_server that a proxy can stand for. */
export function convertServices(servers: readonly VirtualServer[], timeouts: LvsTimeouts): TomlTable[][] {
  const names = new Names();
  const listening = new Set<string>();
  return servers.flatMap((server) => {
    const tables = convertService(server, timeouts, names, listening);
    return tables === undefined ? [] : [tables];
  });
}

const written = ({ address, port }: ServerAddress): string => formatHostPort(address.text, port);

function convertService(
  server: VirtualServer,
  timeouts: LvsTimeouts,
  names: Names,
  listening: Set<string>,
): TomlTable[] | undefined {
  const { section } = server;
  const { statement, journal } = section;
  const protocol = { TCP: 'tcp', UDP: 'udp' }[server.protocol];
  const leaveOut = (reason: string): undefined => {
    journal.remark(statement, 'missing', `left out: ${reason}`);
    return undefined;
  };
  if (protocol === undefined) return leaveOut('Tandem balances TCP and UDP');
  const listen = listenOf(server, protocol, listening);
  if (listen.length === 0) return leaveOut('nothing to listen on');
  const backends = convertBackends(server, new Set(listen));
  if (backends.length === 0) return leaveOut('it has no server');
  const [first] = server.listen;
  const name = names.take(server.group ?? `${protocol}-${first?.address.text}-${first?.port}`);
  remarkQuorum(section);
  section.all('lvs_method', 'lb_kind', 'sorry_server_lvs_method');
  for (const real of server.realServers) real.section.all('lvs_method');
  const health = convertHealth(server);
  return [
    {
      header: '[[service]]',
      comments: [`virtual_server ${server.title} (${whereabouts(statement.place)})`],
      values: { name, protocol, listen, schedule: convertSchedule(server) },
    },
    ...convertTimeouts(timeouts, protocol),
    ...(health === undefined ? [] : [health]),
    ...backends,
  ];
}

/** keepalived's defaults are what Tandem does: a service is up while one server is. */
function remarkQuorum(section: Section): void {
  for (const [keyword, standard] of [
    ['quorum', 1],
    ['hysteresis', 0],
  ] as const) {
    const statement = section.last(keyword);
    if (statement === undefined || Number(statement.args[0]) !== standard) continue;
    section.journal.remark(statement, 'needless', 'nothing to do: the default here as well');
  }
}

function listenOf({ section, listen }: VirtualServer, protocol: string, taken: Set<string>): string[] {
  return listen.flatMap((endpoint) => {
    const text = written(endpoint);
    const fault =
      listenFault(endpoint, protocol) ?? (taken.has(`${protocol} ${text}`) ? 'is taken' : undefined);
    if (fault === undefined) {
      taken.add(`${protocol} ${text}`);
      return [text];
    }
    section.journal.remark(section.statement, 'missing', `${text} ${fault}`);
    return [];
  });
}

function listenFault({ address, port }: ServerAddress, protocol: string): string | undefined {
  if (port === 0) return 'is every port: Tandem listens on one, list those that are used';
  if (isMulticast(address) || isBroadcast(address)) return 'is not an address of one host';
  if (isUnspecified(address) && protocol === 'udp') return 'is no address that UDP replies could leave from';
  return undefined;
}

/** What each IPVS scheduler is here; those with a remark are not quite the same. */
const SCHEDULERS: Readonly<Record<string, { algorithm: string; weighted: boolean; remark?: string }>> = {
  rr: { algorithm: 'round-robin', weighted: false },
  wrr: { algorithm: 'round-robin', weighted: true },
  lc: { algorithm: 'least-connections', weighted: false },
  wlc: { algorithm: 'least-connections', weighted: true },
  sed: {
    algorithm: 'least-connections',
    weighted: true,
    remark: 'shortest expected delay becomes least-connections',
  },
  nq: { algorithm: 'least-connections', weighted: true, remark: 'never queue becomes least-connections' },
  lblc: {
    algorithm: 'least-connections',
    weighted: true,
    remark: 'locality is for caches: least-connections',
  },
  lblcr: {
    algorithm: 'least-connections',
    weighted: true,
    remark: 'locality is for caches: least-connections',
  },
  dh: { algorithm: 'source-hash', weighted: true, remark: 'a proxy has one destination: source-hash' },
  sh: { algorithm: 'source-hash', weighted: true },
  mh: { algorithm: 'maglev', weighted: true },
  fo: { algorithm: 'first', weighted: true, remark: 'the servers are ordered by weight, the heaviest first' },
  ovf: {
    algorithm: 'first',
    weighted: true,
    remark: 'the servers are ordered by weight, which is their limit too',
  },
  twos: { algorithm: 'random-two', weighted: true },
};

function schedulerOf({ section }: VirtualServer): string {
  const name = section.text('lvs_sched', 'lb_algo') ?? 'wlc';
  return Object.hasOwn(SCHEDULERS, name) ? name : 'unknown';
}

function convertSchedule(server: VirtualServer): TomlValue {
  const { section } = server;
  const scheduler = schedulerOf(server);
  const { algorithm, remark } = SCHEDULERS[scheduler] ?? {
    algorithm: 'least-connections',
    remark: 'not a known scheduler: least-connections',
  };
  const statement = section.last('lvs_sched', 'lb_algo');
  if (remark !== undefined && statement !== undefined) section.journal.remark(statement, 'changed', remark);
  const hashes = algorithm === 'source-hash' || algorithm === 'maglev';
  const port = section.last('sh-port', 'mh-port', 'flag-2');
  if (port !== undefined && (scheduler === 'sh' || scheduler === 'mh')) {
    return { algorithm: 'maglev', hash_key: 'tuple' };
  }
  if (port !== undefined) section.journal.remark(port, 'needless', 'it means nothing to this scheduler');
  const persistent = section.last('persistence_timeout') !== undefined;
  return persistent && !hashes ? 'source-hash' : algorithm;
}

function convertTimeouts(timeouts: LvsTimeouts, protocol: string): TomlTable[] {
  const span = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : formatDuration(seconds(value));
  const values =
    protocol === 'tcp'
      ? { idle: span(timeouts.tcp), fin: span(timeouts.tcpfin) }
      : { session: span(timeouts.udp) };
  if (Object.values(values).every((value) => value === undefined)) return [];
  return [{ header: '[service.timeout]', comments: [], values }];
}

function convertBackends(server: VirtualServer, listen: ReadonlySet<string>): TomlTable[] {
  const scheduler = schedulerOf(server);
  const weighted = SCHEDULERS[scheduler]?.weighted ?? true;
  const ordered = SCHEDULERS[scheduler]?.algorithm === 'first';
  const seen = new Set(listen);
  const unseen = (endpoint: ServerAddress): boolean =>
    !seen.has(written(endpoint)) && !!seen.add(written(endpoint));
  const servers = server.realServers.filter((real) => {
    if (unseen(real)) return true;
    real.section.journal.remark(
      real.section.statement,
      'missing',
      'left out: its address is taken in this service',
    );
    return false;
  });
  const sorted = ordered ? servers.toSorted((a, b) => b.weight - a.weight) : servers;
  const scale = weightScale(servers, weighted);
  const tables = sorted.map((real) => backendTable(real, scale(real), scheduler === 'ovf'));
  const sorry = server.sorryServer;
  if (sorry === undefined) return tables;
  if (!unseen(sorry)) {
    server.section.journal.remark(
      sorry.statement,
      'missing',
      'left out: its address is taken in this service',
    );
    return tables;
  }
  const values = { address: written(sorry), backup: true };
  return [...tables, { header: '[[service.backend]]', comments: ['sorry_server'], values }];
}

const MAX_WEIGHT = 256;

/** Weights keep their proportions when the largest does not fit; schedulers without weights know 0 alone. */
function weightScale(servers: readonly RealServer[], weighted: boolean): (server: RealServer) => number {
  const largest = servers.reduce((largest, { weight }) => Math.max(largest, weight), 1);
  return ({ weight, section }) => {
    if (weight === 0) return 0;
    const statement = section.last('weight');
    if (!weighted) {
      const text = 'the scheduler does not weigh: every server counts the same';
      if (statement !== undefined && weight !== 1) section.journal.remark(statement, 'needless', text);
      return 1;
    }
    if (largest <= MAX_WEIGHT) return Math.round(weight);
    const scaled = Math.max(1, Math.round((weight * MAX_WEIGHT) / largest));
    if (statement !== undefined) section.journal.remark(statement, 'changed', `in proportion: ${scaled}`);
    return scaled;
  };
}

function backendTable(real: RealServer, weight: number, overflows: boolean): TomlTable {
  const limit = real.maxConnections > 0 ? Math.round(real.maxConnections) : overflows ? real.weight : 0;
  const values = {
    address: written(real),
    weight: weight === 1 ? undefined : weight,
    max_connections: limit > 0 ? limit : undefined,
  };
  return { header: '[[service.backend]]', comments: [], values };
}
