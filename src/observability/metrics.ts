import { Counter, Gauge, Registry } from 'prom-client';

/**
 * Every metric of Tandem. Names follow HAProxy's exporter (`<prefix>_<object>_<thing>_<unit>`) with our words
 * for the objects: process, service (its frontend), backend (its server), guard, limit, vrrp. docs/metrics.md
 * lists the same table for people; a test keeps both equal.
 *
 * Counters are totals read elsewhere (shared memory, the agent's heartbeats) and set at each scrape.
 */
interface Definition {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = <L extends string>(help: string, ...labels: L[]) =>
  ({ type: 'counter', help, labels }) as const;
const gauge = <L extends string>(help: string, ...labels: L[]) => ({ type: 'gauge', help, labels }) as const;

export const METRICS = {
  tandem_build_info: gauge('1, with the version of Tandem and of Node.', 'version', 'node_version'),

  tandem_process_start_time_seconds: gauge('When the daemon started, in seconds since 1970.'),
  tandem_process_uptime_seconds: gauge('How long the daemon has run.'),
  tandem_process_cpu_seconds_total: counter('Processor time of the daemon, workers included.', 'mode'),
  tandem_process_resident_memory_bytes: gauge('Resident memory of the daemon, workers included.'),
  tandem_process_heap_bytes: gauge("The supervisor's JavaScript heap in use."),
  tandem_process_connections: gauge('TCP connections and UDP sessions now, over all services.'),
  tandem_process_open_fds: gauge('Descriptors that the data path counts as in use.'),
  tandem_process_loop_lag_seconds: gauge("Longest recent delay of any data-path worker's event loop."),
  tandem_worker_up: gauge('1 while the data-path worker runs and turns.', 'worker'),
  tandem_worker_connections: gauge('TCP connections and UDP sessions in this worker.', 'worker'),
  tandem_worker_loop_lag_seconds: gauge("Longest recent delay of this worker's event loop.", 'worker'),
  tandem_worker_restarts_total: counter('Times that this worker died and was replaced.', 'worker'),
  tandem_config_loaded_timestamp_seconds: gauge('Last successful load of the configuration.'),

  tandem_service_connections: gauge('TCP connections or UDP sessions now, queued ones included.', 'service'),
  tandem_service_connections_max: gauge('Ceiling of the service; absent when it has none.', 'service'),
  tandem_service_connections_total: counter('Clients accepted.', 'service'),
  tandem_service_queued: gauge('Clients that wait for a slot on a full backend.', 'service'),
  tandem_service_sources: gauge("Client networks in the service's limit table.", 'service'),
  tandem_service_bytes_in_total: counter('Bytes from clients.', 'service'),
  tandem_service_bytes_out_total: counter('Bytes to clients.', 'service'),
  tandem_service_datagrams_in_total: counter('Datagrams from clients.', 'service'),
  tandem_service_datagrams_out_total: counter('Datagrams to clients.', 'service'),
  tandem_service_datagrams_dropped_total: counter('Datagrams lost in the forwarder.', 'service'),
  tandem_service_closed_total: counter('TCP connections ended, by how.', 'service', 'reason'),
  tandem_service_sessions_ended_total: counter('UDP sessions ended, by how.', 'service', 'reason'),
  tandem_service_backends_eligible: gauge('Backends that take new clients.', 'service'),
  tandem_guard_refused_total: counter('Clients refused, by named reason.', 'service', 'reason'),

  tandem_backend_up: gauge(
    '1 when healthy or unchecked, 0 when down or not yet checked.',
    'service',
    'backend',
  ),
  tandem_backend_eligible: gauge('1 when it takes new clients.', 'service', 'backend'),
  tandem_backend_ejected: gauge('1 while ejected for what traffic showed.', 'service', 'backend'),
  tandem_backend_admin_state: gauge('1 for the state set by the operator.', 'service', 'backend', 'state'),
  tandem_backend_weight: gauge('Weight, configured or set at run time.', 'service', 'backend'),
  tandem_backend_effective_weight: gauge(
    "Weight after slow start and the agent's share.",
    'service',
    'backend',
  ),
  tandem_backend_connections: gauge(
    'In flight: established, connecting, queued for it.',
    'service',
    'backend',
  ),
  tandem_backend_connections_max: gauge('Its ceiling; absent when it has none.', 'service', 'backend'),
  tandem_backend_connects_total: counter('Connect attempts.', 'service', 'backend'),
  tandem_backend_connect_errors_total: counter('Connect attempts that failed.', 'service', 'backend'),
  tandem_backend_connects_succeeded_total: counter('Connect attempts that succeeded.', 'service', 'backend'),
  tandem_backend_connect_seconds_total: counter('What they took together, in seconds.', 'service', 'backend'),
  tandem_backend_checks_total: counter(
    'Health checks by result: "ok", or why it failed.',
    'service',
    'backend',
    'result',
  ),
  tandem_backend_check_duration_seconds: gauge('How long the last health check took.', 'service', 'backend'),
  tandem_backend_agent_up: gauge('0 while its agent says "down", "fail" or "stopped".', 'service', 'backend'),
  tandem_backend_agent_admin_state: gauge(
    '1 for the state that its agent asks for.',
    'service',
    'backend',
    'state',
  ),
  tandem_backend_agent_weight_ratio: gauge(
    'Share of the weight that its agent asks for.',
    'service',
    'backend',
  ),
  tandem_backend_agent_checks_total: counter(
    'Questions to its agent by result: "ok", or why there was no answer.',
    'service',
    'backend',
    'result',
  ),
  tandem_backend_retries_total: counter('Further attempts after a failed connect.', 'service', 'backend'),
  tandem_backend_redispatches_total: counter('Retries that left it for another.', 'service', 'backend'),
  tandem_backend_bytes_in_total: counter('Bytes towards the backend.', 'service', 'backend'),
  tandem_backend_bytes_out_total: counter('Bytes from the backend.', 'service', 'backend'),

  tandem_limit_used: gauge('Use of a limit.', 'limit', 'subject'),
  tandem_limit_max: gauge('The limit.', 'limit', 'subject'),
  tandem_limit_utilisation_ratio: gauge('Used by maximum, 0 to 1.', 'limit', 'subject'),

  tandem_failover_agent_up: gauge('1 while the failover agent runs and answers.'),
  tandem_failover_agent_realtime: gauge('1 when the agent has real-time scheduling.'),
  tandem_failover_agent_heartbeat_age_seconds: gauge("Since the agent's last heartbeat."),
  tandem_failover_stalls_total: counter(
    'Times the agent did not run for longer than an advertisement lasts.',
  ),
  tandem_failover_drill_timestamp_seconds: gauge(
    'When the last drill ended, in seconds since 1970; absent before the first since the start.',
    'kind',
  ),
  tandem_failover_drill_gap_seconds: gauge(
    'Longest time without an answer in the last drill; absent when it could not be measured.',
    'kind',
  ),
  tandem_failover_drill_passed: gauge('1 when the last drill passed.', 'kind'),
  tandem_failover_fit: gauge('1 when the data path is fit to be Active.'),
  tandem_failover_peer_report_age_seconds: gauge(
    "Since the last report of the peer's supervisor; absent before the first.",
  ),
  tandem_failover_pair_drift: gauge(
    'Sections of the configuration in which the nodes of the pair differ; absent while that is not known.',
  ),
  tandem_failover_witness_up: gauge('1 while the witness answers; absent before the first question.'),
  tandem_failover_isolated: gauge('1 while neither witness nor peer is heard and this node takes no part.'),
  tandem_failover_yields: gauge('1 while this node yields because its peer reaches more of the backends.'),
  tandem_tracker_up: gauge('1 when up; absent before the first look.', 'tracker', 'type'),
  tandem_tracker_weight: gauge('What it adds to the priority now.', 'tracker', 'type'),
  tandem_tracker_fault: gauge('1 while it keeps its groups in Initialize.', 'tracker', 'type'),
  tandem_vrrp_state: gauge('0 Initialize, 1 Backup, 2 Active.', 'group', 'family', 'vrid'),
  tandem_vrrp_holds_addresses: gauge(
    '1 when the kernel holds the addresses here.',
    'group',
    'family',
    'vrid',
  ),
  tandem_vrrp_priority: gauge('Priority in force.', 'group', 'family', 'vrid'),
  tandem_vrrp_peer_age_seconds: gauge("Since the peer's last advertisement.", 'group', 'family', 'vrid'),
  tandem_vrrp_advertisements_sent_total: counter('Advertisements sent.', 'group', 'family', 'vrid'),
  tandem_vrrp_advertisements_received_total: counter('Advertisements accepted.', 'group', 'family', 'vrid'),
  tandem_vrrp_discarded_total: counter('Thrown away, by reason.', 'group', 'family', 'vrid', 'reason'),
  tandem_vrrp_conflicts_total: counter(
    'Other routers that were Active beside this node.',
    'group',
    'family',
    'vrid',
  ),
  tandem_vrrp_duplicate_addresses_total: counter(
    'Claims of its addresses by hosts that are no router of this VRID.',
    'group',
    'family',
    'vrid',
  ),
  tandem_vrrp_lease_refresh_age_seconds: gauge(
    'Since the kernel was last told to keep the addresses; absent when none are leased.',
    'group',
    'family',
    'vrid',
  ),
  tandem_vrrp_transitions_total: counter('Changes of state.', 'group', 'family', 'vrid', 'to', 'reason'),
  tandem_vrrp_last_transition_timestamp_seconds: gauge(
    'When the state last changed, in seconds since 1970.',
    'group',
    'family',
    'vrid',
  ),

  tandem_events_total: counter('Events of the timeline, by name.', 'name'),
} as const satisfies Readonly<Record<string, Definition>>;

export type MetricName = keyof typeof METRICS;
type LabelOf<N extends MetricName> = (typeof METRICS)[N]['labels'][number];
/** A value for each label of the metric, no more and no less. */
export type Labels<N extends MetricName> = Readonly<Record<LabelOf<N>, string>>;

/** One registry with all of {@link METRICS}; nothing is ever put into prom-client's global one. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #counters = new Map<MetricName, Counter>();

  constructor() {
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const { type, help, labels } = METRICS[name];
      const configuration = { name, help, labelNames: [...labels], registers: [this.#registry] };
      if (type === 'gauge') this.#gauges.set(name, new Gauge(configuration));
      else this.#counters.set(name, new Counter(configuration));
    }
    this.reset();
  }

  /** Forgets every value, so that what no longer exists is no longer shown. */
  reset(): void {
    this.#registry.resetMetrics();
    // prom-client then shows a metric without labels as 0: one that is not set must be absent instead.
    for (const [name, metric] of [...this.#gauges, ...this.#counters]) {
      if (METRICS[name].labels.length === 0) metric.remove();
    }
  }

  /** Sets a gauge, or a counter to the total that was read. Once a scrape for each set of labels. */
  set<N extends MetricName>(name: N, labels: Labels<N>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
    this.#counters.get(name)?.inc(labels, value);
  }

  /** Prometheus text format, version 0.0.4. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}
