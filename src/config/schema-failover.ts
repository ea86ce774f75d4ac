import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { listenEndpoint, routeTarget, unicastAddress, virtualAddress } from './addresses.ts';
import { ADVERTISE_VALUES, ADVERTISE_WORDS } from './advertise.ts';
import { notes } from './kinds.ts';
import { command, hour, interfaceName, isTable, path } from './schema-common.ts';
import { track, witness } from './schema-standing.ts';
import { duration, flag, integer, name, oneOf, text } from './values.ts';

// [failover]: who may be Active, and what goes with it.

const announce = z.strictObject({
  repeat: integer(1, 100).default(5).describe('how many for each address on becoming active'),
  interval: duration(millis(1), seconds(60)).default(millis(200)).describe('between them'),
  delay: duration(millis(0), hour)
    .default(seconds(5))
    .describe(
      'as many again this long after becoming active, for switches and hosts that missed the first; 0 is none',
    ),
  refresh: duration(millis(0), hour)
    .default(seconds(10))
    .describe(
      'again this often while active; 0 is never. It bounds how long a host can have the wrong address after a conflict that the other router ended without a word',
    ),
  refresh_repeat: integer(1, 100).default(1).describe('how many then, `interval` apart'),
  pace: duration(millis(0), seconds(1))
    .default(millis(0))
    .describe('between the announcements of two addresses, for switches that drop a burst'),
  conflict_repeat: integer(1, 100)
    .optional()
    .describe('in place of `repeat` when another router was found active beside this one')
    .register(notes, { without: '`repeat`' }),
  conflict_delay: duration(millis(0), hour)
    .optional()
    .describe('in place of `delay` then')
    .register(notes, { without: '`delay`' }),
});

const unicast = z.strictObject({
  source: unicastAddress()
    .optional()
    .describe("this node's address; it must be one of the interface's, and not a virtual one")
    .register(notes, { without: "the interface's primary one" }),
  peers: z
    .array(unicastAddress())
    .default([])
    .describe("the other node's addresses, one for each family of the group's addresses; not virtual ones")
    .register(notes, { without: 'required' }),
});

const placedAddress = z.strictObject({
  address: virtualAddress().describe('').register(notes, { values: 'as in `addresses`' }),
  interface: interfaceName
    .optional()
    .describe('where it is held')
    .register(notes, { without: "the group's" }),
});

const SHORT_ADDRESS = { json: { type: 'string' }, values: '`"10.0.0.100/24"`' } as const;

/** `"10.0.0.100/24"` is short for `{ address = "10.0.0.100/24" }`. */
const held = () =>
  z
    .preprocess((raw) => (isTable(raw) ? raw : { address: raw }), placedAddress)
    .register(notes, { short: SHORT_ADDRESS });

const route = z.strictObject({
  to: routeTarget().describe(
    'the destination; `"default"` takes its family from `via` or `source`. Not the network of an interface of this host, nor a virtual address',
  ),
  via: unicastAddress()
    .optional()
    .describe('the gateway, in a network of this host; neither a virtual address nor its own')
    .register(notes, { without: 'none: straight onto the interface' }),
  interface: interfaceName
    .optional()
    .describe('')
    .register(notes, { without: "the one that leads to `via`; without `via` the group's" }),
  table: integer(1, 4_294_967_295)
    .default(254)
    .describe('')
    .register(notes, { values: '1 to 4,294,967,295, not 255', without: 'the main one' }),
  metric: integer(1, 4_294_967_295).optional().describe('').register(notes, { without: 'none (IPv6: 1024)' }),
  source: unicastAddress()
    .optional()
    .describe('preferred source address, such as a virtual address of the group')
    .register(notes, { without: "the kernel's choice" }),
});

const virtualMacTable = z.strictObject({
  name: interfaceName
    .optional()
    .describe("interface with the IPv4 router's MAC address, made and removed by Tandem")
    .register(notes, { without: '`"vrrp."` and the VRID' }),
  name_v6: interfaceName
    .optional()
    .describe('the same for IPv6')
    .register(notes, { without: '`"vrrp6."` and the VRID' }),
});

