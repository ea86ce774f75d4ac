import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { ProxyVersion } from '../lib/proxy-header.ts';
import { ALGORITHMS, HASH_KEYS, type SourceSpec } from '../model/service.ts';
import { backendEndpoint, listenEndpoint, network, readUnicastAddress } from './addresses.ts';
import { notes, textKind } from './kinds.ts';
import { connections, day, hour, MILLION } from './schema-common.ts';
import { agentCheck, health, passive } from './schema-health.ts';
import {
  describe,
  duration,
  flag,
  integer,
  leaf,
  name,
  oneOf,
  type Parsed,
  percent,
  rate,
  right,
  textLeaf,
  wrong,
} from './values.ts';

// [[service]]: listeners, limits, backends.

/** Maglev's table size in the paper (Eisenbud et al., NSDI 2016, section 5.3): a prime, 2^16 + 1. */
export const MAGLEV_TABLE_SIZE = 65_537;

/** Of what a client is for maglev. */
export const HASH_KEY = 'source';

/** What HAProxy, nginx and keepalived (lb_algo) call them. */
const ALGORITHM_NAMES = {
  roundrobin: 'round-robin',
  'static-rr': 'round-robin',
  rr: 'round-robin',
  wrr: 'round-robin',
  leastconn: 'least-connections',
  least_conn: 'least-connections',
  lc: 'least-connections',
  wlc: 'least-connections',
  source: 'source-hash',
  ip_hash: 'source-hash',
  sh: 'source-hash',
  mh: 'maglev',
  random: 'random-two',
  p2c: 'random-two',
} as const;

const scheduleTable = z.strictObject({
  algorithm: oneOf(ALGORITHMS, ALGORITHM_NAMES)
    .describe('')
    .register(notes, { without: 'required in the table' }),
  hash_key: oneOf(HASH_KEYS)
    .optional()
    .describe(
      "maglev: what is hashed: the client's address; client address and port with the service's; the TLS server name, and the client's address where it names none (TLS clients only)",
    )
    .register(notes, { fallback: HASH_KEY }),
  table_size: integer(2, 10 * MILLION)
    .optional()
    .describe('maglev: slots of the table')
    .register(notes, {
      values: 'a prime, at least the number of backends, at most 10,000,000',
      fallback: MAGLEV_TABLE_SIZE,
    }),
  balance_factor: percent(100, 10_000)
    .optional()
    .describe("source-hash and maglev: a backend's ceiling in per cent of the mean load")
    .register(notes, { from: 'above 100%', without: 'none' }),
});

/** `schedule = "maglev"` is short for `schedule = { algorithm = "maglev" }`. */
const schedule = z.preprocess((raw) => (typeof raw === 'string' ? { algorithm: raw } : raw), scheduleTable);

const burst = () =>
  integer(1, MILLION)
    .optional()
    .describe('how many of them may come at once; needs `rate`')
    .register(notes, { without: 'the count of `rate`' });

const sourceLimit = z.strictObject({
  max_connections: connections()
    .optional()
    .describe('connections or sessions at once, for each client network')
    .register(notes, { without: 'none' }),
  rate: rate()
    .optional()
    .describe('new connections, for each client network')
    .register(notes, { without: 'none' }),
  burst: burst(),
  prefix_v4: integer(8, 32).default(32).describe('IPv4 prefix length that counts as one client'),
  prefix_v6: integer(16, 128).default(128).describe('IPv6 prefix length that counts as one client'),
});

const queue = z.strictObject({
  max: integer(0, MILLION).default(1_000).describe('how many may wait; 0 turns waiting off'),
  timeout: duration(millis(1), hour).default(seconds(5)).describe('how long each may wait'),
});

const timeout = z.strictObject({
  connect: duration(millis(1), seconds(300))
    .default(seconds(5))
    .describe('TCP: to a backend, for each attempt'),
  idle: duration(millis(100), day).default(seconds(600)).describe('TCP: no byte in either direction'),
  fin: duration(millis(100), day).default(seconds(30)).describe('TCP: after one side has closed its half'),
  preface: duration(millis(10), seconds(60))
    .default(seconds(3))
    .describe('TCP: from accept until the PROXY header and the ClientHello have come'),
  session: duration(millis(100), day).default(seconds(60)).describe('UDP: no datagram in either direction'),
});

const backend = z.strictObject({
  address: backendEndpoint().describe(
    'unique in its service; never where the service itself listens. A virtual address of this file is a warning: it leads to the Active node, not to a server of its own',
  ),
  id: name('a name for this backend', /^[a-zA-Z0-9_.:\x5b\x5d-]{1,64}$/, '`_`, `.`, `:`, `[`, `]`, `-`')
    .optional()
    .describe('the identity for hashing, metrics and commands; unique in its service')
    .register(notes, { without: '`address`' }),
  weight: integer(0, 256).default(1).describe('share of new clients; 0 takes none'),
  max_connections: connections()
    .optional()
    .describe('at once; then clients wait in the queue or go elsewhere')
    .register(notes, { without: 'none' }),
  backup: flag().default(false).describe('used only when no backend without this mark is eligible'),
  agent_check: agentCheck
    .optional()
    .describe('the keys of `[service.agent_check]` that differ for this backend')
    .register(notes, { without: "the service's" }),
});

