import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { MAX_WEIGHT } from '../model/failover.ts';
import { addressUrl, listenEndpoint, routeTarget, unicastAddress, virtualAddress } from './addresses.ts';
import { ADVERTISE_WORDS } from './advertise.ts';
import { hour, isTable, path } from './schema-common.ts';
import { duration, flag, integer, name, oneOf, right, text, textLeaf, wrong } from './values.ts';

// [failover]: who may be Active, and what goes with it.

const announce = z.strictObject({
  repeat: integer(1, 100).default(5),
  interval: duration(millis(1), seconds(60)).default(millis(200)),
  delay: duration(millis(0), hour).default(seconds(5)),
  refresh: duration(millis(0), hour).default(seconds(10)),
  refresh_repeat: integer(1, 100).default(1),
  pace: duration(millis(0), seconds(1)).default(millis(0)),
  conflict_repeat: integer(1, 100).optional(),
  conflict_delay: duration(millis(0), hour).optional(),
});

const unicast = z.strictObject({
  source: unicastAddress().optional(),
  peers: z.array(unicastAddress()).default([]),
});

/** Linux takes at most 15 bytes (IFNAMSIZ), no "/" and no white space. */
const interfaceName = textLeaf('a network interface such as "eth0"', (raw) =>
  /^[^\s/\0]{1,15}$/.test(raw) && raw !== '.' && raw !== '..'
    ? right(raw)
    : wrong(
        `${JSON.stringify(raw)} is not an interface name`,
        'write a name of 1 to 15 characters, such as "eth0"',
      ),
);

const placedAddress = z.strictObject({
  address: virtualAddress(),
  interface: interfaceName.optional(),
});

/** `"10.0.0.100/24"` is short for `{ address = "10.0.0.100/24" }`. */
const held = z.preprocess((raw) => (isTable(raw) ? raw : { address: raw }), placedAddress);

const route = z.strictObject({
  to: routeTarget(),
  via: unicastAddress().optional(),
  interface: interfaceName.optional(),
  table: integer(1, 4_294_967_295).default(254),
  metric: integer(1, 4_294_967_295).optional(),
  source: unicastAddress().optional(),
});

const virtualMacTable = z.strictObject({
  name: interfaceName.optional(),
  name_v6: interfaceName.optional(),
});

/** `virtual_mac = true` is short for `virtual_mac = {}`; false is the same as without. */
const virtualMac = z.preprocess((raw) => {
  if (raw === true) return {};
  return raw === false ? undefined : raw;
}, virtualMacTable.optional());

const version = integer(2, 3).transform((n): 2 | 3 => (n === 2 ? 2 : 3));

const commandLine = () => z.array(textLeaf('a program or argument', right)).optional();

const notify = z.strictObject({
  active: commandLine(),
  backup: commandLine(),
  fault: commandLine(),
  stopped: commandLine(),
  timeout: duration(millis(10), seconds(300)).default(seconds(10)),
  before_claim: commandLine(),
  before_claim_timeout: duration(millis(10), seconds(60)).default(seconds(1)),
  on_timeout: oneOf(['proceed', 'refuse']).default('proceed'),
});

/** Of both versions: which one a group speaks is known when the whole file is. */
const advertiseInterval = duration(millis(10), seconds(255), ADVERTISE_WORDS);

/** What a group takes from [failover] when it does not say so itself. */
const groupSettings = {
  interface: interfaceName.optional(),
  version: version.optional(),
  priority: integer(1, 255).optional(),
  advertise_interval: advertiseInterval.optional(),
  preempt: flag().optional(),
  preempt_delay: duration(millis(0), hour).optional(),
  checksum: oneOf(['rfc5798', 'rfc9568']).optional(),
  announce: announce.optional(),
  lease: duration(seconds(1), seconds(60)).optional(),
  accept: flag().optional(),
  notify: notify.optional(),
};

const group = z.strictObject({
  name: name('a name for this group').optional(),
  vrid: integer(1, 255),
  addresses: z.array(held).default([]),
  excluded_addresses: z.array(held).default([]),
  routes: z.array(route).default([]),
  virtual_mac: virtualMac.optional(),
  ...groupSettings,
  unicast: unicast.optional(),
  auth_pass: text('a password of 1 to 8 bytes').optional(),
  sync: name('a name that the groups which move together share').optional(),
  track: z.array(name('the name of a tracker')).optional(),
});

/** What every kind of tracker has. */
const tracker = {
  name: name('a name for this tracker'),
  interval: duration(millis(100), hour).default(seconds(1)),
  rise: integer(1, 1_000).default(2),
  fall: integer(1, 1_000).default(2),
};
const trackWeight = () => integer(-MAX_WEIGHT, MAX_WEIGHT);
/** What the trackers have that see something as up or down. */
const upOrDown = { weight: trackWeight().default(0), invert: flag().default(false) };

const track = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('interface'),
    ...tracker,
    ...upOrDown,
    interface: interfaceName,
  }),
  z.strictObject({
    type: z.literal('script'),
    ...tracker,
    ...upOrDown,
    command: z.array(textLeaf('a program or argument', right)).default([]),
    timeout: duration(millis(10), hour).optional(),
  }),
  z.strictObject({
    type: z.literal('process'),
    ...tracker,
    ...upOrDown,
    process: text('the name or the command line of a process', 4_096),
    match: oneOf(['name', 'command']).default('name'),
    count: integer(1, 100_000).default(1),
  }),
  z.strictObject({
    type: z.literal('file'),
    ...tracker,
    weight: trackWeight().default(1),
    path: path('the path of a file'),
  }),
]);

const peer = z.strictObject({
  address: unicastAddress(),
  port: integer(1, 65_535).default(8_694),
  listen: listenEndpoint().optional(),
  secret_file: path('the path of a file'),
  drain: duration(millis(0), hour).default(seconds(60)),
});

/** What every kind of witness has. */
const witnessCheck = {
  interval: duration(millis(100), hour).default(seconds(1)),
  timeout: duration(millis(10), hour).default(millis(500)),
  fall: integer(1, 1_000).default(3),
  rise: integer(1, 1_000).default(2),
  policy: oneOf(['resign', 'stay']).default('resign'),
};

const witness = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('arp'),
    ...witnessCheck,
    interface: interfaceName.optional(),
    target: unicastAddress(),
  }),
  z.strictObject({ type: z.literal('icmp'), ...witnessCheck, target: unicastAddress() }),
  z.strictObject({ type: z.literal('http'), ...witnessCheck, target: addressUrl() }),
]);

export const failover = z.strictObject({
  ...groupSettings,
  peer: peer.optional(),
  witness: witness.optional(),
  realtime_priority: integer(0, 99).default(50),
  startup_delay: duration(millis(0), hour).default(seconds(0)),
  group: z.array(group).default([]),
  track: z.array(track).default([]),
});

/** Where neither the group nor [failover] says anything. */
export const ANNOUNCE_DEFAULTS = announce.parse({});
