import { z } from 'zod';
import { millis, seconds } from '../lib/duration.ts';
import { RELAYS } from '../model/config.ts';
import { listenEndpoint } from './addresses.ts';
import { connections, day, path } from './schema-common.ts';
import { failover } from './schema-failover.ts';
import { service } from './schema-service.ts';
import { describe, duration, integer, leaf, name, oneOf, percent, right, text, wrong } from './values.ts';

/**
 * The configuration file as people write it: the keys, their units, ranges and defaults. A key that is
 * optional here has a default that depends on others (resolve.ts) or none, which means "no limit".
 * config/full.toml shows every key with its default; a test holds the two together.
 */

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

const admin = z.strictObject({
  socket: path('the path of a unix socket').default('/run/tandem/admin.sock'),
  group: text('the name of a group on this host', 32).optional(),
  state_file: path('the path of a file').optional(),
  listen: listenEndpoint().optional(),
  token_file: path('the path of a file').optional(),
  tls: z
    .strictObject({ certificate: path('the path of a file in PEM'), key: path('the path of a file in PEM') })
    .optional(),
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
