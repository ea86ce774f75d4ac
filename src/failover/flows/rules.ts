import type { IpAddress, IpFamily } from '../../lib/ip.ts';
import type { Flow } from './tcp-table.ts';

/**
 * The nftables rules of a planned handover as libnftables JSON (libnftables-json(5)). Everything is in tables
 * of our own name, so that deleting them undoes it all.
 */

export const TABLE_PREFIX = 'tandem_handover';

export type TableFamily = 'netdev' | 'arp' | 'inet';

export type NftCommand = Readonly<Record<string, unknown>>;

/** Half-open connections leave the set of known ones after this long without another SYN. */
const SYN_SECONDS = 10;
/** Known connections at once: a flood of SYNs fills this much and no more (about 100 bytes each). */
const MAX_FLOWS = 1_048_576;

export interface SteeringFamily {
  /** The virtual addresses. */
  readonly addresses: readonly IpAddress[];
  /** The giver's own address on the link. */
  readonly via: IpAddress;
}

export interface SteeringSpec {
  readonly table: string;
  readonly device: string;
  readonly families: readonly SteeringFamily[];
  /** Connections that this node has already. */
  readonly known: readonly Flow[];
  readonly drainSeconds: number;
}

interface Words {
  readonly ip: 'ip' | 'ip6';
  readonly type: 'ipv4_addr' | 'ipv6_addr';
}

const WORDS: Readonly<Record<IpFamily, Words>> = {
  4: { ip: 'ip', type: 'ipv4_addr' },
  6: { ip: 'ip6', type: 'ipv6_addr' },
};

/**
 * On the new Active, before the kernel's IP stack sees a packet: a SYN to a virtual address is a connection of
 * ours and is remembered; any other TCP packet that belongs to none of ours is sent on to the giver, as it is,
 * over the link (`fwd` lowers its hop limit, so that two nodes that steer to each other do not do so for ever).
 */
export function steeringCommands(spec: SteeringSpec): NftCommand[] {
  const chain = { family: 'netdev', table: spec.table, name: 'ingress' };
  return [
    ...freshTable('netdev', spec.table),
    {
      add: {
        chain: { ...chain, type: 'filter', hook: 'ingress', dev: spec.device, prio: 0, policy: 'accept' },
      },
    },
    ...spec.families.flatMap((family) => familyCommands(spec, family)),
  ];
}

