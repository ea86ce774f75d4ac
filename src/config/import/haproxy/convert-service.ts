import { millis, seconds } from '../../../lib/duration.ts';
import { parseIp } from '../../../lib/ip.ts';
import { whereabouts } from '../source.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { agree } from './agree.ts';
import {
  backendTables,
  chooseMembers,
  type Member,
  type Members,
  numberOf,
  readAgents,
} from './convert-backends.ts';
import { convertHealth, type FindServer } from './convert-health.ts';
import { convertSchedule, hashesNames } from './convert-schedule.ts';
import { convertTimeouts } from './convert-timeouts.ts';
import type { Globals } from './globals.ts';
import type { ProxySection } from './proxy.ts';
import type { Listening } from './read-binds.ts';
import type { Route } from './read-routes.ts';
import type { Rules } from './read-rules.ts';
import { readServers, type Server } from './read-server.ts';
import { parseTime, span } from './time.ts';

/** What one [[service]] is made of: where clients come from, and where they go. */
export interface Source {
  readonly name: string;
  readonly front: ProxySection;
  /** Undefined: it has routes alone. */
  readonly back: ProxySection | undefined;
  /** Undefined for a service that clients only reach by a route. */
  readonly listening: Listening | undefined;
  readonly port: number | undefined;
  readonly rules: Rules;
  readonly routes: readonly { readonly route: Route; readonly service: string }[];
  readonly globals: Globals;
  readonly findServer: FindServer;
}

/** The tables of a service; undefined when it would have no backend. */
export function convertService(source: Source): TomlTable[] | undefined {
  const { back, front, listening, routes } = source;
  const listen = listening?.endpoints.map(({ text }) => text) ?? [];
  const servers = back === undefined ? [] : readServers(back);
  const chosen = back === undefined ? NOBODY : chooseMembers(back, servers, source.port, new Set(listen));
  if (chosen.members.length === 0 && routes.length === 0) return undefined;
  const of = [front, ...(back === undefined || back === front ? [] : [back])];
  const comment = of.map((proxy) => `${proxy.block.title} (${whereabouts(proxy.head)})`).join(', ');
  const limits = frontLimits(source);
  readKeepAlive(front, back);
  const backValues = back === undefined ? routesAlone(front) : convertBack(source, back, chosen);
  return [
    {
      header: '[[service]]',
      comments: [comment],
      values: {
        name: source.name,
        listen: listening === undefined ? undefined : listen,
        ...limits,
        ...backValues.values,
        proxy_protocol: proxyProtocol(source, chosen),
      },
    },
    ...sourceLimit(source),
    ...routes.map(
      ({ route, service }): TomlTable => ({
        header: '[[service.sni]]',
        comments: [],
        values: { names: route.names, service },
      }),
    ),
    ...backValues.tables,
  ];
}

/** Tandem does so on both sides, unless it is told not to. */
function readKeepAlive(front: ProxySection, back: ProxySection | undefined): void {
  for (const option of ['tcpka', 'clitcpka']) front.flag(option);
  for (const option of ['tcpka', 'srvtcpka']) back?.flag(option);
}

const NOBODY: Members = { members: [], header: undefined, inOrder: false };

const smaller = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

function frontLimits({ front, listening, rules }: Source): Record<string, TomlValue | undefined> {
  const own = front.number(1, 'maxconn', 0, 2_147_483_647);
  const most = smaller(own === 0 ? undefined : own, listening?.maxConnections);
  const rate = front.number(2, 'rate-limit sessions', 0, 1_000_000);
  const backlog = listening?.backlog ?? front.number(1, 'backlog', 1, 2_147_483_647);
  return {
    max_connections: most === undefined ? undefined : Math.min(most, 10_000_000),
    backlog: backlog === undefined ? undefined : Math.min(backlog, 65_535),
    rate: rate === undefined || rate === 0 ? undefined : `${rate}/s`,
    allow: rules.allow.length === 0 ? undefined : rules.allow,
    deny: rules.deny.length === 0 ? undefined : rules.deny,
  };
}

