import type { BackendCounters, CheckCounters, ProcessCounters, ServiceCounters } from '../model/counters.ts';
import type { EventName } from '../model/event.ts';
import { Metrics } from '../observability/metrics.ts';
import type {
  BackendStatus,
  DrillEntry,
  LimitStatus,
  RouterStatus,
  ServiceStatus,
  Status,
  TrackStatus,
} from './contract.ts';

/** How often a virtual router came to a state for a reason, since the daemon started. */
export interface TransitionTotal {
  readonly group: string;
  readonly family: number;
  readonly vrid: number;
  readonly to: string;
  readonly reason: string;
  readonly count: number;
}

/** What a scrape is made of, read at one moment. */
export interface MetricsSnapshot {
  readonly status: Status;
  /** Null while no worker runs. */
  readonly process: ProcessCounters | null;
  service(name: string): ServiceCounters | undefined;
  backend(service: string, backend: string): BackendCounters | undefined;
  /** Undefined before the first check. */
  checks(service: string, backend: string): CheckCounters | undefined;
  /** Answers of its agent: "ok", or why there was none -> how often. */
  agentChecks(service: string, backend: string): ReadonlyMap<string, number> | undefined;
  readonly eventTotals: ReadonlyMap<EventName, number>;
  readonly transitionTotals: readonly TransitionTotal[];
  /** Null before the first one. */
  readonly lastDrill: DrillEntry | null;
}

const STATES = { Initialize: 0, Backup: 1, Active: 2 } as const;
const ADMIN_STATES = ['ready', 'draining', 'maintenance'] as const;

/** The text of `/metrics`, from a snapshot taken for each scrape. */
export class MetricsCollector {
  readonly #metrics = new Metrics();
  readonly #snapshot: () => MetricsSnapshot;

  constructor(snapshot: () => MetricsSnapshot) {
    this.#snapshot = snapshot;
  }

  /** Concurrent scrapes are safe: values are set and rendered in one go. */
  scrape(): Promise<string> {
    const snapshot = this.#snapshot();
    const metrics = this.#metrics;
    metrics.reset();
    setProcess(metrics, snapshot);
    for (const service of snapshot.status.services) setService(metrics, service, snapshot);
    for (const limit of snapshot.status.limits) setLimit(metrics, limit);
    setFailover(metrics, snapshot);
    const { lastDrill, status } = snapshot;
    if (status.failover !== null && lastDrill !== null) setDrill(metrics, lastDrill);
    for (const [name, total] of snapshot.eventTotals) metrics.set('tandem_events_total', { name }, total);
    return metrics.render();
  }
}

function setDrill(metrics: Metrics, { time, gapMillis, passed, kind }: DrillEntry): void {
  metrics.set('tandem_failover_drill_timestamp_seconds', { kind }, time / 1_000);
  metrics.set('tandem_failover_drill_passed', { kind }, flag(passed));
  if (gapMillis !== null) metrics.set('tandem_failover_drill_gap_seconds', { kind }, gapMillis / 1_000);
}

const flag = (value: boolean): number => (value ? 1 : 0);

function setProcess(metrics: Metrics, { status, process: counters }: MetricsSnapshot): void {
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  metrics.set('tandem_build_info', { version: status.version, node_version: process.versions.node }, 1);
  metrics.set('tandem_process_uptime_seconds', {}, status.uptimeSeconds);
  metrics.set('tandem_process_start_time_seconds', {}, Date.now() / 1_000 - status.uptimeSeconds);
  metrics.set('tandem_process_cpu_seconds_total', { mode: 'user' }, cpu.user / 1e6);
  metrics.set('tandem_process_cpu_seconds_total', { mode: 'system' }, cpu.system / 1e6);
  metrics.set('tandem_process_resident_memory_bytes', {}, memory.rss);
  metrics.set('tandem_process_heap_bytes', {}, memory.heapUsed);
  metrics.set('tandem_config_loaded_timestamp_seconds', {}, status.configLoadedAt / 1_000);
  for (const { worker, state, connections, loopLagSeconds, restarts } of status.workers) {
    const labels = { worker: String(worker) };
    metrics.set('tandem_worker_up', labels, flag(state === 'running'));
    metrics.set('tandem_worker_connections', labels, connections);
    metrics.set('tandem_worker_loop_lag_seconds', labels, loopLagSeconds);
    metrics.set('tandem_worker_restarts_total', labels, restarts);
  }
  if (counters === null) return;
  metrics.set('tandem_process_connections', {}, counters.connections);
  metrics.set('tandem_process_open_fds', {}, counters.fdsInUse);
  metrics.set('tandem_process_loop_lag_seconds', {}, counters.loopLagSeconds);
}

