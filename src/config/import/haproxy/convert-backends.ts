import { clamp } from '../../../lib/clamp.ts';
import { formatDuration, millis, seconds } from '../../../lib/duration.ts';
import { formatHostPort, isUnspecified, parseIp } from '../../../lib/ip.ts';
import { mostCommon } from '../majority.ts';
import { Names } from '../names.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import type { ProxySection } from './proxy.ts';
import type { Server } from './read-server.ts';
import { parseTime } from './time.ts';

/** A server that a service can have. */
export interface Member {
  readonly server: Server;
  /** "10.0.1.11:8080" */
  readonly address: string;
}

export interface Members {
  readonly members: readonly Member[];
  /** PROXY header for all of them. */
  readonly header: 'v1' | 'v2' | undefined;
  /** Only one is to serve at a time, in their order. */
  readonly inOrder: boolean;
}

/**
 * The servers of a backend that can be carried over. One that would get what it does not understand is left out
 * rather than broken: without TLS, or with a PROXY header that it does not expect.
 */
export function chooseMembers(
  back: ProxySection,
  servers: readonly Server[],
  port: number | undefined,
  listen: ReadonlySet<string>,
): Members {
  const seen = new Set<string>();
  const reachable = servers.flatMap((server): Member[] => {
    const address = addressOf(server, port);
    const fault = faultOf(server, address, seen, listen);
    if (fault !== undefined || address === undefined) {
      server.remark('missing', `left out: ${fault}`);
      return [];
    }
    seen.add(address);
    return [{ server, address }];
  });
  const header = mostCommon(reachable, ({ server }) => headerOf(server) ?? '')[0];
  const common = header === undefined ? undefined : headerOf(header.server);
  const alike = reachable.filter(({ server }) => {
    if (headerOf(server) === common) return true;
    const text = `left out: the others of its service ${common === undefined ? 'get no PROXY header' : `get a PROXY header of ${common}`}, and all get the same`;
    server.remark('missing', text);
    return false;
  });
  return { ...chooseBackups(back, alike), header: common };
}

function addressOf({ written }: Server, port: number | undefined): string | undefined {
  if ('fault' in written) return undefined;
  const { address, ports, offset } = written;
  if (ports !== undefined)
    return ports.first === ports.last ? formatHostPort(address.text, ports.first) : undefined;
  const own = port === undefined ? Number.NaN : port + offset;
  return own >= 1 && own <= 65_535 ? formatHostPort(address.text, own) : undefined;
}

function faultOf(
  server: Server,
  address: string | undefined,
  seen: ReadonlySet<string>,
  listen: ReadonlySet<string>,
): string | undefined {
  const { written } = server;
  if ('fault' in written) return written.fault;
  if (server.has('ssl')) return 'it wants TLS, and Tandem passes bytes through as they are';
  if (isUnspecified(written.address)) return "it stands for the client's destination: list the servers";
  if (written.address.text === '255.255.255.255') return 'a broadcast address';
  if (address === undefined) return 'it has no port, and the service listens on several';
  if (seen.has(address)) return 'a service has one backend for an address: give the other one its weight';
  if (listen.has(address)) return 'the service itself listens there';
  return undefined;
}

function headerOf(server: Server): 'v1' | 'v2' | undefined {
  server.option('proxy-v2-options');
  server.option('non-stick');
  if (server.has('send-proxy')) return 'v1';
  return ['send-proxy-v2', 'send-proxy-v2-ssl', 'send-proxy-v2-ssl-cn'].some((name) => server.has(name))
    ? 'v2'
    : undefined;
}

/**
 * HAProxy uses the first backup that is there, Tandem all of them at once. With one server to back up,
 * schedule = "first" is the same; else the further backups are left out: two where there was one can do harm.
 */
function chooseBackups(back: ProxySection, members: readonly Member[]): Pick<Members, 'members' | 'inOrder'> {
  const backups = members.filter(({ server }) => server.has('backup'));
  const all = back.flag('allbackups') === true;
  if (all || backups.length < 2) return { members, inOrder: false };
  if (members.length - backups.length <= 1) {
    for (const { server } of backups)
      server.remarkOption('backup', 'carried', '`backup`, one at a time: `schedule = "first"`');
    return { members, inOrder: true };
  }
  const [first, ...others] = backups;
  for (const { server } of others) {
    server.remark(
      'missing',
      `left out: without option allbackups HAProxy uses ${first?.server.name} alone, Tandem would use all of them at once`,
    );
  }
  return { members: members.filter((member) => !others.includes(member)), inOrder: false };
}

/** [[service.backend]] for each; `agents` are those of backends that differ from the service's. */
export function backendTables(
  back: ProxySection,
  members: readonly Member[],
  agents: ReadonlyMap<Server, TomlValue>,
): TomlTable[] {
  const names = new Names();
  return members.map(({ server, address }) => {
    const limit = numberOf(back, server, 'maxconn', 0, 10_000_000) ?? 0;
    server.option('maxqueue');
    server.option('minconn');
    const values = {
      id: names.take(server.name),
      address,
      weight: weightOf(back, server),
      max_connections: limit > 0 ? limit : undefined,
      backup: server.has('backup') ? true : undefined,
      agent_check: agents.get(server),
    };
    return { header: '[[service.backend]]', comments: [], values };
  });
}

export function numberOf(
  back: ProxySection,
  server: Server,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const option = server.option(name);
  return option === undefined ? undefined : back.numberIn(option, option.values[0], min, max);
}

function weightOf(back: ProxySection, server: Server): number | undefined {
  const weight = numberOf(back, server, 'weight', 0, 256);
  if (server.has('disabled')) return 0;
  return weight === 1 ? undefined : weight;
}

/** What asks the agent of each server that has one. */
export function readAgents(back: ProxySection, members: readonly Member[]): ReadonlyMap<Server, TomlValue> {
  const agents = new Map<Server, TomlValue>();
  for (const { server } of members) {
    if (!server.has('agent-check')) {
      for (const name of AGENT_OPTIONS)
        server.remarkOwnOption(name, 'needless', 'this server has no agent-check');
      continue;
    }
    const agent = agentOf(back, server);
    if (agent === undefined) server.remarkOption('agent-check', 'missing', 'left out: it has no agent-port');
    else agents.set(server, agent);
  }
  return agents;
}

const AGENT_OPTIONS = ['agent-port', 'agent-addr', 'agent-inter', 'agent-send'];

function agentOf(back: ProxySection, server: Server): TomlValue | undefined {
  const port = numberOf(back, server, 'agent-port', 1, 65_535);
  if (port === undefined) return undefined;
  const inter = server.value('agent-inter');
  const interval = inter === undefined ? undefined : parseTime(inter);
  if (inter !== undefined && interval === undefined)
    server.remarkOption('agent-inter', 'missing', 'left out: not a time');
  const written = server.value('agent-addr');
  const address = written === undefined ? undefined : parseIp(written);
  if (written !== undefined && address === undefined) {
    server.remarkOption(
      'agent-addr',
      'missing',
      'left out: Tandem does not resolve names: write the address',
    );
  }
  const send = server.value('agent-send');
  const usable = send !== undefined && send !== '' && Buffer.byteLength(send) <= 1_024;
  if (send !== undefined && !usable)
    server.remarkOption('agent-send', 'missing', 'left out: not a text of 1 to 1024 bytes');
  return {
    port,
    ...(address === undefined ? {} : { address: address.text }),
    ...(interval === undefined
      ? {}
      : { interval: formatDuration(clamp(interval, millis(100), seconds(3_600))) }),
    ...(usable ? { send } : {}),
  };
}
