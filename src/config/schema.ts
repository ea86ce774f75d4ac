import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { RELAYS } from '../model/config.ts';
import { listenEndpoint } from './addresses.ts';
import { notes, textKind } from './kinds.ts';
import { connections, day, path } from './schema-common.ts';
import { failover } from './schema-failover.ts';
import { service } from './schema-service.ts';
import { describe, duration, integer, leaf, name, oneOf, percent, right, text, wrong } from './values.ts';

/**
 * The configuration file as people write it: the keys, their units, ranges and defaults, and what each means. A key
 * that is optional here has a default that depends on others (resolve.ts) or none, which means "no limit".
 * config/full.toml shows every key with its default; a test holds the two together. docs/configuration.md is written
 * from the descriptions.
 */

const node = z.strictObject({
  name: name('a name for this node')
    .optional()
    .describe('the node in status, logs and metrics')
    .register(notes, { without: "the host's name" }),
  log_level: oneOf(['debug', 'info', 'warn', 'error'], {
    trace: 'debug',
    notice: 'info',
    warning: 'warn',
    err: 'error',
  })
    .default('info')
    .describe('the least severe line that is logged'),
});

const limits = z.strictObject({
  max_connections: connections()
    .optional()
    .describe('TCP connections and UDP sessions at once, over all services')
    .register(notes, { without: 'what file descriptors allow' }),
  warn_at: percent(1, 100)
    .default(80)
    .describe('the share of any limit above which a warning event is written'),
  fd_reserve: integer(16, 65_536).default(128).describe('file descriptors kept free for the daemon itself'),
});

/** Ample: one for each core is the most that is of use. */
const MAX_WORKERS = 64;

const WORKERS = {
  ...textKind(`\`"auto"\` (one for each core that the daemon may use), 1 to ${MAX_WORKERS}`, ''),
  json: { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: MAX_WORKERS }] },
};

const workers = leaf('"auto" or a number', WORKERS, (raw) => {
  const hint = `write "auto" (one for each core) or a whole number from 1 to ${MAX_WORKERS}`;
  if (raw === 'auto') return right(null);
  if (typeof raw !== 'number') return wrong(`must be "auto" or a number, not ${describe(raw)}`, hint);
  if (Number.isInteger(raw) && raw >= 1 && raw <= MAX_WORKERS) return right(raw);
  return wrong(`must be a whole number from 1 to ${MAX_WORKERS}, not ${raw}`, hint);
});

const dataPath = z.strictObject({
  workers: workers
    .prefault('auto')
    .describe(
      "threads that move the clients' bytes; every limit, rate and schedule holds over all of them. A change needs a restart",
    ),
  relay: oneOf(RELAYS)
    .default('auto')
    .describe(
      "what accepts, connects and moves the bytes of TCP and the datagrams of UDP: the native addon, Node's `net` and `dgram` (slower), or the first of them that works. `tandem status` says which runs. A change needs a restart; until then a reload that asks for what only the native relay can do is refused",
    ),
});

const tls = z.strictObject({
  certificate: path('the path of a file in PEM').describe(
    "PEM, the server's first, then its chain. Browsers may use the names in it, addresses and `localhost`",
  ),
  key: path('the path of a file in PEM').describe('PEM without a passphrase, not readable by others'),
});

const admin = z.strictObject({
  socket: path('the path of a unix socket')
    .default('/run/tandem/admin.sock')
    .describe('unix socket of the admin API, at most 107 bytes. A change needs a restart'),
  group: text('the name of a group on this host', 32)
    .optional()
    .describe(
      'members may use the socket (0660); without it the owner alone (0600). A change needs a restart',
    )
    .register(notes, { values: 'a group of this host', without: 'none' }),
  state_file: path('the path of a file')
    .optional()
    .describe(
      'keeps what operators set with [`--persist`](operations.md#what-is-set-at-run-time). Every daemon needs its own. A change needs a restart',
    )
    .register(notes, {
      without:
        "`state.json` in systemd's `StateDirectory=` (`/var/lib/tandem` with the unit); none elsewhere: `--persist` is refused",
    }),
  listen: listenEndpoint()
    .optional()
    .describe(
      'serves the [status page](operations.md#status-page) and the admin API over HTTP. Beyond loopback it needs `token_file` and `[admin.tls]`; not a virtual address',
    )
    .register(notes, { values: '`"ADDRESS:PORT"`, usually `"127.0.0.1:9465"`', without: 'none' }),
  token_file: path('the path of a file')
    .optional()
    .describe(
      'holds the token without which nothing can be changed over HTTP, and beyond loopback nothing read: 32 to 4096 visible ASCII characters, not readable by others. Not the secret of `[failover.peer]`',
    )
    .register(notes, { without: 'none: over HTTP nothing can be changed' }),
  tls: tls.optional().describe('certificate and key of `listen`').register(notes, { without: 'none' }),
});

const metrics = z.strictObject({
  listen: listenEndpoint()
    .prefault('127.0.0.1:9464')
    .describe('`/metrics` for Prometheus and `/healthz`. A change needs a restart'),
});

export const fileSchema = z.strictObject({
  drain_timeout: duration(millis(0), day)
    .default(seconds(30))
    .describe('how long a removed service, or a daemon that stops, waits for its connections'),
  node: node.prefault({}).describe('who this node is, and what it logs'),
  limits: limits.prefault({}).describe('of the whole process'),
  data_path: dataPath.prefault({}).describe('how bytes are moved'),
  service: z.array(service).default([]).describe('what is balanced'),
  failover: failover
    .optional()
    .describe('virtual addresses shared with another node')
    .register(notes, { without: 'none' }),
  admin: admin.prefault({}).describe('where commands are taken'),
  metrics: metrics
    .optional()
    .describe('where metrics are served over HTTP')
    .register(notes, { without: 'none' }),
});

export type FileSchema = z.infer<typeof fileSchema>;
export type ServiceSection = FileSchema['service'][number];
export type HealthSection = NonNullable<ServiceSection['health']>;
export type AgentCheckSection = NonNullable<ServiceSection['agent_check']>;
export type FailoverSection = NonNullable<FileSchema['failover']>;
export type AnnounceSection = NonNullable<FailoverSection['announce']>;
export type NotifySection = NonNullable<FailoverSection['notify']>;
export type GroupSection = FailoverSection['group'][number];
export type RouteSection = GroupSection['routes'][number];
export type WitnessSection = NonNullable<FailoverSection['witness']>;
export type TrackSection = FailoverSection['track'][number];
