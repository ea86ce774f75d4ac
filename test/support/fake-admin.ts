import type {
  AdminBackend,
  BackendStatus,
  DiffResult,
  DrillEntry,
  FailoverHistory,
  Status,
  TransitionEntry,
} from '../../src/admin/contract.ts';
import { TandemError } from '../../src/lib/errors.ts';
import { unknownGroup } from '../../src/lib/unknown-name.ts';

/** A backend as `status` shows it, with what a test cares about. */
export function backendStatusOf(id: string, changes: Partial<BackendStatus> = {}): BackendStatus {
  return {
    id,
    address: id,
    health: 'up',
    admin: 'ready',
    eligible: true,
    ejected: false,
    backup: false,
    weight: 10,
    configuredWeight: 10,
    persisted: [],
    effectiveWeight: 10,
    connections: 0,
    maxConnections: null,
    connects: 0,
    connectErrors: 0,
    bytesIn: 0,
    bytesOut: 0,
    lastCheck: null,
    stateAgeMillis: 1_000,
    agent: null,
    ...changes,
  };
}

/** A node with one TCP service of two backends, a limit and one Active virtual router. */
export function statusOf(changes: Partial<Status> = {}): Status {
  return {
    node: 'lb-a',
    version: '0.0.0',
    pid: process.pid,
    uptimeSeconds: 192,
    configPath: '/etc/tandem/tandem.toml',
    relay: 'native',
    configLoadedAt: 1_000_000,
    workers: [{ worker: 0, state: 'running', connections: 7, loopLagSeconds: 0.001, restarts: 0 }],
    services: [
      {
        name: 'web',
        protocol: 'tcp',
        listen: ['10.0.0.100:80', '[2001:db8::100]:80'],
        schedule: 'least-connections',
        connections: 7,
        maxConnections: 20_000,
        queued: 0,
        accepted: 12_345,
        bytesIn: 5_000,
        bytesOut: 5_000_000,
        refused: { 'source-rate': 3 },
        backends: [
          backendStatusOf('10.0.1.11:8080', { connections: 4, maxConnections: 500 }),
          backendStatusOf('10.0.1.12:8080', { connections: 3 }),
        ],
      },
    ],
    limits: [{ name: 'service-connections', subject: 'web', used: 7, max: 20_000 }],
    persistence: { file: '/var/lib/tandem/state.json', kept: 0, fault: null },
    failover: {
      agent: 'running',
      agentPid: 4_242,
      realtime: true,
      fit: true,
      unfitReason: null,
      ageMillis: 40,
      stale: false,
      witness: {
        name: '10.0.0.254 (arp)',
        seen: 'up',
        verdict: 'fine',
        discredited: false,
        policy: 'resign',
        detail: 'answers on eth0',
        stateAgeMillis: 12_000,
      },
      peer: { reportAgeMillis: 200, reaches: 2, peerReaches: 2, yields: null },
      pair: {
        peer: {
          name: 'lb-b',
          version: '0.1.0',
          uptimeSeconds: 90,
          routers: [{ group: 'main', vrid: 51, family: 4, state: 'Backup', priority: 100 }],
          services: [{ name: 'web', connections: 0, backends: 2, eligible: 2 }],
          config: [],
        },
        ageMillis: 200,
        reachable: true,
        drift: [],
        driftSeconds: 0,
        driftUnknown: null,
      },
      trackers: [
        {
          name: 'uplink',
          type: 'interface',
          state: 'down',
          weight: -50,
          fault: false,
          detail: 'eth1 has no carrier',
          stateAgeMillis: 12_000,
        },
      ],
      drains: [],
      routers: [
        {
          group: 'main',
          family: 4,
          vrid: 51,
          interface: 'eth0',
          state: 'Active',
          reason: 'active-down-expired',
          since: 900_000,
          priority: 200,
          effectivePriority: 200,
          addresses: ['10.0.0.100/24'],
          holdsAddresses: true,
          routes: [],
          leaseAgeMillis: 250,
          explanation: 'Active: highest priority heard',
          outlook: ['would become Backup when another router advertises a priority above 200'],
          peer: {
            address: '10.0.0.2',
            priority: 100,
            intervalMillis: 100,
            checksum: 'rfc5798',
            ageMillis: 31,
          },
          advertisementsSent: 1_000,
          advertisementsReceived: 12,
          discarded: { checksum: 2 },
          transitions: 2,
          conflicts: 1,
          duplicates: { count: 0, last: null },
        },
      ],
    },
    ...changes,
  };
}

