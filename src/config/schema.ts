import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';
import { RELAYS } from '../model/config.ts';
import { MAX_WEIGHT } from '../model/failover.ts';
import { ALGORITHMS, HASH_KEYS, type SourceSpec } from '../model/service.ts';
import {
  addressUrl,
  backendEndpoint,
  listenEndpoint,
  network,
  readUnicastAddress,
  routeTarget,
  unicastAddress,
  virtualAddress,
} from './addresses.ts';
import {
  describe,
  duration,
  flag,
  integer,
  jsonPointerFault,
  leaf,
  name,
  oneOf,
  type Parsed,
  payload,
  percent,
  rate,
  regularExpression,
  right,
  scalar,
  text,
  textLeaf,
  wrong,
} from './values.ts';

/**
 * The configuration file as people write it: the keys, their units, ranges and defaults. A key that is
 * optional here has a default that depends on others (resolve.ts) or none, which means "no limit".
 * config/full.toml shows every key with its default; a test holds the two together.
 */

const MILLION = 1_000_000;
const connections = () => integer(1, 10 * MILLION);
const hour = seconds(3_600);
const day = seconds(86_400);

const isTable = (raw: unknown): boolean => typeof raw === 'object' && raw !== null && !Array.isArray(raw);

const path = (expected: string) =>
  textLeaf(expected, (raw) =>
    raw.startsWith('/') && !raw.includes('\0')
      ? right(raw)
      : wrong(`${JSON.stringify(raw)} is not an absolute path`, `write ${expected}, beginning with "/"`),
  );

const node = z.strictObject({
  name: name('a name for this node').optional(),
  log_level: oneOf(['debug', 'info', 'warn', 'error']).default('info'),
});

const limits = z.strictObject({
  max_connections: connections().optional(),
  warn_at: percent(1, 100).default(80),
  fd_reserve: integer(16, 65_536).default(128),
});

/** Ample: one for each core is the most that is of use. */
const MAX_WORKERS = 64;

const workers = leaf('"auto" or a number', (raw) => {
  const hint = `write "auto" (one for each core) or a whole number from 1 to ${MAX_WORKERS}`;
  if (raw === 'auto') return right(null);
  if (typeof raw !== 'number') return wrong(`must be "auto" or a number, not ${describe(raw)}`, hint);
  if (Number.isInteger(raw) && raw >= 1 && raw <= MAX_WORKERS) return right(raw);
  return wrong(`must be a whole number from 1 to ${MAX_WORKERS}, not ${raw}`, hint);
});

const dataPath = z.strictObject({
  workers: workers.prefault('auto'),
  relay: oneOf(RELAYS).default('auto'),
});

const scheduleTable = z.strictObject({
  algorithm: oneOf(ALGORITHMS),
  hash_key: oneOf(HASH_KEYS).optional(),
  table_size: integer(2, 10 * MILLION).optional(),
  balance_factor: percent(100, 10_000).optional(),
});

/** `schedule = "maglev"` is short for `schedule = { algorithm = "maglev" }`. */
const schedule = z.preprocess((raw) => (typeof raw === 'string' ? { algorithm: raw } : raw), scheduleTable);

const sourceLimit = z.strictObject({
  max_connections: connections().optional(),
  rate: rate().optional(),
  burst: integer(1, MILLION).optional(),
  prefix_v4: integer(8, 32).default(32),
  prefix_v6: integer(16, 128).default(128),
});

const queue = z.strictObject({
  max: integer(0, MILLION).default(1_000),
  timeout: duration(millis(1), hour).default(seconds(5)),
});

const timeout = z.strictObject({
  connect: duration(millis(1), seconds(300)).default(seconds(5)),
  idle: duration(millis(100), day).default(seconds(600)),
  fin: duration(millis(100), day).default(seconds(30)),
  session: duration(millis(100), day).default(seconds(60)),
  preface: duration(millis(10), seconds(60)).default(seconds(3)),
});

/** What every kind of health check has. */
const check = {
  port: integer(1, 65_535).optional(),
  interval: duration(millis(10), hour).default(seconds(2)),
  fast_interval: duration(millis(10), hour).optional(),
  jitter: percent(0, 50).default(10),
  timeout: duration(millis(10), hour).optional(),
  rise: integer(1, 1_000).default(2),
  fall: integer(1, 1_000).default(3),
  initial: oneOf(['checking', 'up']).default('checking'),
};

