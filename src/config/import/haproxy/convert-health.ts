import { clamp } from '../../../lib/clamp.ts';
import { type Duration, formatDuration, micros, millis, seconds } from '../../../lib/duration.ts';
import { isHostName } from '../http.ts';
import { mostCommon } from '../majority.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { readTimeout } from './convert-timeouts.ts';
import type { ProxySection } from './proxy.ts';
import { readHttpCheck } from './read-http-check.ts';
import type { Server } from './read-server.ts';
import { conversation, readTcpCheck } from './read-tcp-check.ts';
import type { Statement } from './statement.ts';
import { parseTime } from './time.ts';

/** How the proxies that servers track are found. */
export type FindServer = (
  proxy: string,
  server: string,
) => { readonly proxy: ProxySection; readonly server: Server } | undefined;

type Health = Readonly<Record<string, TomlValue | undefined>>;

interface Probe {
  readonly keys: Health;
  readonly port: number | undefined;
  readonly sendProxy: boolean;
}

interface Candidate {
  readonly server: Server;
  readonly health: Health;
}

const KINDS = [
  'httpchk',
  'tcp-check',
  'ldap-check',
  'mysql-check',
  'pgsql-check',
  'redis-check',
  'smtpchk',
  'spop-check',
  'ssl-hello-chk',
  'external-check',
];
const MIN = millis(10);
const HOUR = seconds(3_600);

/** Options that mean nothing to a server without `check`. */
const TIMERS = [
  'inter',
  'fastinter',
  'downinter',
  'rise',
  'fall',
  'port',
  'check-ssl',
  'check-sni',
  'check-send-proxy',
  'verify',
  'observe',
  'error-limit',
  'on-error',
];

/**
 * [service.health]: HAProxy asks in one way for a backend, with times and ports of each server; Tandem has one
 * set of them. That which most servers share is taken; what differs is told.
 */
export function convertHealth(
  back: ProxySection,
  servers: readonly Server[],
  find: FindServer,
  jitter: string | undefined,
  sendsHeader: boolean,
): TomlTable | undefined {
  const candidates = servers
    .flatMap((server) => candidateOf(back, server, find))
    // a header of checks is that of clients
    .map((one) => (sendsHeader ? one : { ...one, health: { ...one.health, send_proxy: undefined } }));
  const [chosen] = mostCommon(candidates, contentOf);
  const checked = new Set(candidates.map(({ server }) => server));
  for (const server of servers) {
    if (checked.has(server)) continue;
    for (const timer of TIMERS) server.remarkOwnOption(timer, 'needless', 'this server has no check');
    if (chosen !== undefined && !server.has('backup'))
      server.remark('changed', 'it has no check, and gets that of the others of its service');
  }
  if (chosen === undefined) return undefined;
  for (const { server, health } of candidates) remarkDifferences(server, health, chosen.health);
  return { header: '[service.health]', comments: [], values: { ...chosen.health, jitter } };
}

const contentOf = ({ health }: Candidate): string => JSON.stringify(health);

/** The options that say what a key of the check says. */
const SAID_BY: Readonly<Record<string, readonly string[]>> = {
  interval: ['inter'],
  fast_interval: ['fastinter'],
  rise: ['rise'],
  fall: ['fall'],
  port: ['port'],
  tls: ['check-ssl'],
  tls_verify: ['verify'],
  host: ['check-sni'],
  send_proxy: ['check-send-proxy'],
};

function remarkDifferences(server: Server, health: Health, chosen: Health): void {
  const keys = [...new Set([...Object.keys(health), ...Object.keys(chosen)])];
  for (const key of keys) {
    if (JSON.stringify(health[key]) === JSON.stringify(chosen[key])) continue;
    const option = SAID_BY[key]?.find((name) => server.has(name));
    const text = `a service has one check for all its backends: \`${key}\` is ${JSON.stringify(chosen[key]) ?? 'not set'}`;
    if (option === undefined) server.remark('changed', text);
    else server.remarkOption(option, 'missing', text);
  }
}

function candidateOf(back: ProxySection, server: Server, find: FindServer): Candidate[] {
  const track = server.value('track');
  if (track === undefined)
    return server.has('check') ? [{ server, health: healthOf(back, server, undefined) }] : [];
  const [proxy, name] = track.includes('/') ? track.split('/') : [back.name, track];
  const tracked = find(proxy ?? '', name ?? '');
  if (tracked === undefined || !tracked.server.has('check')) {
    server.remarkOption('track', 'missing', 'left out: there is no such server with a check of its own');
    return [];
  }
  const port = portOf(tracked.server);
  const other = port === portOf(server) ? undefined : port;
  return [{ server, health: healthOf(tracked.proxy, tracked.server, other) }];
}

const portOf = ({ written }: Server): number | undefined =>
  'address' in written ? written.ports?.first : undefined;