const PROXY_VERSIONS = { v1: 1, v2: 2 } as const satisfies Record<string, ProxyVersion>;

const proxyProtocol = z.strictObject({
  accept: flag()
    .default(false)
    .describe(
      'every client begins with a header; allow, deny, source limits, schedules and logs go by the client in it',
    ),
  trusted: z
    .array(network())
    .default([])
    .describe('who may connect then: the proxies before this one; others are refused as `proxy-untrusted`'),
  send: oneOf(['v1', 'v2'])
    .transform((version) => PROXY_VERSIONS[version])
    .optional()
    .describe("what every backend gets before the client's bytes")
    .register(notes, { without: 'none' }),
});

const serverName = textLeaf(
  'a name such as "app.example.org" or "*.example.org"',
  textKind('a name', 'names', { minLength: 1, maxLength: 254 }),
  (raw) => {
    const text = raw.toLowerCase().replace(/\.$/, '');
    const labels = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
    return labels.test(text) && text.length <= 253
      ? right(text)
      : wrong(
          `${JSON.stringify(raw)} is not a server name`,
          'write a name such as "app.example.org", or "*.example.org" for every name below it',
        );
  },
);

const SOURCE = {
  ...textKind('a list of addresses, `"client"`', ''),
  json: { anyOf: [{ const: 'client' }, { type: 'array', items: { type: 'string' } }] },
};

const source = leaf('"client" or a list of addresses', SOURCE, (raw): Parsed<SourceSpec> => {
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
  names: z
    .array(serverName)
    .default([])
    .describe(
      'server names; `"*.example.org"` is every name below it. An exact name comes first, then the longest wildcard',
    )
    .register(notes, { without: 'required' }),
  service: name('the name of another service')
    .describe('another TCP service, without routes of its own')
    .register(notes, { values: "a service's name" }),
});

export const service = z.strictObject({
  name: name('a name for this service').describe('unique name in commands, metrics and logs'),
  protocol: oneOf(['tcp', 'udp']).default('tcp').describe(''),
  listen: z
    .array(listenEndpoint())
    .default([])
    .describe(
      'addresses and ports; no two services may share one. No multicast, no broadcast. Behind a wildcard, replies of UDP leave from the address that the client wrote to; `relay = "node"` cannot do that and takes no wildcard for UDP',
    )
    .register(notes, { without: 'required' }),
  schedule: schedule
    .optional()
    .describe('the algorithm, or a table')
    .register(notes, {
      short: { json: { enum: ALGORITHMS }, values: 'an algorithm' },
      without: '`"least-connections"` for TCP, `"source-hash"` for UDP',
    }),
  none_eligible: oneOf(['reject', 'fail-open', 'backup'])
    .default('reject')
    .describe(
      'when no backend is eligible: refuse; send clients as if health did not matter; the same, to the backups',
    ),
  max_connections: connections()
    .optional()
    .describe('connections or sessions at once')
    .register(notes, { without: 'none' }),
  on_limit: oneOf(['wait', 'reject'])
    .default('wait')
    .describe('TCP at `max_connections`: stop accepting, or accept and close'),
  rate: rate().optional().describe('new connections over all clients').register(notes, { without: 'none' }),
  burst: burst(),
  source_limit: sourceLimit
    .optional()
    .describe('what each client may take')
    .register(notes, { without: 'none' }),
  allow: z.array(network()).default([]).describe('when not empty, only these networks are served'),
  deny: z.array(network()).default([]).describe('these networks are refused first of all'),
  queue: queue.prefault({}).describe('clients that wait for a backend'),
  timeout: timeout.prefault({}).describe('when connections and sessions end'),
  retries: integer(0, 100).default(2).describe('connect attempts after the first one has failed'),
  redispatch: flag().default(true).describe('may a retry go to another backend'),
  no_delay: flag().default(true).describe('TCP_NODELAY on both sides'),
  keep_alive: flag().default(true).describe('SO_KEEPALIVE on both sides'),
  backlog: integer(1, 65_535)
    .default(4_096)
    .describe('connections that the kernel holds before they are accepted'),
  proxy_protocol: proxyProtocol.prefault({}).describe('who the client is, from one proxy to the next'),
  sni: z.array(sniRoute).default([]).describe('routes by TLS server name'),
  source: source
    .optional()
    .describe(
      "where connections to backends leave from: addresses of this host in turn, or the client's own ([operations](operations.md#the-backends-see-the-clients-address))",
    )
    .register(notes, { without: 'the kernel chooses' }),
  slow_start: duration(millis(0), day)
    .default(seconds(0))
    .describe('after a recovery the weight grows from 10 % to 100 % over this time')
    .register(notes, { without: 'off' }),
  on_down: oneOf(['keep', 'close']).default('keep').describe('TCP connections of a backend that goes down'),
  health: health
    .optional()
    .describe('how backends are checked')
    .register(notes, { without: 'none: they are taken for healthy' }),
  agent_check: agentCheck
    .optional()
    .describe('agents that speak for their backends')
    .register(notes, { without: 'none' }),
  passive: passive.prefault({}).describe('ejection by what real traffic shows'),
  backend: z.array(backend).default([]).describe('where clients are sent'),
});