const requestPath = textLeaf('a path such as "/health"', (raw) =>
  /^\/[\x21-\x7e]*$/.test(raw)
    ? right(raw)
    : wrong(`${JSON.stringify(raw)} is not a request path`, 'begin it with "/", without spaces (write %20)'),
);

const method = textLeaf('an HTTP method such as "GET"', (raw) =>
  /^[A-Z]{1,20}$/.test(raw)
    ? right(raw)
    : wrong(`${JSON.stringify(raw)} is not an HTTP method`, 'write it in capitals, such as "GET" or "HEAD"'),
);

const hostHeader = textLeaf('a host name', (raw) =>
  /^[a-zA-Z0-9.:[\]_-]{1,255}$/.test(raw)
    ? right(raw)
    : wrong(`${JSON.stringify(raw)} is not a host name`, 'write only the name, such as "app.example.org"'),
);

const jsonPointers = z.record(z.string(), scalar()).superRefine((pointers, ctx) => {
  for (const pointer of Object.keys(pointers)) {
    const fault = jsonPointerFault(pointer);
    if (fault === undefined) continue;
    const hint = 'write a JSON pointer (RFC 6901), such as "/database/state"';
    const message = `the JSON pointer ${JSON.stringify(pointer)} ${fault}`;
    ctx.addIssue({ code: 'custom', path: [pointer], message, params: { hint, at: 'key' } });
  }
});

const httpCheck = z.strictObject({
  type: z.literal('http'),
  ...check,
  tls: flag().default(false),
  tls_verify: flag().default(true),
  method: method.default('GET'),
  path: requestPath.default('/'),
  host: hostHeader.optional(),
  expect_status: z.array(integer(100, 599)).default([200]),
  expect_body: text('text that the body contains', 4_096).optional(),
  expect_regex: regularExpression().optional(),
  expect_json: jsonPointers.default({}),
  send_proxy: flag().optional(),
});

/** RFC 1035, section 3.2.1 and 4.1.1: a name's labels are at most 63 bytes, a name 253 characters. */
const dnsName = textLeaf('a DNS name', (raw) =>
  raw === '.' || (raw.length <= 254 && /^(?:[a-zA-Z0-9_-]{1,63}\.)*[a-zA-Z0-9_-]{1,63}\.?$/.test(raw))
    ? right(raw)
    : wrong(`${JSON.stringify(raw)} is not a DNS name`, 'write a name such as "example.org"'),
);

/** RFC 1035, section 4.1.1; the index is the code. */
export const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;

const health = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('tcp'), ...check, send_proxy: flag().optional() }),
  httpCheck,
  z.strictObject({ type: z.literal('udp'), ...check, send: payload(), expect: payload().optional() }),
  z.strictObject({
    type: z.literal('dns'),
    ...check,
    query: dnsName,
    record_type: oneOf(['A', 'AAAA', 'NS', 'SOA', 'TXT']).default('A'),
    expect_rcode: oneOf(RCODES).default('NOERROR'),
  }),
  z.strictObject({
    type: z.literal('exec'),
    ...check,
    command: z.array(textLeaf('a program or argument', right)),
  }),
]);

const passive = z.strictObject({
  failures: integer(0, 1_000).default(5),
  base_ejection: duration(millis(100), hour).default(seconds(10)),
  max_ejection: duration(millis(100), day).default(seconds(300)),
  max_ejected: percent(0, 100).default(50),
});

const backend = z.strictObject({
  address: backendEndpoint(),
  id: name('a name for this backend', /^[a-zA-Z0-9_.:[\]-]{1,64}$/).optional(),
  weight: integer(0, 256).default(1),
  max_connections: connections().optional(),
  backup: flag().default(false),
});

const PROXY_VERSIONS = { v1: 1, v2: 2 } as const satisfies Record<string, ProxyVersion>;

const proxyProtocol = z.strictObject({
  accept: flag().default(false),
  trusted: z.array(network()).default([]),
  send: oneOf(['v1', 'v2'])
    .transform((version) => PROXY_VERSIONS[version])
    .optional(),
});

