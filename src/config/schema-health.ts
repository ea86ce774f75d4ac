import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { unicastAddress } from './addresses.ts';
import { notes, textKind } from './kinds.ts';
import { command, day, hour } from './schema-common.ts';
import {
  duration,
  flag,
  integer,
  jsonPointerFault,
  oneOf,
  payload,
  percent,
  regularExpression,
  right,
  scalar,
  text,
  textLeaf,
  wrong,
} from './values.ts';

// [service.health], [service.agent_check], [service.passive]: what is known of a backend.

/** Where the interval is not shorter. */
export const HEALTH_DEFAULTS = { fastInterval: millis(500), timeout: seconds(1) } as const;

/** What every kind of health check has. */
const check = {
  port: integer(1, 65_535)
    .optional()
    .describe('probe this port')
    .register(notes, { without: "the backend's own" }),
  interval: duration(millis(10), hour).default(seconds(2)).describe('between probes'),
  fast_interval: duration(millis(10), hour)
    .optional()
    .describe('between probes while a verdict is in doubt')
    .register(notes, {
      to: '`interval`',
      fallback: HEALTH_DEFAULTS.fastInterval,
      without: 'at most `interval`',
    }),
  jitter: percent(0, 50).default(10).describe('every interval is stretched or shrunk by up to this share'),
  timeout: duration(millis(10), hour)
    .optional()
    .describe('for each probe')
    .register(notes, { to: '`interval`', fallback: HEALTH_DEFAULTS.timeout, without: 'at most `interval`' }),
  rise: integer(1, 1_000).default(2).describe('successes in a row until up'),
  fall: integer(1, 1_000).default(3).describe('failures in a row until down'),
  initial: oneOf(['checking', 'up'])
    .default('checking')
    .describe('before the first probe, which decides alone: not eligible, or eligible at once'),
};

const requestPath = textLeaf(
  'a path such as "/health"',
  textKind('beginning with `/`', 'paths', { pattern: '^/[\\x21-\\x7e]*$' }),
  (raw) =>
    /^\/[\x21-\x7e]*$/.test(raw)
      ? right(raw)
      : wrong(
          `${JSON.stringify(raw)} is not a request path`,
          'begin it with "/", without spaces (write %20)',
        ),
);

const METHOD = /^[A-Z]{1,20}$/;

const method = textLeaf(
  'an HTTP method such as "GET"',
  textKind('a method in capitals', 'methods', { pattern: METHOD.source }),
  (raw) =>
    METHOD.test(raw)
      ? right(raw)
      : wrong(
          `${JSON.stringify(raw)} is not an HTTP method`,
          `write it in capitals, such as "${METHOD.test(raw.toUpperCase()) ? raw.toUpperCase() : 'GET'}"`,
        ),
);

const HOST = /^[a-zA-Z0-9.:[\]_-]{1,255}$/;

