import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';
import { ALGORITHMS, HASH_KEYS, type SourceSpec } from '../model/service.ts';
import { backendEndpoint, listenEndpoint, network, readUnicastAddress, unicastAddress } from './addresses.ts';
import { connections, day, hour, MILLION } from './schema-common.ts';
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

// [[service]]: listeners, limits, health, backends.

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

const AGENT_SEND_MAX = 1_024;

/** Sent as it stands; a line end is the writer's business, as with HAProxy's agent-send. */
const agentSend = textLeaf('the text to send, such as "web-1\\n"', (raw) => {
  if (raw === '') return wrong('must not be empty', 'remove it, or write the text to send');
  const bytes = Buffer.byteLength(raw);
  return bytes <= AGENT_SEND_MAX
    ? right(raw)
    : wrong(`is ${bytes} bytes long`, `write at most ${AGENT_SEND_MAX} bytes`);
});

/** Everything is optional: a backend's table overrides its service's, and resolve.ts fills in the defaults. */
const agentCheck = z.strictObject({
  enabled: flag().optional(),
  port: integer(1, 65_535).optional(),
  address: unicastAddress().optional(),
  interval: duration(millis(100), hour).optional(),
  timeout: duration(millis(10), hour).optional(),
  send: agentSend.optional(),
});

const backend = z.strictObject({
  address: backendEndpoint(),
  id: name('a name for this backend', /^[a-zA-Z0-9_.:[\]-]{1,64}$/).optional(),
  weight: integer(0, 256).default(1),
  max_connections: connections().optional(),
  backup: flag().default(false),
  agent_check: agentCheck.optional(),
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
  for (const [index, text] of raw.entries()) {
    if (typeof text !== 'string') return wrong(`must be an address, not ${describe(text)}`, hint, [index]);
    const parsed = readUnicastAddress(text);
    if (!parsed.ok) return { ...parsed, at: [index] };
    addresses.push(parsed.value);
  }
  return right({ kind: 'pool', addresses });
});

const sniRoute = z.strictObject({
  names: z.array(serverName).default([]),
  service: name('the name of another service'),
});

export const service = z.strictObject({
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
  agent_check: agentCheck.optional(),
  passive: passive.prefault({}),
  backend: z.array(backend).default([]),
});
