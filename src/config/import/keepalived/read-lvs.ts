import {
  type IpAddress,
  ipFromBytes,
  isBroadcast,
  isHost,
  isMulticast,
  parseIp,
  parsePrefix,
} from '../../../lib/ip.ts';
import type { Journal, Section } from './journal.ts';
import type { RealServer, ServerAddress, VirtualServer } from './model.ts';
import type { Statement } from './parser.ts';

/** Groups that are larger are left out: one listener for each address has its price. */
const MAX_RANGE = 256;

/** `groups` are the items of each virtual_server_group by its name. */
export function readVirtualServer(section: Section, groups: ReadonlyMap<string, Statement>): VirtualServer {
  const { statement } = section;
  const group = statement.args[0] === 'group' ? (statement.args[1] ?? '') : undefined;
  const listen = group === undefined ? ownListen(section) : groupListen(section, groups.get(group));
  const port = listen.find((endpoint) => endpoint.port > 0)?.port ?? 0;
  return {
    section,
    title: statement.args.join(' '),
    group,
    listen,
    protocol: readProtocol(section),
    realServers: section.sections('real_server').flatMap((server) => readRealServer(server, port)),
    sorryServer: readSorryServer(section, port),
  };
}

/** keepalived 2.2 takes UDP, with a warning, which few will have meant. */
function readProtocol(section: Section): string {
  const protocol = section.text('protocol');
  if (protocol !== undefined) return protocol.toUpperCase();
  if (section.statement.args[0] === 'fwmark') return 'UDP';
  section.journal.remark(section.statement, 'changed', 'it names no protocol: UDP, as keepalived takes it');
  return 'UDP';
}

function ownListen({ statement, journal }: Section): ServerAddress[] {
  if (statement.args[0] === 'fwmark') {
    journal.remark(statement, 'missing', 'left out: Tandem listens on addresses, not on firewall marks');
    return [];
  }
  const endpoint = readServerAddress(statement.args);
  if (endpoint !== undefined) return [endpoint];
  journal.remark(statement, 'missing', 'left out: it has no address and port that Tandem could listen on');
  return [];
}

function groupListen({ statement, journal }: Section, group: Statement | undefined): ServerAddress[] {
  if (group === undefined) {
    journal.remark(statement, 'missing', 'left out: there is no such virtual_server_group');
    return [];
  }
  return (group.block ?? []).flatMap((item) => readGroupItem(item, journal));
}

function readGroupItem(item: Statement, journal: Journal): ServerAddress[] {
  journal.read(item);
  if (item.keyword === 'fwmark') {
    journal.remark(item, 'missing', 'left out: Tandem listens on addresses, not on firewall marks');
    return [];
  }
  const addresses = expandRange(item.keyword);
  const port = readPort(item.args[0]);
  if (addresses !== undefined && port !== undefined) return addresses.map((address) => ({ address, port }));
  journal.remark(item, 'missing', `left out: not an address or a range of at most ${MAX_RANGE}`);
  return [];
}

/** "192.0.2.1", "192.0.2.1-10", "192.0.2.1-192.0.2.10", "192.0.2.8/29", and the same for IPv6. */
function expandRange(text: string): IpAddress[] | undefined {
  const single = parseIp(text);
  if (single !== undefined) return [single];
  const prefix = text.includes('/') ? parsePrefix(text) : undefined;
  if (prefix !== undefined) {
    const bits = BigInt(prefix.address.bytes.length * 8 - prefix.length);
    const first = (numberOf(prefix.address) >> bits) << bits;
    return between(first, first + (1n << bits) - 1n, prefix.address);
  }
  const [from = '', to = ''] = text.split('-');
  const first = parseIp(from);
  if (first === undefined || to === '') return undefined;
  const last = parseIp(to) ?? parseIp(from.replace(/[^.:]*$/, to));
  if (last?.family !== first.family) return undefined;
  return between(numberOf(first), numberOf(last), first);
}

const numberOf = ({ bytes }: IpAddress): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

function between(first: bigint, last: bigint, like: IpAddress): IpAddress[] | undefined {
  const count = last - first + 1n;
  if (count < 1n || count > BigInt(MAX_RANGE)) return undefined;
  return Array.from({ length: Number(count) }, (_, i) => {
    const hex = (first + BigInt(i)).toString(16).padStart(like.bytes.length * 2, '0');
    return ipFromBytes(Buffer.from(hex, 'hex'));
  });
}

/** A port that is left out is 0: every port. */
function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return 0;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}

function readServerAddress(args: readonly string[]): ServerAddress | undefined {
  const address = parseIp(args[0] ?? '');
  const port = readPort(args[1]);
  if (address === undefined || port === undefined) return undefined;
  return isMulticast(address) || isBroadcast(address) ? undefined : { address, port };
}

/** The wildcard is somewhere to listen, and no host. */
function readHostAddress(args: readonly string[]): ServerAddress | undefined {
  const read = readServerAddress(args);
  return read !== undefined && isHost(read.address) ? read : undefined;
}

function readRealServer(section: Section, servicePort: number): RealServer[] {
  const { statement, journal } = section;
  const endpoint = readHostAddress(statement.args);
  const port = endpoint === undefined || endpoint.port > 0 ? endpoint?.port : servicePort;
  if (endpoint === undefined || port === undefined || port === 0) {
    journal.remark(statement, 'missing', 'left out: it has no usable address and port');
    return [];
  }
  return [
    {
      section,
      address: endpoint.address,
      port,
      weight: section.number('weight', 0, 65_535) ?? 1,
      maxConnections: section.number('uthreshold', 0, 10_000_000) ?? 0,
    },
  ];
}

function readSorryServer(section: Section, servicePort: number): VirtualServer['sorryServer'] {
  const statement = section.last('sorry_server');
  if (statement === undefined) return undefined;
  const endpoint = readHostAddress(statement.args);
  const port = endpoint?.port || servicePort;
  if (endpoint !== undefined && port > 0) return { address: endpoint.address, port, statement };
  section.journal.remark(statement, 'missing', 'left out: it has no usable address and port');
  return undefined;
}