/** A takeover after the peer fell silent. */
export function transitionOf(changes: Partial<TransitionEntry> = {}): TransitionEntry {
  return {
    group: 'main',
    family: 4,
    vrid: 51,
    interface: 'eth0',
    time: 900_000,
    from: 'Backup',
    to: 'Active',
    reason: 'active-down-expired',
    cause: '10.0.0.2 (priority 250, every 100ms) was last heard 322ms before',
    priority: 200,
    addresses: ['10.0.0.100/24'],
    peer: { address: '10.0.0.2', priority: 250, intervalMillis: 100, ageMillis: 322 },
    activeDown: { intervalMillis: 321.9, lateMillis: 0.1 },
    requestedBy: null,
    linkUp: true,
    fit: true,
    weight: 0,
    unfitReason: null,
    stall: null,
    supervisorSilenceMillis: 20,
    heartbeatsLost: 0,
    trace: { start: { priority: 200 }, input: [{ at: 322, type: 'timer', timer: 'active-down' }] },
    ...changes,
  };
}

/** A drill that passed, with what the test is about changed. */
export function drillOf(changes: Partial<DrillEntry> = {}): DrillEntry {
  return {
    kind: 'planned',
    passed: true,
    summary: 'gap 12 ms (target 500 ms)',
    gapMillis: 12,
    targetMillis: 500,
    probesSent: 1_000,
    probesLost: 0,
    connectionsKept: 10,
    connectionsLost: 0,
    activeBefore: 'lb-a',
    activeAfter: 'lb-a',
    by: 'tester on the command line',
    time: 930_000,
    ...changes,
  };
}

/** An AdminBackend in memory: it does what it is told and remembers the calls. */
export class FakeAdmin implements AdminBackend {
  current: Status;
  readonly calls: unknown[] = [];
  history: FailoverHistory = { transitions: [transitionOf()], drills: [] };
  health: { healthy: boolean; reasons: string[] } = { healthy: true, reasons: [] };
  /** Thrown by the next command, once. */
  failure: unknown;
  /** May the failover do what it is told? */
  willing = true;
  /** Connections that leave a draining backend with each status that is asked for. */
  leavePerStatus = 0;

  constructor(status = statusOf()) {
    this.current = status;
  }

  status(): Status {
    if (this.leavePerStatus > 0) this.#leave();
    return this.current;
  }

  /** What the next `diff` answers. */
  difference: Pick<DiffResult, 'runtime' | 'changes' | 'problems'> = {
    runtime: [],
    changes: [],
    problems: [],
  };

  async setState(...call: Parameters<AdminBackend['setState']>): Promise<BackendStatus> {
    const [service, backend, { state }] = this.#take('setState', call);
    return this.#change(service, backend, { admin: state, eligible: state === 'ready' });
  }

  diff(): DiffResult {
    const { configPath, configLoadedAt, persistence } = this.current;
    const same = Object.values(this.difference).every((list) => list.length === 0);
    return { same, configPath, configLoadedAt, ...this.difference, persistence };
  }

  async setWeight(...call: Parameters<AdminBackend['setWeight']>): Promise<BackendStatus> {
    const [service, backend, { weight }] = this.#take('setWeight', call);
    return this.#change(service, backend, { weight: weight ?? 10, effectiveWeight: weight ?? 10 });
  }

  async reload(): ReturnType<AdminBackend['reload']> {
    this.#take('reload', []);
    return { changes: ['service web: weight of 10.0.1.11:8080 is 5'] };
  }

  async failoverCommand(
    ...call: Parameters<AdminBackend['failoverCommand']>
  ): ReturnType<AdminBackend['failoverCommand']> {
    const [{ command, group }] = this.#take('failoverCommand', call);
    if (group !== undefined && group !== 'main') throw unknownGroup(group, ['main']);
    if (!this.willing) return { ok: false, message: 'the peer refuses' };
    return { ok: true, message: `${command} done` };
  }

  async restartAgent(): ReturnType<AdminBackend['restartAgent']> {
    this.#take('restartAgent', []);
    return { ok: true, message: 'agent restarted' };
  }

  drillDone(...call: Parameters<AdminBackend['drillDone']>): ReturnType<AdminBackend['drillDone']> {
    this.#take('drillDone', call);
    return { ok: true, message: 'noted' };
  }

  failoverHistory(group: string | null): FailoverHistory {
    if (group !== null && group !== 'main') {
      throw unknownGroup(group, ['main']);
    }
    return this.history;
  }

  async metrics(): Promise<string> {
    return '# HELP x x\n# TYPE x gauge\nx 1\n';
  }

  healthy(): { healthy: boolean; reasons: string[] } {
    return this.health;
  }

  #take<T>(name: string, call: T): T {
    this.calls.push([name, call]);
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    return call;
  }

  #change(service: string, id: string, changes: Partial<BackendStatus>): BackendStatus {
    const known = this.current.services.find(({ name }) => name === service)?.backends ?? [];
    const backend = known.find((candidate) => candidate.id === id);
    if (backend === undefined) {
      throw new TandemError('unknown-backend', `no backend ${service}/${id}`, {
        hint: 'see tandem backends',
      });
    }
    return Object.assign(backend, changes);
  }

  #leave(): void {
    for (const backend of this.current.services.flatMap(({ backends }) => backends)) {
      if (backend.admin === 'ready') continue;
      backend.connections = Math.max(0, backend.connections - this.leavePerStatus);
    }
  }
}
