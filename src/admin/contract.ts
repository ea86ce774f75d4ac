import { z } from 'zod';
import { EVENT_NAMES } from '../model/event.ts';
import { WITNESS_STATES } from '../model/witness.ts';

/**
 * What the admin API says and takes, shared by server, client and the OpenAPI document. route-table.ts lists the requests.
 * Answers may get more keys within one version of the API: clients ignore what they do not know. Requests are strict.
 */

export const healthState = z.enum(['up', 'down', 'checking', 'unchecked']);
export const adminState = z.enum(['ready', 'draining', 'maintenance']);

export const backendStatus = z.object({
  id: z.string(),
  address: z.string(),
  health: healthState,
  admin: adminState,
  eligible: z.boolean().describe('Taking new clients now?'),
  ejected: z.boolean(),
  backup: z.boolean(),
  weight: z.number().describe('Configured or set at run time.'),
  configuredWeight: z.number().describe('What the configuration in force says.'),
  persisted: z
    .array(z.enum(['state', 'weight']))
    .readonly()
    .describe('What was set with `persist`, and is kept over reloads and restarts.'),
  effectiveWeight: z.number().describe("After slow start and the agent's share."),
  connections: z.number(),
  maxConnections: z.number().nullable(),
  connects: z.number(),
  connectErrors: z.number(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  lastCheck: z
    .string()
    .nullable()
    .describe(`The last probe's outcome in words ("HTTP 503", "timed out after 1s"); null when unchecked.`),
  stateAgeMillis: z.number().describe('Milliseconds since the health state changed.'),
  agent: z
    .object({
      admin: adminState,
      up: z.boolean().describe('False while it says "down", "fail" or "stopped".'),
      weightPercent: z.number(),
      maxConnections: z
        .number()
        .nullable()
        .describe('In place of the configured ceiling, 0 for none; null while it has not said.'),
      said: z.string().describe(`What holds, in the protocol's words: "drain, 75% (reason)".`),
      fault: z
        .string()
        .nullable()
        .describe('Why the last answer counts for nothing, or what in it was not understood.'),
    })
    .nullable()
    .describe(
      'What its agent has said so far, beside the operator and the health check; null without an agent check.',
    ),
});
export type BackendStatus = z.infer<typeof backendStatus>;

export const serviceStatus = z.object({
  name: z.string(),
  protocol: z.enum(['tcp', 'udp']),
  listen: z.array(z.string()),
  schedule: z.string(),
  connections: z.number(),
  maxConnections: z.number().nullable(),
  queued: z.number(),
  accepted: z.number(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  refused: z.record(z.string(), z.number()).describe('Only the reasons that have occurred.'),
  backends: z.array(backendStatus),
});
export type ServiceStatus = z.infer<typeof serviceStatus>;

export const workerStatus = z.object({
  worker: z.number(),
  state: z.enum(['running', 'stalled', 'dead']),
  connections: z.number(),
  loopLagSeconds: z.number().describe('Longest delay of its event loop over the last second or so.'),
  restarts: z.number().describe('Times that it died and was replaced.'),
});
export type WorkerStatus = z.infer<typeof workerStatus>;

export const limitStatus = z.object({
  name: z.string(),
  subject: z.string().nullable().describe('Service, or service/backend; null for the process.'),
  used: z.number(),
  max: z.number(),
});
export type LimitStatus = z.infer<typeof limitStatus>;

export const routerStatus = z.object({
  group: z.string(),
  family: z.union([z.literal(4), z.literal(6)]),
  vrid: z.number(),
  interface: z.string(),
  state: z.enum(['Initialize', 'Backup', 'Active']),
  reason: z.string(),
  since: z.number(),
  priority: z.number(),
  effectivePriority: z.number(),
  addresses: z.array(z.string()),
  holdsAddresses: z.boolean(),
  routes: z
    .array(z.object({ route: z.string(), installed: z.boolean() }))
    .readonly()
    .describe('Routes that move along, and whether they are in place.'),
  leaseAgeMillis: z
    .number()
    .nullable()
    .describe(
      'Milliseconds since the kernel was last told to keep the addresses; null when none are leased.',
    ),
  explanation: z.string(),
  outlook: z.array(z.string()).readonly().describe('Sentences: what would change the state.'),
  peer: z
    .object({
      address: z.string(),
      priority: z.number(),
      intervalMillis: z.number(),
      checksum: z.enum(['rfc5798', 'rfc9568']).nullable(),
      ageMillis: z.number(),
    })
    .nullable(),
  advertisementsSent: z.number(),
  advertisementsReceived: z.number(),
  discarded: z.record(z.string(), z.number()),
  transitions: z.number(),
  conflicts: z.number(),
  duplicates: z
    .object({
      count: z.number(),
      last: z.object({ address: z.string(), mac: z.string(), ageMillis: z.number() }).nullable(),
    })
    .describe('Hosts that claimed its addresses and are no router of this VRID.'),
});
export type RouterStatus = z.infer<typeof routerStatus>;

export const trackStatus = z.object({
  name: z.string(),
  type: z.enum(['interface', 'script', 'process', 'file']),
  state: z.enum(['up', 'down', 'unknown']),
  weight: z.number().describe('What it adds to the priority now.'),
  fault: z.boolean().describe('It keeps its groups in Initialize.'),
  detail: z.string(),
  stateAgeMillis: z.number(),
});
export type TrackStatus = z.infer<typeof trackStatus>;

export const drainStatus = z.object({
  group: z.string(),
  role: z
    .enum(['giver', 'taker'])
    .describe("'giver': old connections are here; 'taker': this node sends their packets on to the giver."),
  connections: z
    .number()
    .nullable()
    .describe('Left, and at first; null while they have not been counted, and on the taker.'),
  initially: z.number().nullable(),
  endsInMillis: z.number(),
});
export type DrainStatus = z.infer<typeof drainStatus>;

export const persistence = z
  .object({
    file: z.string().nullable().describe('Where it is kept; null: nowhere, and `persist` is refused.'),
    kept: z.number().describe('Backends of which something is kept.'),
    fault: z
      .string()
      .nullable()
      .describe('Why the file cannot be used, or does not have what is to be kept.'),
  })
  .describe('What was set with `persist`.');

const nodeSummary = z.object({
  name: z.string(),
  version: z.string(),
  uptimeSeconds: z.number(),
  routers: z
    .array(
      z.object({
        group: z.string(),
        vrid: z.number(),
        family: z.union([z.literal(4), z.literal(6)]),
        state: z.enum(['Initialize', 'Backup', 'Active']),
        priority: z.number().describe('In force.'),
      }),
    )
    .readonly(),
  services: z
    .array(
      z.object({
        name: z.string(),
        connections: z.number(),
        backends: z.number(),
        eligible: z.number(),
      }),
    )
    .readonly(),
  config: z
    .array(z.object({ section: z.string(), digest: z.string() }))
    .readonly()
    .describe('Keyed digests of what both nodes must have in common.'),
});

export const status = z.object({
  node: z.string(),
  version: z.string(),
  pid: z.number(),
  uptimeSeconds: z.number(),
  configPath: z.string(),
  configLoadedAt: z.number().describe('Wall-clock milliseconds of the last successful load.'),
  workers: z.array(workerStatus),
  relay: z.enum(['native', 'node']).describe('What relays TCP and UDP.'),
  services: z.array(serviceStatus),
  limits: z.array(limitStatus),
  persistence,
  failover: z
    .object({
      agent: z.enum(['running', 'starting', 'hung', 'dead']),
      agentPid: z.number().nullable(),
      realtime: z.boolean(),
      fit: z.boolean(),
      unfitReason: z.string().nullable(),
      ageMillis: z
        .number()
        .describe("Milliseconds since the agent's last heartbeat; what follows is no fresher than that."),
      stale: z
        .boolean()
        .describe('The last heartbeat is older than it should be: `routers` is what was, not what is.'),
      trackers: z.array(trackStatus),
      drains: z.array(drainStatus).describe('What goes on after a planned handover.'),
      witness: z
        .object({
          name: z.string(),
          seen: z.enum(WITNESS_STATES),
          verdict: z
            .enum(['fine', 'worse', 'isolated'])
            .describe('"worse": this node yields to its peer; "isolated": it takes no part.'),
          discredited: z
            .boolean()
            .describe(
              'Both nodes lost it while they heard each other: it counts for nothing until it answers.',
            ),
          policy: z.enum(['resign', 'stay']),
          detail: z.string(),
          stateAgeMillis: z.number(),
        })
        .nullable()
        .describe('Null without [failover.witness].'),
      peer: z
        .object({
          reportAgeMillis: z.number().nullable(),
          reaches: z.number().describe('Backends whose checks pass: here, and at the peer.'),
          peerReaches: z.number().nullable(),
          yields: z.string().nullable().describe('Why this node yields to it.'),
        })
        .nullable()
        .describe("What the peer's supervisor reports; null without [failover.peer]."),
      pair: z
        .object({
          peer: nodeSummary
            .nullable()
            .describe('The other node as it last reported itself, however old; null before that.'),
          ageMillis: z.number().nullable().describe('Since that report.'),
          reachable: z.boolean().describe('It has reported within the last seconds.'),
          drift: z
            .array(z.string())
            .nullable()
            .describe('Where the configurations of both nodes differ; null when that is not known.'),
          driftSeconds: z.number().describe('Since when they differ; 0 while they do not.'),
          driftUnknown: z.string().nullable().describe('Why `drift` is not known.'),
        })
        .nullable()
        .describe('The two nodes side by side; null without [failover.peer].'),
      routers: z.array(routerStatus),
    })
    .nullable(),
});
export type Status = z.infer<typeof status>;

export const eventLine = z.object({
  seq: z.number().describe('From 1; a gap means that events were dropped before they were read.'),
  time: z.number().describe('Wall-clock milliseconds since 1970.'),
  level: z.enum(['info', 'warn', 'error']),
  name: z.enum(EVENT_NAMES),
  message: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

const persist = z
  .boolean()
  .optional()
  .describe(
    'Keep it over reloads and restarts; when left out it ends with the next reload, and what was kept is forgotten.',
  );

export const setStateRequest = z.strictObject({ state: adminState, persist });
export const setWeightRequest = z.strictObject({
  weight: z.number().int().min(0).max(256).nullable().describe('Null goes back to the configured one.'),
  persist,
});
export const failoverCommandRequest = z.strictObject({
  command: z
    .enum(['handover', 'takeover', 'inquire', 'retake', 'kill-agent', 'kill-node'])
    .describe(
      '"inquire": would the peer take over? "retake": have the peer hand over to this node. "kill-agent", "kill-node": kill -9 of the failover agent, or of the whole daemon, for a drill.',
    ),
  group: z.string().optional().describe('One group alone; all of them when left out.'),
  by: z
    .string()
    .regex(/^[\x20-\x7e]{1,64}$/)
    .optional()
    .describe('Who asks, as it says itself: for the history.'),
  requirePeer: z
    .boolean()
    .optional()
    .describe('handover: fail instead of sending priority 0 when the peer cannot be asked.'),
  force: z
    .boolean()
    .optional()
    .describe(
      'handover: also to a peer that is no better placed; kill-node: also when nothing starts the daemon again.',
    ),
});

const transitionRecord = z.object({
  group: z.string(),
  family: z.union([z.literal(4), z.literal(6)]),
  vrid: z.number(),
  interface: z.string(),
  time: z.number().describe('Wall-clock milliseconds.'),
  from: z.enum(['Initialize', 'Backup', 'Active']),
  to: z.enum(['Initialize', 'Backup', 'Active']),
  reason: z.string(),
  cause: z.string().describe('One sentence for people.'),
  priority: z.number().describe('In force before the transition.'),
  addresses: z.array(z.string()).readonly(),
  peer: z
    .object({
      address: z.string(),
      priority: z.number(),
      intervalMillis: z.number(),
      ageMillis: z.number(),
    })
    .nullable()
    .describe('The last advertisement heard.'),
  activeDown: z
    .object({ intervalMillis: z.number(), lateMillis: z.number() })
    .nullable()
    .describe('How long Active_Down was to wait, and how much later it acted.'),
  requestedBy: z.string().nullable(),
  linkUp: z.boolean(),
  fit: z.boolean(),
  weight: z.number().describe('Added to the configured priority.'),
  unfitReason: z.string().nullable().describe('Why it is not fit, or why it has that weight.'),
  stall: z
    .object({ millis: z.number(), ageMillis: z.number() })
    .nullable()
    .describe('The agent did not run for `millis`, until `ageMillis` before.'),
  supervisorSilenceMillis: z.number(),
  heartbeatsLost: z.number(),
  trace: z
    .object({
      start: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      input: z.array(z.looseObject({ at: z.number(), type: z.string() })).readonly(),
    })
    .nullable()
    .describe('A scenario of the state machine: start.json and input.jsonl.'),
});

export const drillReport = z.strictObject({
  kind: z.enum(['planned', 'crash-agent', 'crash-node']),
  passed: z.boolean(),
  summary: z.string().max(500).describe('One line.'),
  gapMillis: z
    .number()
    .nonnegative()
    .nullable()
    .describe('The longest time without an answer; null when nothing could be measured.'),
  targetMillis: z.number().nonnegative(),
  probesSent: z.number().int().nonnegative(),
  probesLost: z.number().int().nonnegative(),
  connectionsKept: z.number().int().nonnegative().describe('Held by the prober from before the move.'),
  connectionsLost: z.number().int().nonnegative(),
  activeBefore: z.string().max(100),
  activeAfter: z.string().max(100),
  by: z.string().regex(/^[\x20-\x7e]{1,64}$/),
});
export type DrillReport = z.infer<typeof drillReport>;

const drillEntry = drillReport.extend({
  time: z.number().describe('Wall-clock milliseconds.'),
});
export type DrillEntry = z.infer<typeof drillEntry>;

export const failoverHistory = z.object({
  transitions: z.array(transitionRecord).readonly(),
  drills: z.array(drillEntry).readonly(),
});
export type FailoverHistory = z.infer<typeof failoverHistory>;
export type TransitionEntry = FailoverHistory['transitions'][number];

export const commandResult = z.object({ ok: z.boolean(), message: z.string() });
export type CommandResult = z.infer<typeof commandResult>;

export const reloadResult = z.object({
  changes: z
    .array(z.string())
    .describe('Sentences for people, in the order in which they were applied; empty when nothing differs.'),
});
export type ReloadResult = z.infer<typeof reloadResult>;

const problem = z.object({
  severity: z.enum(['error', 'warning']),
  file: z.string(),
  line: z.number().nullable().describe('From 1; null when the file as a whole is meant.'),
  column: z.number().nullable(),
  key: z.string(),
  message: z.string(),
  hint: z.string().optional().describe('What would be right.'),
  source: z.string().nullable().describe('The line as it stands in the file.'),
});

export const runtimeDifference = z.object({
  service: z.string(),
  backend: z.string(),
  setting: z.enum(['state', 'weight']),
  running: z.union([z.string(), z.number()]).describe('What an operator has set.'),
  file: z
    .union([z.string(), z.number()])
    .nullable()
    .describe('What the file says; null when the backend is not in it.'),
  persisted: z.boolean().describe('It stays over reloads and restarts; else the next reload ends it.'),
  key: z
    .string()
    .nullable()
    .describe('Of the file: "service[0].backend[1].weight"; null when the backend is not in it.'),
  line: z.number().nullable().describe('Where the key is, or the table that it would be in.'),
});
export type RuntimeDifference = z.infer<typeof runtimeDifference>;

export const change = z.object({
  kind: z.enum(['added', 'removed', 'changed']),
  subject: z
    .string()
    .nullable()
    .describe('What it belongs to: "service web, backend 10.0.1.11:8080"; null for the node as a whole.'),
  key: z.string().describe('"service[0].backend[1].weight".'),
  line: z.number().nullable().describe('In the file as it is now; null for a table that is gone.'),
  before: z
    .string()
    .nullable()
    .describe('As TOML, what runs; null where nothing is written. Secrets are not shown.'),
  after: z.string().nullable().describe('As TOML, what the file says now; null where nothing is written.'),
  restart: z.boolean().describe('A reload does not apply it: the daemon must be restarted.'),
});
export type Change = z.infer<typeof change>;

export const diffResult = z.object({
  same: z.boolean().describe('Nothing differs, and the file can be loaded.'),
  configPath: z.string(),
  configLoadedAt: z.number().describe('Wall-clock milliseconds of the last successful load.'),
  runtime: z.array(runtimeDifference).describe('Set at run time, and not as the file says.'),
  changes: z
    .array(change)
    .describe('In the file, and not in force: not reloaded yet, or in need of a restart.'),
  problems: z
    .array(problem)
    .describe(
      'Why the file as it is now cannot be loaded; then `changes` is empty, and `runtime` compares with what is in force.',
    ),
  persistence,
});
export type DiffResult = z.infer<typeof diffResult>;

export const errorBody = z.object({
  error: z.object({
    code: z.string().describe('Stable: what went wrong, for programs.'),
    message: z.string().describe('For people: what went wrong, and where.'),
    hint: z.string().optional().describe('What would be right.'),
  }),
});

export const access = z
  .enum(['open', 'token', 'off'])
  .describe(
    'What this client may do. "open": everything; "token": read, and everything with the token; "off": read, because there is no token that could allow more.',
  );
export type Access = z.infer<typeof access>;

/** The first message of /v1/stream. */
export const streamHello = z.object({
  epoch: z.string().describe('Names one life of the daemon: its events are numbered from 1.'),
  access,
});
export type StreamHello = z.infer<typeof streamHello>;

/** Its message `status`. */
export const streamStatus = z.object({
  time: z.number().describe('Wall-clock milliseconds since 1970.'),
  status,
});
export type StreamStatus = z.infer<typeof streamStatus>;

/** What the server asks of the daemon; daemon.ts implements it. Failures are TandemErrors. */
export interface AdminBackend {
  status(): Status;
  setState(
    service: string,
    backend: string,
    request: z.infer<typeof setStateRequest>,
  ): Promise<BackendStatus>;
  setWeight(
    service: string,
    backend: string,
    request: z.infer<typeof setWeightRequest>,
  ): Promise<BackendStatus>;
  /** What runs against the file on disk. */
  diff(): DiffResult;
  reload(): Promise<ReloadResult>;
  failoverCommand(request: z.infer<typeof failoverCommandRequest>): Promise<CommandResult>;
  restartAgent(): Promise<CommandResult>;
  failoverHistory(group: string | null): FailoverHistory;
  /** Keeps what a drill measured. */
  drillDone(report: DrillReport): CommandResult;
  /** Prometheus text format. */
  metrics(): Promise<string>;
  /** True when the node can do its job: answered as 200 or 503 by /healthz. */
  healthy(): { healthy: boolean; reasons: string[] };
}
