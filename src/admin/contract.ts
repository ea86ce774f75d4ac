import { z } from 'zod';
import { EVENT_NAMES } from '../model/event.ts';
import { WITNESS_STATES } from '../model/witness.ts';

/**
 * What the admin API says and takes, shared by server and client: HTTP with JSON on a unix socket, and on [admin] listen.
 *
 *   GET  /v1/status                                   Status
 *   GET  /v1/events?after=SEQ&follow=1                 application/x-ndjson, one TandemEvent a line
 *   GET  /v1/stream                                   text/event-stream: status-stream.ts
 *   POST /v1/services/:service/backends/:backend/state  { state, persist? } -> BackendStatus
 *   POST /v1/services/:service/backends/:backend/weight { weight, persist? } -> BackendStatus (weight null: as configured)
 *   POST /v1/reload                                   ReloadResult
 *   GET  /v1/failover/history?group=NAME              FailoverHistory, oldest first
 *   POST /v1/failover/command                         { command, group?, by?, requirePeer?, force? } -> CommandResult
 *   POST /v1/failover/drill                           DrillReport -> CommandResult
 *   POST /v1/failover/restart-agent                   CommandResult
 *   GET  /metrics, GET /healthz                       also on [metrics] listen
 *
 * Errors are { error: { code, message, hint? } } with a 4xx or 5xx status.
 */

export const healthState = z.enum(['up', 'down', 'checking', 'unchecked']);
export const adminState = z.enum(['ready', 'draining', 'maintenance']);