const serverName = textLeaf('a name such as "app.example.org" or "*.example.org"', (raw) => {
  const text = raw.toLowerCase().replace(/\.$/, '');
  const labels = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
  return labels.test(text) && text.length <= 253
    ? right(text)
    : wrong(
        `${JSON.stringify(raw)} is not a server name`,
        'write a name such as "app.example.org", or "*.example.org" for every name below it',
      );
});

const source = leaf('"client" or a list of addresses', (raw): Parsed<SourceSpec> => {
  if (raw === 'client') return right({ kind: 'client' });
  const hint = 'write "client", or addresses of this host, such as ["10.0.1.2", "10.0.1.3"]';
  if (!Array.isArray(raw))
    return wrong(`must be "client" or a list of addresses, not ${describe(raw)}`, hint);
  const addresses: IpAddress[] = [];
  for (const text of raw) {
    if (typeof text !== 'string') return wrong(`must be a list of addresses, not of ${describe(text)}`, hint);
    const parsed = readUnicastAddress(text);
    if (!parsed.ok) return parsed;
    addresses.push(parsed.value);
  }
  return right({ kind: 'pool', addresses });
});

const sniRoute = z.strictObject({
  names: z.array(serverName).default([]),
  service: name('the name of another service'),
});

const service = z.strictObject({
  name: name('a name for this service'),
  protocol: oneOf(['tcp', 'udp']).default('tcp'),
  listen: z.array(listenEndpoint()).default([]),
  schedule: schedule.optional(),
  none_eligible: oneOf(['reject', 'fail-open', 'backup']).default('reject'),
  max_connections: connections().optional(),
  on_limit: oneOf(['wait', 'reject']).default('wait'),
  rate: rate().optional(),
  burst: integer(1, MILLION).optional(),
  source_limit: sourceLimit.optional(),
  allow: z.array(network()).default([]),
  deny: z.array(network()).default([]),
  queue: queue.prefault({}),
  timeout: timeout.prefault({}),
  retries: integer(0, 100).default(2),
  redispatch: flag().default(true),
  no_delay: flag().default(true),
  keep_alive: flag().default(true),
  backlog: integer(1, 65_535).default(4_096),
  proxy_protocol: proxyProtocol.prefault({}),
  sni: z.array(sniRoute).default([]),
  source: source.optional(),
  slow_start: duration(millis(0), day).default(seconds(0)),
  on_down: oneOf(['keep', 'close']).default('keep'),
  health: health.optional(),
  passive: passive.prefault({}),
  backend: z.array(backend).default([]),
});

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

/** What a group takes from [failover] when it does not say so itself. */
const groupSettings = {
  interface: interfaceName.optional(),
  version: version.optional(),
  priority: integer(1, 255).optional(),
  advertise_interval: duration(millis(10), seconds(255)).optional(),
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

const failover = z.strictObject({
  ...groupSettings,
  peer: peer.optional(),
  witness: witness.optional(),
  realtime_priority: integer(0, 99).default(50),
  startup_delay: duration(millis(0), hour).default(seconds(0)),
  group: z.array(group).default([]),
  track: z.array(track).default([]),
});

const admin = z.strictObject({
  socket: path('the path of a unix socket').default('/run/tandem/admin.sock'),
  group: text('the name of a group on this host', 32).optional(),
});

const metrics = z.strictObject({
  listen: listenEndpoint().prefault('127.0.0.1:9464'),
});

export const fileSchema = z.strictObject({
  drain_timeout: duration(millis(0), day).default(seconds(30)),
  node: node.prefault({}),
  limits: limits.prefault({}),
  data_path: dataPath.prefault({}),
  service: z.array(service).default([]),
  failover: failover.optional(),
  admin: admin.prefault({}),
  metrics: metrics.optional(),
});

/** Where neither the group nor [failover] says anything. */
export const ANNOUNCE_DEFAULTS = announce.parse({});

export type FileSchema = z.infer<typeof fileSchema>;
export type ServiceSection = FileSchema['service'][number];
export type HealthSection = NonNullable<ServiceSection['health']>;
export type FailoverSection = NonNullable<FileSchema['failover']>;
export type AnnounceSection = NonNullable<FailoverSection['announce']>;
export type NotifySection = NonNullable<FailoverSection['notify']>;
export type GroupSection = FailoverSection['group'][number];
export type RouteSection = GroupSection['routes'][number];
export type WitnessSection = NonNullable<FailoverSection['witness']>;
export type TrackSection = FailoverSection['track'][number];