function familyCommands(spec: SteeringSpec, { addresses, via }: SteeringFamily): NftCommand[] {
  const { ip, type } = WORDS[via.family];
  const name = `known_${ip}`;
  const set = { family: 'netdev', table: spec.table, name };
  const known = spec.known.filter(({ address }) => address.family === via.family);
  // longer than the table lives: what is known must not be forgotten before
  const timeout = spec.drainSeconds + 60;
  const elements = known.map((flow) => ({ elem: { val: { concat: tupleOf(flow) }, timeout } }));
  const tuple = {
    concat: [payload(ip, 'saddr'), payload('tcp', 'sport'), payload(ip, 'daddr'), payload('tcp', 'dport')],
  };
  const remember = (seconds: number): NftCommand => ({
    set: { op: 'update', elem: { elem: { val: tuple, timeout: seconds } }, set: `@${name}` },
  });
  const ours = match(payload(ip, 'daddr'), oneOf(addresses.map(({ text }) => text)));
  const rule = (...expr: NftCommand[]): NftCommand => ({
    add: { rule: { family: 'netdev', table: spec.table, chain: 'ingress', expr: [ours, ...expr] } },
  });
  const isSyn = match({ '&': [payload('tcp', 'flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn');
  const accept = { accept: null };
  return [
    {
      add: {
        set: {
          ...set,
          type: [type, 'inet_service', type, 'inet_service'],
          flags: ['timeout'],
          size: MAX_FLOWS,
        },
      },
    },
    ...(elements.length === 0 ? [] : [{ add: { element: { ...set, elem: elements } } }]),
    rule(isSyn, remember(SYN_SECONDS), accept),
    // the set is full: the connection is ours all the same
    rule(isSyn, accept),
    rule(match(tuple, `@${name}`), remember(timeout), accept),
    rule(match(meta('l4proto'), 'tcp'), {
      fwd: { dev: spec.device, family: ip, addr: via.text },
    }),
  ];
}

export interface QuietSpec {
  readonly table: string;
  readonly device: string;
  /** The virtual IPv4 addresses; IPv6 never answers for an address of lo. */
  readonly addresses: readonly IpAddress[];
  /** This node's own address, to ask from; null when it has none. */
  readonly own: IpAddress | null;
}

/**
 * On the old Active, which keeps the addresses on lo: answer no ARP request for them, and ask from our own
 * address instead of theirs, for a request teaches its sender to everyone who hears it.
 */
export function quietCommands({ table, device, addresses, own }: QuietSpec): NftCommand[] {
  const texts = oneOf(addresses.map(({ text }) => text));
  const chain = (name: string, hook: string): NftCommand => ({
    add: { chain: { family: 'arp', table, name, type: 'filter', hook, prio: 0, policy: 'accept' } },
  });
  const rule = (name: string, ...expr: NftCommand[]): NftCommand => ({
    add: { rule: { family: 'arp', table, chain: name, expr } },
  });
  const sender = payload('arp', 'saddr ip');
  const incoming = rule('input', match(meta('iifname'), device), match(payload('arp', 'daddr ip'), texts), {
    drop: null,
  });
  const outgoing = rule(
    'output',
    match(meta('oifname'), device),
    match(payload('arp', 'operation'), 'request'),
    match(sender, texts),
    own === null ? { drop: null } : { mangle: { key: sender, value: own.text } },
  );
  return [
    ...freshTable('arp', table),
    chain('input', 'input'),
    chain('output', 'output'),
    incoming,
    outgoing,
  ];
}

export interface AcceptSpec {
  readonly table: string;
  /** The virtual addresses. */
  readonly addresses: readonly IpAddress[];
}

/**
 * Accept_Mode off (RFC 9568, 6.4.3): packets of others to the virtual addresses are dropped, but for neighbour
 * solicitations and advertisements.
 */
export function acceptCommands({ table, addresses }: AcceptSpec): NftCommand[] {
  const place = { family: 'inet', table, chain: 'input' };
  const rule = (...expr: NftCommand[]): NftCommand => ({
    add: { rule: { ...place, expr: [{ match: { op: '!=', left: meta('iifname'), right: 'lo' } }, ...expr] } },
  });
  const ofFamily = (family: IpFamily): string[] =>
    addresses.filter((address) => address.family === family).map(({ text }) => text);
  const [four, six] = [ofFamily(4), ofFamily(6)];
  const neighbours = { set: ['nd-neighbor-solicit', 'nd-neighbor-advert'] };
  return [
    ...freshTable('inet', table),
    {
      add: {
        chain: {
          family: 'inet',
          table,
          name: 'input',
          type: 'filter',
          hook: 'input',
          prio: 0,
          policy: 'accept',
        },
      },
    },
    ...(four.length === 0 ? [] : [rule(match(payload('ip', 'daddr'), oneOf(four)), { drop: null })]),
    ...(six.length === 0
      ? []
      : [
          rule(match(payload('ip6', 'daddr'), oneOf(six)), match(payload('icmpv6', 'type'), neighbours), {
            accept: null,
          }),
          rule(match(payload('ip6', 'daddr'), oneOf(six)), { drop: null }),
        ]),
  ];
}

/** Deletes the table whether or not it is there. */
export function deleteTable(family: TableFamily, name: string): NftCommand[] {
  const table = { table: { family, name } };
  return [{ add: table }, { delete: table }];
}

function freshTable(family: TableFamily, name: string): NftCommand[] {
  return [...deleteTable(family, name), { add: { table: { family, name } } }];
}

const payload = (protocol: string, field: string): NftCommand => ({ payload: { protocol, field } });
const meta = (key: string): NftCommand => ({ meta: { key } });
const match = (left: unknown, right: unknown): NftCommand => ({ match: { op: '==', left, right } });

const oneOf = (texts: readonly string[]): unknown => (texts.length === 1 ? texts[0] : { set: texts });

const tupleOf = ({ client, clientPort, address, port }: Flow): unknown[] => [
  client.text,
  clientPort,
  address.text,
  port,
];