export const backendStatus = z.object({
  id: z.string(),
  address: z.string(),
  health: healthState,
  admin: adminState,
  /** Taking new clients now? */
  eligible: z.boolean(),
  ejected: z.boolean(),
  backup: z.boolean(),
  /** Configured or set at run time. */
  weight: z.number(),
  /** After slow start and the agent's share. */
  effectiveWeight: z.number(),
  connections: z.number(),
  maxConnections: z.number().nullable(),
  connects: z.number(),
  connectErrors: z.number(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  /** The last probe's outcome in words ("HTTP 503", "timed out after 1s"); null when unchecked. */
  lastCheck: z.string().nullable(),
  /** Milliseconds since the health state changed. */
  stateAgeMillis: z.number(),
  /** What its agent has said so far, beside the operator and the health check; null without an agent check. */
  agent: z
    .object({
      admin: adminState,
      /** False while it says "down", "fail" or "stopped". */
      up: z.boolean(),
      weightPercent: z.number(),
      /** In place of the configured ceiling, 0 for none; null while it has not said. */
      maxConnections: z.number().nullable(),
      /** What holds, in the protocol's words: "drain, 75% (reason)". */
      said: z.string(),
      /** Why the last answer counts for nothing, or what in it was not understood. */
      fault: z.string().nullable(),
    })
    .nullable(),
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
  /** Only the reasons that have occurred. */
  refused: z.record(z.string(), z.number()),
  backends: z.array(backendStatus),
});
export type ServiceStatus = z.infer<typeof serviceStatus>;

export const workerStatus = z.object({
  worker: z.number(),
  state: z.enum(['running', 'stalled', 'dead']),
  connections: z.number(),
  /** Longest delay of its event loop over the last second or so. */
  loopLagSeconds: z.number(),
  /** Times that it died and was replaced. */
  restarts: z.number(),
});
export type WorkerStatus = z.infer<typeof workerStatus>;

export const limitStatus = z.object({
  name: z.string(),
  /** Service, or service/backend; null for the process. */
  subject: z.string().nullable(),
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
  /** Routes that move along, and whether they are in place. */
  routes: z.array(z.object({ route: z.string(), installed: z.boolean() })).readonly(),
  /** Milliseconds since the kernel was last told to keep the addresses; null when none are leased. */
  leaseAgeMillis: z.number().nullable(),
  explanation: z.string(),
  /** Sentences: what would change the state. */
  outlook: z.array(z.string()).readonly(),
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
  /** Hosts that claimed its addresses and are no router of this VRID. */
  duplicates: z.object({
    count: z.number(),
    last: z.object({ address: z.string(), mac: z.string(), ageMillis: z.number() }).nullable(),
  }),
});
export type RouterStatus = z.infer<typeof routerStatus>;

export const trackStatus = z.object({
  name: z.string(),
  type: z.enum(['interface', 'script', 'process', 'file']),
  state: z.enum(['up', 'down', 'unknown']),
  /** What it adds to the priority now. */
  weight: z.number(),
  /** It keeps its groups in Initialize. */
  fault: z.boolean(),
  detail: z.string(),
  stateAgeMillis: z.number(),
});
export type TrackStatus = z.infer<typeof trackStatus>;

export const drainStatus = z.object({
  group: z.string(),
  /** 'giver': old connections are here; 'taker': this node sends their packets on to the giver. */
  role: z.enum(['giver', 'taker']),
  /** Left, and at first; null while they have not been counted, and on the taker. */
  connections: z.number().nullable(),
  initially: z.number().nullable(),
  endsInMillis: z.number(),
});
export type DrainStatus = z.infer<typeof drainStatus>;

export const status = z.object({
  node: z.string(),
  version: z.string(),
  pid: z.number(),
  uptimeSeconds: z.number(),
  configPath: z.string(),
  /** Wall-clock milliseconds of the last successful load. */
  configLoadedAt: z.number(),
  workers: z.array(workerStatus),
  /** What relays TCP and UDP. */
  relay: z.enum(['native', 'node']),
  services: z.array(serviceStatus),
  limits: z.array(limitStatus),
  failover: z
    .object({
      agent: z.enum(['running', 'starting', 'hung', 'dead']),
      agentPid: z.number().nullable(),
      realtime: z.boolean(),
      fit: z.boolean(),
      unfitReason: z.string().nullable(),
      /** Milliseconds since the agent's last heartbeat; what follows is no fresher than that. */
      ageMillis: z.number(),
      /** The last heartbeat is older than it should be: `routers` is what was, not what is. */
      stale: z.boolean(),
      trackers: z.array(trackStatus),
      /** What goes on after a planned handover. */
      drains: z.array(drainStatus),
      /** Null without [failover.witness]. */
      witness: z
        .object({
          name: z.string(),
          seen: z.enum(WITNESS_STATES),
          /** "worse": this node yields to its peer; "isolated": it takes no part. */
          verdict: z.enum(['fine', 'worse', 'isolated']),
          /** Both nodes lost it while they heard each other: it counts for nothing until it answers. */
          discredited: z.boolean(),
          policy: z.enum(['resign', 'stay']),
          detail: z.string(),
          stateAgeMillis: z.number(),
        })
        .nullable(),
      /** What the peer's supervisor reports; null without [failover.peer]. */
      peer: z
        .object({
          reportAgeMillis: z.number().nullable(),
          /** Backends whose checks pass: here, and at the peer. */
          reaches: z.number(),
          peerReaches: z.number().nullable(),
          /** Why this node yields to it. */
          yields: z.string().nullable(),
        })
        .nullable(),
      routers: z.array(routerStatus),
    })
    .nullable(),
});
export type Status = z.infer<typeof status>;

export const eventLine = z.object({
  seq: z.number(),
  time: z.number(),
  level: z.enum(['info', 'warn', 'error']),
  name: z.enum(EVENT_NAMES),
  message: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

export const setStateRequest = z.strictObject({ state: adminState, persist: z.boolean().optional() });
export const setWeightRequest = z.strictObject({
  weight: z.number().int().min(0).max(256).nullable(),
  persist: z.boolean().optional(),
});
export const failoverCommandRequest = z.strictObject({
  /**
   * 'inquire': would the peer take over? 'retake': have the peer hand over to this node. 'kill-agent', 'kill-node':
   * kill -9 of the failover agent, or of the whole daemon, for a drill.
   */
  command: z.enum(['handover', 'takeover', 'inquire', 'retake', 'kill-agent', 'kill-node']),
  group: z.string().optional(),
  /** Who asks, as it says itself: for the history. */
  by: z
    .string()
    .regex(/^[\x20-\x7e]{1,64}$/)
    .optional(),
  /** handover: fail instead of sending priority 0 when the peer cannot be asked. */
  requirePeer: z.boolean().optional(),
  /** handover: also to a peer that is no better placed; kill-node: also when nothing starts the daemon again. */
  force: z.boolean().optional(),
});

const transitionRecord = z.object({
  group: z.string(),
  family: z.union([z.literal(4), z.literal(6)]),
  vrid: z.number(),
  interface: z.string(),
  /** Wall-clock milliseconds. */
  time: z.number(),
  from: z.enum(['Initialize', 'Backup', 'Active']),
  to: z.enum(['Initialize', 'Backup', 'Active']),
  reason: z.string(),
  /** One sentence for people. */
  cause: z.string(),
  /** In force before the transition. */
  priority: z.number(),
  addresses: z.array(z.string()).readonly(),
  /** The last advertisement heard. */
  peer: z
    .object({
      address: z.string(),
      priority: z.number(),
      intervalMillis: z.number(),
      ageMillis: z.number(),
    })
    .nullable(),
  /** How long Active_Down was to wait, and how much later it acted. */
  activeDown: z.object({ intervalMillis: z.number(), lateMillis: z.number() }).nullable(),
  requestedBy: z.string().nullable(),
  linkUp: z.boolean(),
  fit: z.boolean(),
  /** Added to the configured priority. */
  weight: z.number(),
  /** Why it is not fit, or why it has that weight. */
  unfitReason: z.string().nullable(),
  /** The agent did not run for `millis`, until `ageMillis` before. */
  stall: z.object({ millis: z.number(), ageMillis: z.number() }).nullable(),
  supervisorSilenceMillis: z.number(),
  heartbeatsLost: z.number(),
  /** A scenario of the state machine: start.json and input.jsonl. */
  trace: z
    .object({
      start: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      input: z.array(z.looseObject({ at: z.number(), type: z.string() })).readonly(),
    })
    .nullable(),
});

/** What a drill measured; the words are for people. */
export const drillReport = z.strictObject({
  kind: z.enum(['planned', 'crash-agent', 'crash-node']),
  passed: z.boolean(),
  /** One line. */
  summary: z.string().max(500),
  /** The longest time without an answer; null when nothing could be measured. */
  gapMillis: z.number().nonnegative().nullable(),
  targetMillis: z.number().nonnegative(),
  probesSent: z.number().int().nonnegative(),
  probesLost: z.number().int().nonnegative(),
  /** Held by the prober from before the move. */
  connectionsKept: z.number().int().nonnegative(),
  connectionsLost: z.number().int().nonnegative(),
  activeBefore: z.string().max(100),
  activeAfter: z.string().max(100),
  by: z.string().regex(/^[\x20-\x7e]{1,64}$/),
});
export type DrillReport = z.infer<typeof drillReport>;

const drillEntry = drillReport.extend({
  /** Wall-clock milliseconds. */
  time: z.number(),
});
export type DrillEntry = z.infer<typeof drillEntry>;

/** The last transitions of every virtual router, and the last drills, oldest first. */
export const failoverHistory = z.object({
  transitions: z.array(transitionRecord).readonly(),
  drills: z.array(drillEntry).readonly(),
});
export type FailoverHistory = z.infer<typeof failoverHistory>;
export type TransitionEntry = FailoverHistory['transitions'][number];

export const commandResult = z.object({ ok: z.boolean(), message: z.string() });
export type CommandResult = z.infer<typeof commandResult>;

/** `changes` are sentences for people, in the order in which they were applied. */
export const reloadResult = z.object({ changes: z.array(z.string()) });
export type ReloadResult = z.infer<typeof reloadResult>;

export const errorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
});

/**
 * What a client may do: 'open' everything; 'token' read, and everything with the token; 'off' read, because
 * there is no token that could allow more.
 */
export type Access = 'open' | 'token' | 'off';

/** The first message of /v1/stream. */
export interface StreamHello {
  /** Names one life of the daemon: its events are numbered from 1. */
  readonly epoch: string;
  readonly access: Access;
}

/** Its message `status`. */
export interface StreamStatus {
  /** Wall-clock milliseconds since 1970. */
  readonly time: number;
  readonly status: Status;
}

/** What the server asks of the daemon; daemon.ts implements it. Failures are TandemErrors. */
export interface AdminBackend {
  status(): Status;
  setState(service: string, backend: string, request: z.infer<typeof setStateRequest>): BackendStatus;
  setWeight(service: string, backend: string, request: z.infer<typeof setWeightRequest>): BackendStatus;
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