function setService(metrics: Metrics, status: ServiceStatus, snapshot: MetricsSnapshot): void {
  const labels = { service: status.name };
  const eligible = status.backends.filter((backend) => backend.eligible).length;
  metrics.set('tandem_service_backends_eligible', labels, eligible);
  if (status.maxConnections !== null) {
    metrics.set('tandem_service_connections_max', labels, status.maxConnections);
  }
  const counters = snapshot.service(status.name);
  if (counters !== undefined) setServiceCounters(metrics, status, counters);
  for (const backend of status.backends) {
    setBackend(metrics, status.name, backend, snapshot.backend(status.name, backend.id));
    setChecks(metrics, status.name, backend.id, snapshot.checks(status.name, backend.id));
    setAgent(metrics, status.name, backend, snapshot.agentChecks(status.name, backend.id));
  }
}

function setServiceCounters(metrics: Metrics, status: ServiceStatus, counters: ServiceCounters): void {
  const labels = { service: status.name };
  metrics.set('tandem_service_connections', labels, counters.connections);
  metrics.set('tandem_service_queued', labels, counters.queued);
  metrics.set('tandem_service_sources', labels, counters.sources);
  metrics.set('tandem_service_connections_total', labels, counters.accepted);
  metrics.set('tandem_service_bytes_in_total', labels, counters.bytesIn);
  metrics.set('tandem_service_bytes_out_total', labels, counters.bytesOut);
  for (const [reason, total] of Object.entries(counters.refused)) {
    metrics.set('tandem_guard_refused_total', { ...labels, reason }, total);
  }
  if (status.protocol === 'tcp') {
    for (const [reason, total] of Object.entries(counters.closed)) {
      metrics.set('tandem_service_closed_total', { ...labels, reason }, total);
    }
    return;
  }
  metrics.set('tandem_service_datagrams_in_total', labels, counters.datagramsIn);
  metrics.set('tandem_service_datagrams_out_total', labels, counters.datagramsOut);
  metrics.set('tandem_service_datagrams_dropped_total', labels, counters.datagramsDropped);
  for (const [reason, total] of Object.entries(counters.sessionsEnded)) {
    metrics.set('tandem_service_sessions_ended_total', { ...labels, reason }, total);
  }
}

function setBackend(
  metrics: Metrics,
  service: string,
  status: BackendStatus,
  counters: BackendCounters | undefined,
): void {
  const labels = { service, backend: status.id };
  metrics.set('tandem_backend_up', labels, flag(status.health === 'up' || status.health === 'unchecked'));
  metrics.set('tandem_backend_eligible', labels, flag(status.eligible));
  metrics.set('tandem_backend_ejected', labels, flag(status.ejected));
  metrics.set('tandem_backend_weight', labels, status.weight);
  metrics.set('tandem_backend_effective_weight', labels, status.effectiveWeight);
  for (const state of ADMIN_STATES) {
    metrics.set('tandem_backend_admin_state', { ...labels, state }, flag(status.admin === state));
  }
  if (status.maxConnections !== null) {
    metrics.set('tandem_backend_connections_max', labels, status.maxConnections);
  }
  if (counters === undefined) return;
  metrics.set('tandem_backend_connections', labels, counters.connections);
  metrics.set('tandem_backend_connects_total', labels, counters.connects);
  metrics.set('tandem_backend_connect_errors_total', labels, counters.connectErrors);
  metrics.set('tandem_backend_connect_seconds_total', labels, counters.connectSecondsSum);
  metrics.set('tandem_backend_connects_succeeded_total', labels, counters.connectSecondsCount);
  metrics.set('tandem_backend_retries_total', labels, counters.retries);
  metrics.set('tandem_backend_redispatches_total', labels, counters.redispatches);
  metrics.set('tandem_backend_bytes_in_total', labels, counters.bytesIn);
  metrics.set('tandem_backend_bytes_out_total', labels, counters.bytesOut);
}

function setChecks(
  metrics: Metrics,
  service: string,
  backend: string,
  checks: CheckCounters | undefined,
): void {
  if (checks === undefined) return;
  const labels = { service, backend };
  for (const [result, count] of checks.results) {
    metrics.set('tandem_backend_checks_total', { ...labels, result }, count);
  }
  metrics.set('tandem_backend_check_duration_seconds', labels, checks.lastSeconds);
}