/** `port`: that of a server which is tracked. */
function healthOf(back: ProxySection, server: Server, port: number | undefined): Health {
  const probe = probeOf(back, server);
  const time = (name: string): Duration | undefined => {
    const option = server.option(name);
    const value = option === undefined ? undefined : parseTime(option.values[0] ?? '');
    if (option !== undefined && value === undefined)
      server.remarkOption(name, 'missing', 'left out: not a time');
    return value;
  };
  const count = (name: string, standard: number): number => {
    const option = server.option(name);
    return option === undefined ? standard : (back.numberIn(option, option.values[0], 1, 1_000) ?? standard);
  };
  const interval = clamp(time('inter') ?? seconds(2), MIN, HOUR);
  const fast = time('fastinter');
  if (fast !== undefined && fast > interval)
    server.remarkOption('fastinter', 'changed', 'at most `interval`');
  if (time('downinter') === interval) server.remarkOption('downinter', 'carried', '`health.interval`');
  const portOption = server.option('port');
  const asked =
    portOption === undefined ? probe.port : back.numberIn(portOption, portOption.values[0], 1, 65_535);
  const usual = portOf(server);
  return {
    ...probe.keys,
    port: asked === undefined ? port : asked === usual && port === undefined ? undefined : asked,
    send_proxy:
      probe.keys['type'] !== 'exec' && (server.has('check-send-proxy') || probe.sendProxy) ? true : undefined,
    interval: formatDuration(interval),
    fast_interval: formatDuration(clamp(fast ?? interval, MIN, interval)),
    timeout: formatDuration(timeoutOf(back, interval)),
    rise: count('rise', 2),
    fall: count('fall', 3),
    initial: 'up',
  };
}

/** `timeout check` counts from the connection on; without it the interval is all there is. */
function timeoutOf(back: ProxySection, interval: Duration): Duration {
  const check = readTimeout(back, 'check');
  const statement = back.last('timeout check');
  if (check === undefined || statement === undefined) return interval;
  if (check > interval) back.journal.remark(statement, 'changed', 'at most the interval of the checks');
  const connect = readTimeout(back, 'connect') ?? interval;
  return clamp(micros(Math.min(connect, interval) + check), MIN, interval);
}

function probeOf(back: ProxySection, server: Server): Probe {
  const option = back.last(...KINDS.map((kind) => `option ${kind}`));
  const kind = option === undefined || option.negated ? undefined : option.keyword;
  if (option !== undefined && kind === 'option httpchk') return httpProbe(back, server, option);
  if (option !== undefined && kind === 'option external-check') return programProbe(back, option);
  if (kind === 'option tcp-check') return scriptProbe(back, server);
  const hello = kind === 'option ssl-hello-chk';
  return {
    keys: {
      type: 'tcp',
      ...tlsKeys(server, server.has('check-ssl') || hello),
      // HAProxy looks at the answer to its greeting, not at the certificate
      ...(hello ? { tls_verify: false } : {}),
      exchange: option === undefined || option.negated ? undefined : conversation(option),
    },
    port: undefined,
    sendProxy: false,
  };
}

function scriptProbe(back: ProxySection, server: Server): Probe {
  const { exchange, port, tls, sni, sendProxy } = readTcpCheck(back);
  const secure = tlsKeys(server, server.has('check-ssl') || tls, sni);
  return { keys: { type: 'tcp', ...secure, exchange }, port, sendProxy };
}

/** Of a check, by the options of its server. @param named the server name that the check itself gives */
function tlsKeys(server: Server, tls: boolean, named?: string): Health {
  const sni = server.value('check-sni');
  const verify = server.value('verify');
  if (!tls) {
    for (const name of ['verify', 'check-sni']) server.remarkOption(name, 'needless', 'the check has no TLS');
    return {};
  }
  if (verify !== 'none') {
    const text = "`tls_verify` compares with the system's roots, not with `ca-file`";
    server.remarkOption('verify', 'changed', text);
  }
  const usable = sni === undefined || isHostName(sni);
  if (!usable) server.remarkOption('check-sni', 'missing', 'left out: not a host name');
  return { tls: true, tls_verify: verify !== 'none', host: named ?? (usable ? sni : undefined) };
}

function httpProbe(back: ProxySection, server: Server, option: Statement): Probe {
  const check = readHttpCheck(back, option);
  const secure = tlsKeys(server, server.has('check-ssl') || check.tls);
  return {
    keys: { type: 'http', ...secure, ...check.keys, host: check.keys['host'] ?? secure['host'] },
    port: check.port,
    sendProxy: check.sendProxy,
  };
}

/** HAProxy runs it with the addresses of the proxy and of the server; a backend has none of its own. */
function programProbe(back: ProxySection, option: Statement): Probe {
  const command = back.last('external-check command');
  const program = command?.words[2];
  if (program === undefined || !program.startsWith('/') || program.includes('\0')) {
    const text = 'connects only: external-check command names no program by its absolute path';
    back.journal.remark(command ?? option, 'missing', text);
    return { keys: { type: 'tcp' }, port: undefined, sendProxy: false };
  }
  back.last('external-check path');
  const script = 'exec "$0" NOT_USED NOT_USED "$TANDEM_BACKEND_ADDRESS" "$TANDEM_BACKEND_PORT"';
  return {
    keys: { type: 'exec', command: ['/bin/sh', '-c', script, program] },
    port: undefined,
    sendProxy: false,
  };
}
