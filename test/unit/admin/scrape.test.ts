import { describe, expect, it } from 'vitest';
import type { Status } from '../../../src/admin/contract.ts';
import { MetricsCollector, type MetricsSnapshot } from '../../../src/admin/scrape.ts';
import type { BackendCounters, ServiceCounters } from '../../../src/model/counters.ts';
import { CLOSE_REASONS, REFUSAL_REASONS, SESSION_END_REASONS } from '../../../src/model/reason.ts';
import { METRICS } from '../../../src/observability/metrics.ts';
import { backendStatusOf, drillOf, statusOf } from '../../support/fake-admin.ts';

const zeroes = <K extends string>(names: readonly K[]): Record<K, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;

const SERVICE: ServiceCounters = {
  connections: 7,
  queued: 1,
  sources: 2,
  accepted: 12_345,
  bytesIn: 5_000,
  bytesOut: 5_000_000,
  datagramsIn: 11,
  datagramsOut: 12,
  datagramsDropped: 13,
  refused: { ...zeroes(REFUSAL_REASONS), 'source-rate': 3 },
  closed: { ...zeroes(CLOSE_REASONS), done: 9 },
  sessionsEnded: { ...zeroes(SESSION_END_REASONS), evicted: 4 },
};

const BACKEND: BackendCounters = {
  connections: 4,
  connects: 100,
  connectErrors: 2,
  retries: 3,
  redispatches: 1,
  bytesIn: 10,
  bytesOut: 20,
  connectSecondsSum: 0.5,
  connectSecondsCount: 98,
};

function snapshotOf(status: Status): MetricsSnapshot {
  return {
    status,
    process: { connections: 7, fdsInUse: 20, loopLagSeconds: 0.002, heartbeats: 5 },
    service: () => SERVICE,
    backend: () => BACKEND,
    agentChecks: () => new Map([['ok', 5]]),
    checks: () => ({
      results: new Map([
        ['ok', 40],
        ['timeout', 2],
      ]),
      lastSeconds: 0.003,
    }),
    eventTotals: new Map([
      ['backend.down', 2],
      ['failover.stall', 3],
    ]),
    lastDrill: drillOf({ gapMillis: 370, time: 1_000_000 }),
    transitionTotals: [
      { group: 'main', family: 4, vrid: 51, to: 'Active', reason: 'active-down-expired', count: 2 },
    ],
  };
}

/** Every series as "name{labels}" -> value. */
async function scrape(status = statusOf()): Promise<Map<string, number>> {
  const text = await new MetricsCollector(() => snapshotOf(status)).scrape();
  const series = text.split('\n').filter((line) => line.startsWith('tandem_'));
  return new Map(
    series.map((line) => {
      const cut = line.lastIndexOf(' ');
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}

describe('MetricsCollector', () => {
  it('shows what the snapshot says', async () => {
    const series = await scrape();
    const backend = 'service="web",backend="10.0.1.11:8080"';
    const router = 'group="main",family="4",vrid="51"';
    expect(Object.fromEntries(series)).toMatchObject({
      tandem_failover_stalls_total: 3,
      [`tandem_vrrp_transitions_total{${router},to="Active",reason="active-down-expired"}`]: 2,
      [`tandem_vrrp_last_transition_timestamp_seconds{${router}}`]: 900,
      [`tandem_vrrp_conflicts_total{${router}}`]: 1,
      [`tandem_vrrp_lease_refresh_age_seconds{${router}}`]: 0.25,
      'tandem_service_connections{service="web"}': 7,
      'tandem_service_connections_max{service="web"}': 20_000,
      'tandem_service_connections_total{service="web"}': 12_345,
      'tandem_service_backends_eligible{service="web"}': 2,
      'tandem_service_closed_total{service="web",reason="done"}': 9,
      'tandem_guard_refused_total{service="web",reason="source-rate"}': 3,
      'tandem_guard_refused_total{service="web",reason="queue-full"}': 0,
      [`tandem_backend_up{${backend}}`]: 1,
      [`tandem_backend_checks_total{${backend},result="ok"}`]: 40,
      [`tandem_backend_checks_total{${backend},result="timeout"}`]: 2,
      [`tandem_backend_check_duration_seconds{${backend}}`]: 0.003,
      [`tandem_backend_weight{${backend}}`]: 10,
      [`tandem_backend_connections{${backend}}`]: 4,
      [`tandem_backend_connect_seconds_total{${backend}}`]: 0.5,
      'tandem_limit_utilisation_ratio{limit="service-connections",subject="web"}': 7 / 20_000,
      [`tandem_vrrp_state{${router}}`]: 2,
      [`tandem_vrrp_advertisements_sent_total{${router}}`]: 1_000,
      'tandem_vrrp_discarded_total{group="main",family="4",vrid="51",reason="checksum"}': 2,
      tandem_failover_agent_up: 1,
      'tandem_events_total{name="backend.down"}': 2,
      tandem_process_open_fds: 20,
    });
  });

  it('can show every metric that is declared', async () => {
    const status = statusOf();
    status.services.push({ ...status.services[0]!, name: 'dns', protocol: 'udp' });
    status.services[0]!.backends[0]!.agent = {
      admin: 'draining',
      up: true,
      weightPercent: 75,
      maxConnections: null,
      said: 'drain, 75%',
      fault: null,
    };
    const shown = new Set([...(await scrape(status)).keys()].map((key) => key.replace(/\{.*/, '')));
    expect([...shown].sort()).toEqual(Object.keys(METRICS).sort());
  });

  it('shows no TCP series for a UDP service and no datagrams for a TCP one', async () => {
    const status = statusOf();
    status.services.push({ ...status.services[0]!, name: 'dns', protocol: 'udp' });
    const series = await scrape(status);
    expect(series.has('tandem_service_closed_total{service="dns",reason="done"}')).toBe(false);
    expect(series.get('tandem_service_sessions_ended_total{service="dns",reason="evicted"}')).toBe(4);
    expect(series.has('tandem_service_datagrams_in_total{service="web"}')).toBe(false);
  });

  it.each([
    ['up', 1],
    ['unchecked', 1],
    ['checking', 0],
    ['down', 0],
  ] as const)('shows a backend that is %s as %i', async (health, up) => {
    const status = statusOf();
    status.services[0]!.backends = [backendStatusOf('b', { health })];
    expect((await scrape(status)).get('tandem_backend_up{service="web",backend="b"}')).toBe(up);
  });

  it('shows nothing of failover where there is none', async () => {
    const names = [...(await scrape(statusOf({ failover: null }))).keys()];
    expect(names.filter((name) => /^tandem_(failover|vrrp)_/.test(name))).toEqual([]);
  });

  it('forgets a backend that a reload has removed, and does not add up', async () => {
    const status = statusOf();
    const collector = new MetricsCollector(() => snapshotOf(status));
    await Promise.all([collector.scrape(), collector.scrape()]);
    status.services[0]!.backends.pop();
    const text = await collector.scrape();
    expect(text).not.toContain('10.0.1.12');
    expect(text).toContain('tandem_service_connections_total{service="web"} 12345\n');
  });
});