/** `virtual_mac = true` is short for `virtual_mac = {}`; false is the same as without. */
const virtualMac = z.preprocess((raw) => {
  if (raw === true) return {};
  return raw === false ? undefined : raw;
}, virtualMacTable.optional());

const version = integer(2, 3).transform((n): 2 | 3 => (n === 2 ? 2 : 3));

const program = (about: string) => command().optional().describe(about).register(notes, { without: 'none' });

const notify = z.strictObject({
  active: program('after becoming so'),
  backup: program('after becoming so'),
  fault: program('after leaving the election: link down, not fit, the agent died'),
  stopped: program('when the daemon stops, or a reload drops the group'),
  timeout: duration(millis(10), seconds(300))
    .default(seconds(10))
    .describe('for each of them; then its whole process group is killed'),
  before_claim: program('asked before becoming active'),
  before_claim_timeout: duration(millis(10), seconds(60)).default(seconds(1)).describe('for its answer'),
  on_timeout: oneOf(['proceed', 'refuse'])
    .default('proceed')
    .describe('without an answer in time, or when it cannot run'),
});

/** Of what neither a group nor [failover] says. */
export const GROUP_DEFAULTS = {
  version: 3,
  priority: 100,
  advertiseInterval: seconds(1),
  preempt: true,
  preemptDelay: seconds(0),
  checksum: 'rfc5798',
  accept: true,
  lease: seconds(2),
} as const;

/** What a group takes from [failover] when it does not say so itself. */
const groupSettings = {
  interface: interfaceName
    .optional()
    .describe('where the group speaks VRRP and holds its addresses; not `lo`')
    .register(notes, { without: 'required here or in each group' }),
  version: version
    .optional()
    .describe('VRRP 3 (RFC 9568) or 2 (RFC 3768: IPv4 alone, whole seconds)')
    .register(notes, { values: '2, 3', fallback: GROUP_DEFAULTS.version }),
  priority: integer(1, 255)
    .optional()
    .describe('the higher one is active; 255 owns the addresses, always preempts and never waits')
    .register(notes, { fallback: GROUP_DEFAULTS.priority }),
  // which version a group speaks is known when the whole file is
  advertise_interval: duration(millis(10), seconds(255), ADVERTISE_WORDS)
    .optional()
    .describe(
      'between advertisements, the same on both nodes; the other node takes over after about three of them',
    )
    .register(notes, { values: ADVERTISE_VALUES, fallback: GROUP_DEFAULTS.advertiseInterval }),
  preempt: flag()
    .optional()
    .describe('take over from a node of lower priority')
    .register(notes, { fallback: GROUP_DEFAULTS.preempt }),
  preempt_delay: duration(millis(0), hour)
    .optional()
    .describe('wait this long before doing so')
    .register(notes, { fallback: GROUP_DEFAULTS.preemptDelay }),
  checksum: oneOf(['rfc5798', 'rfc9568'])
    .optional()
    .describe(
      'what the version 3 checksum over IPv4 covers when sent: with a pseudo-header (keepalived, FRR) or without; both are accepted',
    )
    .register(notes, { fallback: GROUP_DEFAULTS.checksum }),
  accept: flag()
    .optional()
    .describe(
      'false: packets to the virtual addresses are dropped, but for neighbour discovery (RFC 9568, Accept_Mode), for groups whose addresses are only a gateway; a service that listens on one is a warning. Needs `nft`',
    )
    .register(notes, { fallback: GROUP_DEFAULTS.accept }),
  announce: announce
    .optional()
    .describe('gratuitous ARP and neighbour advertisements')
    .register(notes, { without: 'its defaults' }),
  notify: notify
    .optional()
    .describe('programs that are told of changes')
    .register(notes, { without: 'none' }),
  lease: duration(seconds(1), seconds(60))
    .optional()
    .describe(
      'the kernel drops an address that is not refreshed for this long: a node that is killed whole loses it. A process that hangs is given up after 3/4 of it, 1.5 s at most',
    )
    .register(notes, { values: '1s to 60s, whole seconds', fallback: GROUP_DEFAULTS.lease }),
};