function sourceLimit({ rules: { sourceConnections, sourceRate, prefix } }: Source): TomlTable[] {
  if (sourceConnections === undefined && sourceRate === undefined) return [];
  const values = {
    max_connections: sourceConnections,
    rate: sourceRate,
    prefix_v4: prefix.v4,
    prefix_v6: prefix.v6,
  };
  return [{ header: '[service.source_limit]', comments: [], values }];
}

function proxyProtocol({ listening, rules }: Source, { header }: Members): TomlValue | undefined {
  const accept = listening !== undefined && (listening.accept || rules.trusted !== undefined);
  if (!accept) return header === undefined ? undefined : { send: header };
  const trusted = rules.trusted ?? ['0.0.0.0/0', '::/0'];
  return { accept: true, trusted, ...(header === undefined ? {} : { send: header }) };
}

interface BackValues {
  readonly values: Readonly<Record<string, TomlValue | undefined>>;
  readonly tables: readonly TomlTable[];
}

function convertBack(source: Source, back: ProxySection, chosen: Members): BackValues {
  const { front, globals, findServer, routes } = source;
  const { members } = chosen;
  const servers = members.map(({ server }) => server);
  const agents = readAgents(back, members);
  const common = new Set([...agents.values()].map((agent) => JSON.stringify(agent)));
  const shared = common.size === 1 && agents.size === members.length;
  const backends = backendTables(back, members, shared ? new Map() : agents);
  const limited = backends.some(({ values }) => values['max_connections'] !== undefined);
  const health = convertHealth(back, servers, findServer, globals.jitter, chosen.header !== undefined);
  const hello = source.listening !== undefined && (routes.length > 0 || hashesNames(back));
  const preface = hello ? inspectDelay(front) : undefined;
  const queue = queueMax(source, back, members);
  if (chosen.header === undefined) {
    const text = 'left out: checks begin with a PROXY header only where clients do';
    for (const server of servers) server.remarkOption('check-send-proxy', 'missing', text);
  }
  return {
    values: { schedule: convertSchedule(back, chosen.inOrder), ...backSettings(back, servers) },
    tables: [
      ...convertTimeouts(front, back, preface, limited, queue),
      ...(health === undefined ? [] : [health]),
      ...agentTable(shared ? [...agents.values()][0] : undefined),
      ...passiveTable(back, members),
      ...backends,
    ],
  };
}

/** A service that only has routes: how long it waits for server names is all that is to be said. */
function routesAlone(front: ProxySection): BackValues {
  const preface = inspectDelay(front);
  if (preface === undefined) return { values: {}, tables: [] };
  const values = { preface: span(preface, millis(10), seconds(60)) };
  return { values: {}, tables: [{ header: '[service.timeout]', comments: [], values }] };
}

function inspectDelay(front: ProxySection): ReturnType<typeof parseTime> {
  const statement = front.last('tcp-request inspect-delay');
  return statement === undefined ? undefined : parseTime(statement.words[2] ?? '');
}

/** HAProxy's queues end where its clients do; `maxqueue` bounds that of one server. */
function queueMax(
  { front, globals }: Source,
  back: ProxySection,
  members: readonly Member[],
): number | undefined {
  const each = members.map(({ server }) => numberOf(back, server, 'maxqueue', 0, 10_000_000) ?? 0);
  const sum = each.every((count) => count > 0) ? each.reduce((a, b) => a + b, 0) : undefined;
  const clients = front.number(1, 'maxconn', 0, 2_147_483_647);
  const most = sum ?? (clients === 0 ? undefined : clients) ?? globals.maxConnections;
  return most === undefined ? undefined : Math.min(most, 1_000_000);
}

function agentTable(agent: TomlValue | undefined): TomlTable[] {
  if (typeof agent !== 'object' || Array.isArray(agent)) return [];
  return [
    { header: '[service.agent_check]', comments: [], values: agent as Readonly<Record<string, TomlValue>> },
  ];
}