function setAgent(
  metrics: Metrics,
  service: string,
  { id, agent }: BackendStatus,
  results: ReadonlyMap<string, number> | undefined,
): void {
  if (agent === null) return;
  const labels = { service, backend: id };
  metrics.set('tandem_backend_agent_up', labels, flag(agent.up));
  for (const state of ADMIN_STATES) {
    metrics.set('tandem_backend_agent_admin_state', { ...labels, state }, flag(agent.admin === state));
  }
  metrics.set('tandem_backend_agent_weight_ratio', labels, agent.weightPercent / 100);
  for (const [result, count] of results ?? []) {
    metrics.set('tandem_backend_agent_checks_total', { ...labels, result }, count);
  }
}

function setLimit(metrics: Metrics, limit: LimitStatus): void {
  const labels = { limit: limit.name, subject: limit.subject ?? 'process' };
  metrics.set('tandem_limit_used', labels, limit.used);
  metrics.set('tandem_limit_max', labels, limit.max);
  if (limit.max > 0) metrics.set('tandem_limit_utilisation_ratio', labels, limit.used / limit.max);
}

function setFailover(metrics: Metrics, { status, eventTotals, transitionTotals }: MetricsSnapshot): void {
  const { failover } = status;
  if (failover === null) return;
  metrics.set('tandem_failover_agent_up', {}, flag(failover.agent === 'running'));
  metrics.set('tandem_failover_agent_realtime', {}, flag(failover.realtime));
  metrics.set('tandem_failover_agent_heartbeat_age_seconds', {}, failover.ageMillis / 1_000);
  metrics.set('tandem_failover_fit', {}, flag(failover.fit));
  metrics.set('tandem_failover_stalls_total', {}, eventTotals.get('failover.stall') ?? 0);
  if (failover.peer !== null) setPeer(metrics, failover.peer);
  const drift = failover.pair?.drift ?? null;
  if (drift !== null) metrics.set('tandem_failover_pair_drift', {}, drift.length);
  if (failover.witness !== null) {
    const { seen, verdict } = failover.witness;
    if (seen !== 'unknown') metrics.set('tandem_failover_witness_up', {}, flag(seen === 'up'));
    metrics.set('tandem_failover_isolated', {}, flag(verdict === 'isolated'));
  }
  for (const tracker of failover.trackers) setTracker(metrics, tracker);
  for (const router of failover.routers) setRouter(metrics, router);
  for (const { group, family, vrid, to, reason, count } of transitionTotals) {
    const labels = { group, family: String(family), vrid: String(vrid), to, reason };
    metrics.set('tandem_vrrp_transitions_total', labels, count);
  }
}

function setPeer(
  metrics: Metrics,
  { reportAgeMillis, yields }: NonNullable<NonNullable<Status['failover']>['peer']>,
): void {
  if (reportAgeMillis !== null)
    metrics.set('tandem_failover_peer_report_age_seconds', {}, reportAgeMillis / 1_000);
  metrics.set('tandem_failover_yields', {}, flag(yields !== null));
}

function setTracker(metrics: Metrics, { name, type, state, weight, fault }: TrackStatus): void {
  const labels = { tracker: name, type };
  if (state !== 'unknown') metrics.set('tandem_tracker_up', labels, flag(state === 'up'));
  metrics.set('tandem_tracker_weight', labels, weight);
  metrics.set('tandem_tracker_fault', labels, flag(fault));
}

function setRouter(metrics: Metrics, router: RouterStatus): void {
  const labels = { group: router.group, family: String(router.family), vrid: String(router.vrid) };
  metrics.set('tandem_vrrp_state', labels, STATES[router.state]);
  metrics.set('tandem_vrrp_holds_addresses', labels, flag(router.holdsAddresses));
  metrics.set('tandem_vrrp_priority', labels, router.effectivePriority);
  if (router.peer !== null) {
    metrics.set('tandem_vrrp_peer_age_seconds', labels, router.peer.ageMillis / 1_000);
  }
  metrics.set('tandem_vrrp_advertisements_sent_total', labels, router.advertisementsSent);
  metrics.set('tandem_vrrp_advertisements_received_total', labels, router.advertisementsReceived);
  metrics.set('tandem_vrrp_last_transition_timestamp_seconds', labels, router.since / 1_000);
  metrics.set('tandem_vrrp_conflicts_total', labels, router.conflicts);
  metrics.set('tandem_vrrp_duplicate_addresses_total', labels, router.duplicates.count);
  if (router.leaseAgeMillis !== null) {
    metrics.set('tandem_vrrp_lease_refresh_age_seconds', labels, router.leaseAgeMillis / 1_000);
  }
  for (const [reason, total] of Object.entries(router.discarded)) {
    metrics.set('tandem_vrrp_discarded_total', { ...labels, reason }, total);
  }
}