const hostHeader = textLeaf(
  'a host name',
  textKind('a name', 'names', { minLength: 1, maxLength: 255 }),
  (raw) =>
    HOST.test(raw)
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

const sendProxy = () =>
  flag()
    .optional()
    .describe('the check begins with a header of `proxy_protocol.send` that names nobody')
    .register(notes, { fallback: true, without: 'with `port` `false`' });

const tls = {
  tls: flag().default(false).describe('with TLS'),
  tls_verify: flag().default(true).describe("check the certificate against the system's roots"),
};

/** What is sent or expected in one step. */
const MAX_SAID = 4_096;

const exchangeStep = z.strictObject({
  send: payload(MAX_SAID).optional().describe('is sent first').register(notes, { without: 'nothing' }),
  expect: payload(MAX_SAID)
    .optional()
    .describe('what the backend says from then on contains this')
    .register(notes, { without: 'none' }),
  expect_regex: regularExpression()
    .optional()
    .describe('it matches this; each byte is one character')
    .register(notes, { without: 'none' }),
});

const tcpCheck = z.strictObject({
  type: z.literal('tcp').describe(''),
  ...check,
  ...tls,
  host: hostHeader.optional().describe('the TLS server name').register(notes, { without: 'none' }),
  exchange: z
    .array(exchangeStep)
    .max(16)
    .default([])
    .describe('what is said over the connection and must be answered, step by step'),
  send_proxy: sendProxy(),
});

const httpCheck = z.strictObject({
  type: z.literal('http'),
  ...check,
  ...tls,
  method: method.default('GET').describe(''),
  path: requestPath.default('/').describe('with its query'),
  host: hostHeader
    .optional()
    .describe('the Host header and the TLS server name')
    .register(notes, { without: "the backend's address" }),
  expect_status: z.array(integer(100, 599)).default([200]).describe('accepted statuses'),
  expect_body: text('text that the body contains', 4_096)
    .optional()
    .describe('the body contains this text')
    .register(notes, { without: 'none' }),
  expect_regex: regularExpression()
    .optional()
    .describe('the body matches this regular expression')
    .register(notes, { without: 'none' }),
  expect_json: jsonPointers
    .default({})
    .describe('JSON pointers (RFC 6901) and the values that they must have')
    .register(notes, { values: '`{ "/database" = "up" }`', without: 'none' }),
  send_proxy: sendProxy(),
});

const udpCheck = z.strictObject({
  type: z.literal('udp'),
  ...check,
  send: payload()
    .describe('the payload')
    .register(notes, { values: 'text, or `"hex:..."`, at most 65,507 bytes' }),
  expect: payload()
    .optional()
    .describe('what the reply begins with')
    .register(notes, { without: 'any reply' }),
});

/** RFC 1035, section 3.2.1 and 4.1.1: a name's labels are at most 63 bytes, a name 253 characters. */
const dnsName = textLeaf('a DNS name', textKind('a DNS name', 'names', { maxLength: 254 }), (raw) =>
  raw === '.' || (raw.length <= 254 && /^(?:[a-zA-Z0-9_-]{1,63}\.)*[a-zA-Z0-9_-]{1,63}\.?$/.test(raw))
    ? right(raw)
    : wrong(`${JSON.stringify(raw)} is not a DNS name`, 'write a name such as "example.org"'),
);

/** RFC 1035, section 4.1.1; the index is the code. */
export const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;

const dnsCheck = z.strictObject({
  type: z.literal('dns'),
  ...check,
  query: dnsName.describe('the name asked for'),
  record_type: oneOf(['A', 'AAAA', 'NS', 'SOA', 'TXT']).default('A').describe(''),
  expect_rcode: oneOf(RCODES).default('NOERROR').describe('the answer code'),
});

const execCheck = z.strictObject({
  type: z.literal('exec'),
  ...check,
  command: command().describe(
    "a program's absolute path and its arguments; no shell. Exit status 0 is healthy",
  ),
});

export const health = z.discriminatedUnion('type', [tcpCheck, httpCheck, udpCheck, dnsCheck, execCheck]);

export const passive = z.strictObject({
  failures: integer(0, 1_000).default(5).describe('in a row until a backend is ejected; 0 is off'),
  base_ejection: duration(millis(100), hour)
    .default(seconds(10))
    .describe('the first ejection lasts this long, the n-th n times as long ...'),
  max_ejection: duration(millis(100), day)
    .default(seconds(300))
    .describe('... up to this')
    .register(notes, { from: '`base_ejection`' }),
  max_ejected: percent(0, 100).default(50).describe('never more than this share of the backends at once'),
});

const AGENT_SEND_MAX = 1_024;

/** Sent as it stands; a line end is the writer's business, as with HAProxy's agent-send. */
const agentSend = textLeaf(
  'the text to send, such as "web-1\\n"',
  textKind(`text of at most ${AGENT_SEND_MAX.toLocaleString('en')} bytes`, 'texts', { minLength: 1 }),
  (raw) => {
    if (raw === '') return wrong('must not be empty', 'remove it, or write the text to send');
    const bytes = Buffer.byteLength(raw);
    return bytes <= AGENT_SEND_MAX
      ? right(raw)
      : wrong(`is ${bytes} bytes long`, `write at most ${AGENT_SEND_MAX} bytes`);
  },
);

/** HAProxy's agent-inter. */
export const AGENT_INTERVAL = seconds(2);

/** Everything is optional: a backend's table overrides its service's, and resolve.ts fills in the defaults. */
export const agentCheck = z.strictObject({
  enabled: flag()
    .optional()
    .describe('false: nobody is asked; for a backend that has no agent')
    .register(notes, { fallback: true }),
  port: integer(1, 65_535)
    .optional()
    .describe('where the agent listens')
    .register(notes, { without: 'required here or for each backend' }),
  address: unicastAddress()
    .optional()
    .describe('its address')
    .register(notes, { without: "the backend's own" }),
  interval: duration(millis(100), hour)
    .optional()
    .describe('between questions')
    .register(notes, { fallback: AGENT_INTERVAL }),
  timeout: duration(millis(10), hour)
    .optional()
    .describe('from connect to the end of the line')
    .register(notes, { to: '`interval`', without: '`interval`' }),
  send: agentSend
    .optional()
    .describe('sent as it stands once connected; end it with `\\n` where the agent reads a line')
    .register(notes, { without: 'nothing' }),
});