/** HAProxy: ten failures in a row, where real connections are watched at all. */
function passiveTable(back: ProxySection, members: readonly Member[]): TomlTable[] {
  const observing = members
    .filter(({ server }) => server.has('observe') && server.has('check'))
    .map(({ server }) => server);
  if (observing.length === 0) {
    for (const { server } of members)
      for (const name of ['error-limit', 'on-error'])
        server.remarkOption(name, 'needless', 'nothing is observed');
    return [];
  }
  for (const server of observing) server.option('on-error');
  const failures = agree(
    observing,
    'error-limit',
    (server) => numberOf(back, server, 'error-limit', 1, 1_000) ?? 10,
  );
  return [{ header: '[service.passive]', comments: [], values: { failures } }];
}

type Servers = readonly Server[];

function backSettings(back: ProxySection, servers: Servers): Record<string, TomlValue | undefined> {
  const retries = back.number(1, 'retries', 0, 2_147_483_647) ?? 3;
  const slow = agree(servers, 'slowstart', (server) => {
    const value = server.value('slowstart');
    const time = value === undefined ? undefined : parseTime(value);
    return time === undefined ? undefined : span(time, millis(0), seconds(86_400));
  });
  const close = agree(
    servers,
    'on-marked-down',
    (server) => server.value('on-marked-down') === 'shutdown-sessions',
  );
  return {
    retries: Math.min(retries, 100),
    redispatch: redispatches(back),
    source: readSource(back, servers),
    slow_start: slow,
    on_down: close === true ? 'close' : undefined,
    none_eligible: hasUncheckedBackup(servers) ? 'backup' : undefined,
  };
}

/** A backup without `check` is there whatever happens, and so it must be where all backends are checked. */
function hasUncheckedBackup(servers: Servers): boolean {
  const isChecked = (server: Server): boolean => server.has('check') || server.has('track');
  const backups = servers.filter((server) => server.has('backup'));
  if (!servers.some(isChecked) || backups.length === 0 || backups.some(isChecked)) return false;
  for (const server of backups) {
    server.remark(
      'changed',
      'it has no check: `none_eligible = "backup"` uses it whatever that of the others says of it',
    );
  }
  return true;
}

/** Off unless it is asked for: then a retry goes to the same server. */
function redispatches(back: ProxySection): boolean {
  const statement = back.last('option redispatch');
  if (statement === undefined || statement.negated || statement.words[2] === '0') return false;
  if (statement.words[2] !== '1') {
    back.journal.remark(
      statement,
      'changed',
      '`redispatch`: at every retry, where HAProxy tries the same server up to the last one',
    );
  }
  return true;
}

/** `source` of the servers, else of the backend: an address of this host, or the client's own. */
function readSource(back: ProxySection, servers: Servers): TomlValue | undefined {
  const own = agree(servers, 'source', (server) => {
    const usesrc = server.value('usesrc');
    const address = server.value('source');
    if (address === undefined) return undefined;
    const value = sourceOf(address, usesrc);
    if (value === undefined) server.remarkOption('source', 'missing', NO_SOURCE);
    return value;
  });
  const statement = back.last('source');
  if (statement === undefined) return own;
  if (own !== undefined) {
    back.journal.remark(statement, 'needless', 'the servers say otherwise');
    return own;
  }
  const { words } = statement;
  const at = words.indexOf('usesrc');
  const value = sourceOf(words[1] ?? '', at < 0 ? undefined : words[at + 1]);
  if (value === undefined) back.journal.remark(statement, 'missing', NO_SOURCE);
  else if (words.includes('interface'))
    back.journal.remark(statement, 'missing', 'without its interface: routing decides');
  return value;
}

const NO_SOURCE = 'left out: neither an address of this host nor that of the client';

function sourceOf(address: string, usesrc: string | undefined): 'client' | string[] | undefined {
  if (usesrc !== undefined) return usesrc === 'client' || usesrc === 'clientip' ? 'client' : undefined;
  const plain = address.replace(/^ipv[46]@/, '');
  // a port or a range of ports behind it: the kernel chooses one that is free
  const parsed = parseIp(plain) ?? parseIp(plain.replace(/:[\d-]*$/, '').replace(/^\[(.*)\]$/, '$1'));
  return parsed === undefined || parsed.bytes.every((byte) => byte === 0) ? undefined : [parsed.text];
}