const group = z.strictObject({
  name: name('a name for this group')
    .optional()
    .describe('unique, in commands, metrics and logs')
    .register(notes, { without: '`"vrid-"` and the VRID' }),
  vrid: integer(1, 255).describe(
    'virtual router id, the same on both nodes, one group only for each interface and address family',
  ),
  addresses: z
    .array(held())
    .default([])
    .describe(
      "virtual addresses with their prefix lengths, IPv4 and IPv6; each family runs a state machine of its own. Hosts' addresses: not the network's (in IPv6 the subnet-router anycast address), not its broadcast address",
    )
    .register(notes, { without: 'required' }),
  excluded_addresses: z
    .array(held())
    .default([])
    .describe(
      'held, leased and announced like `addresses`, but not part of the advertisements: for peers that are told other lists, and for more addresses than one advertisement carries. One of a family without advertised addresses goes with the other family',
    )
    .register(notes, { without: 'none' }),
  virtual_mac: virtualMac
    .optional()
    .describe(
      "the MAC address of the RFC in place of the host's own; `true` is short for the defaults of its table. A change makes the group leave the election once. Needs `nft` for IPv4",
    )
    .register(notes, { short: { json: { type: 'boolean' }, values: 'true, false' }, without: '`false`' }),
  routes: z
    .array(route)
    .default([])
    .describe('routes that are there while the group is active')
    .register(notes, { without: 'none' }),
  unicast: unicast.optional().describe('instead of multicast').register(notes, { without: 'none' }),
  auth_pass: text('a password of 1 to 8 bytes')
    .optional()
    .describe(
      'version 2: the password of RFC 2338, for other programs that insist on it; it protects nothing',
    )
    .register(notes, { values: '1 to 8 bytes', without: 'none' }),
  track: z
    .array(name('the name of a tracker'))
    .optional()
    .describe('trackers that count for this group')
    .register(notes, { without: 'every tracker' }),
  sync: name('a name that the groups which move together share')
    .optional()
    .describe(
      'groups with the same word move together and share their trackers; their `priority`, `preempt` and `preempt_delay` must be equal. IPv4 and IPv6 of one group always move together',
    )
    .register(notes, { values: 'a name', without: 'none' }),
  ...groupSettings,
});

const peer = z.strictObject({
  address: unicastAddress().describe(
    'the other node, on the network of the virtual addresses; only from there are requests taken',
  ),
  port: integer(1, 65_535).default(8_694).describe('where the other node listens'),
  listen: listenEndpoint()
    .optional()
    .describe('where this node listens')
    .register(notes, { without: 'any address of the family of `address`, with `port`' }),
  secret_file: path('the path of a file, such as "/etc/tandem/peer.key"').describe(
    '32 to 4,096 bytes, the same on both nodes; others than its owner and group must not be able to read it',
  ),
  drain: duration(millis(0), hour)
    .default(seconds(60))
    .describe('how long TCP connections stay with the node that gave the addresses away; 0 keeps none'),
});

export const failover = z.strictObject({
  ...groupSettings,
  realtime_priority: integer(0, 99)
    .default(50)
    .describe(
      'SCHED_FIFO priority of the agent, with nice -20 where that is refused; 0 leaves the normal scheduler. A change needs a restart',
    ),
  startup_delay: duration(millis(0), hour)
    .default(seconds(0))
    .describe(
      "after the daemon's start this node enters no election for this long: where a switch port or a bond is deaf at first, it would hear nobody and take the addresses. Not after a reload or a replaced agent. A change needs a restart",
    ),
  peer: peer.optional().describe("the other node's daemon").register(notes, { without: 'none' }),
  witness: witness
    .optional()
    .describe('what tells a node that is cut off from one whose peer is dead')
    .register(notes, { without: 'none' }),
  group: z
    .array(group)
    .default([])
    .describe('virtual routers and their addresses')
    .register(notes, { without: 'required' }),
  track: z
    .array(track)
    .default([])
    .describe('what else decides how good this node is')
    .register(notes, { without: 'none' }),
});

/** Where neither the group nor [failover] says anything. */
export const ANNOUNCE_DEFAULTS = announce.parse({});
