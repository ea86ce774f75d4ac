import type {
  AdminBackend,
  BackendStatus,
  CommandResult,
  DiffResult,
  FailoverHistory,
  ReloadResult,
  Status,
} from '../admin/contract.ts';
import { MetricsCollector } from '../admin/scrape.ts';
import { describeDiff, diffConfig } from '../config/diff.ts';
import type { WrittenFile } from '../config/file-diff.ts';
import { Fingerprint } from '../config/fingerprint.ts';
import { loadFile } from '../config/load.ts';
import { askAgent } from '../control-path/agent-check/ask.ts';
import { ProbeGate } from '../control-path/health/probe-gate.ts';
import { runProbe } from '../control-path/health/probes/index.ts';
import { planReload, type ReloadPlan, type ReloadStep } from '../control-path/reload.ts';
import { workersOf } from '../control-path/workers.ts';
import { CounterReader, createCounters } from '../data-path/counters.ts';
import { DataPath } from '../data-path/data-path.ts';
import { socketsOf } from '../data-path/listening-sockets.ts';
import { loadSecret } from '../failover/peer/secret.ts';
import type { Clock } from '../lib/clock.ts';
import { type Duration, micros, millis, seconds } from '../lib/duration.ts';
import { messageOf, TandemError } from '../lib/errors.ts';
import { VERSION } from '../lib/version.ts';
import type { Config, RelayKind } from '../model/config.ts';
import type { Native } from '../native/index.ts';
import type { Timeline } from '../observability/timeline.ts';
import { MAX_BACKENDS, MAX_SERVICES } from './capacity.ts';
import { processLimits, relayOf, requireRelay, servesOnlyVirtualAddresses } from './consequences.ts';
import { Drift } from './drift.ts';
import { Failover } from './failover.ts';
import { OperatorChanges } from './operator-changes.ts';
import { RuntimeStore } from './runtime-store.ts';
import { SelfWatch, UNKNOWN_FITNESS } from './self-watch.ts';
import type { ServiceManager } from './service-manager.ts';
import { Services } from './services.ts';

/** Probes at once over all services. */
const MAX_PROBES = 256;
/**
 * Node allocates and frees 64 KiB for every read of a client's socket; were the freed pages given back each time, a
 * third of the CPU time of a bulk transfer would go into getting them again.
 */
const KEPT_MEMORY = 64 * 1_024 * 1_024;
/** What a stop takes beside the drain and the programs that are told: the agent, handovers, workers that do not answer. */
const STOP_REST = seconds(15);

export interface SupervisorOptions {
  readonly file: WrittenFile;
  /** Where what operators set with `--persist` is kept; null: nowhere. */
  readonly stateFile: string | null;
  readonly native: Native;
  readonly clock: Clock;
  readonly timeline: Timeline;
  /** Who is told when it is ready, reloads, stops, and how it fares. */
  readonly manager: ServiceManager;
  /** Applies what a reload changes about the shell and can fail; then everything is as before. */
  readonly prepare: (config: Config) => Promise<void>;
  /** Applies what a reload changes about the log. */
  readonly onConfig: (config: Config) => void;
}

/**
 * The main process without its shell (signals, exit status, sockets of the admin API): constructs the control
 * path, the data path and the agent's handle, and connects them.
 */
export class Supervisor implements AdminBackend {
  readonly #native: Native;
  readonly #clock: Clock;
  readonly #timeline: Timeline;
  readonly #manager: ServiceManager;
  readonly #prepare: (config: Config) => Promise<void>;
  readonly #onConfig: (config: Config) => void;
  readonly #workers: number;
  readonly #relay: RelayKind;
  readonly #counters: CounterReader;
  readonly #dataPath: DataPath;
  readonly #services: Services;
  readonly #metrics: MetricsCollector;
  readonly #watch: SelfWatch;
  readonly #startedAt: number;
  readonly #failover: Failover;
  readonly #changes: OperatorChanges;
  readonly #drift: Drift;
  readonly #fingerprint = new Fingerprint();
  /** What a reload does not change. */
  readonly #started: WrittenFile;
  #agentStarted: WrittenFile;
  #file: WrittenFile;
  #configLoadedAt: number;
  #reloading: Promise<ReloadResult> | null = null;

  /**
   * @throws TandemError 'fd-limit' when the configured limits do not fit into the file descriptors
   * @throws TandemError 'relay-lacks' when this build has no native relay and the configuration needs it
   */
  constructor(options: SupervisorOptions) {
    const { file, native, clock, timeline } = options;
    const { config } = file;
    this.#file = file;
    this.#started = file;
    this.#agentStarted = file;
    this.#native = native;
    this.#clock = clock;
    this.#timeline = timeline;
    this.#manager = options.manager;
    this.#prepare = options.prepare;
    this.#onConfig = options.onConfig;
    this.#startedAt = clock.wallMillis();
    this.#configLoadedAt = this.#startedAt;
    this.#workers = workersOf(config);
    this.#relay = relayOf(config, native);
    const limits = processLimits(config, { workers: this.#workers, relay: this.#relay }, native);
    requireRelay(config, this.#relay, 'the addon is older than the daemon: build it anew with "npm rebuild"');
    native.keepFreedMemory(KEPT_MEMORY);

    const shared = createCounters({
      workers: this.#workers,
      services: MAX_SERVICES,
      backends: MAX_BACKENDS,
    });
    const { emit } = timeline;
    this.#counters = new CounterReader(shared);
    this.#dataPath = new DataPath({
      opener: native,
      counters: shared,
      limits,
      relay: this.#relay,
      clock,
      emit,
      onTraffic: (service, backend, outcome) => this.#services.onTraffic(service, backend, outcome),
    });
    this.#services = new Services({
      dataPath: this.#dataPath,
      counters: this.#counters,
      clock,
      random: Math.random,
      gate: new ProbeGate(MAX_PROBES),
      probe: runProbe,
      ask: askAgent,
      emit,
    });
    this.#metrics = new MetricsCollector(() => ({
      status: this.status(),
      process: this.#counters.process(),
      service: (name) => this.#services.serviceCounters(name),
      backend: (service, backend) => this.#services.backendCounters(service, backend),
      checks: (service, backend) => this.#services.checkCounters(service, backend),
      agentChecks: (service, backend) => this.#services.agentCounters(service, backend),
      eventTotals: timeline.totals,
      transitionTotals: this.#failover.transitionTotals(),
      lastDrill: this.#failover.lastDrill(),
    }));
    this.#failover = new Failover(
      {
        native,
        clock,
        emit,
        starved: () => this.#services.withoutBackend(),
        summary: () => ({
          name: this.#config.node.name,
          uptimeSeconds: this.#uptime(),
          services: this.#services.summaries(),
        }),
        configured: (key) => ({ version: VERSION, config: this.#fingerprint.of(this.#config, key) }),
      },
      UNKNOWN_FITNESS,
    );
    this.#changes = new OperatorChanges({
      store:
        options.stateFile === null ? null : new RuntimeStore(options.stateFile, () => clock.wallMillis()),
      services: this.#services,
      clock,
      emit,
    });
    this.#drift = new Drift(() => this.#failover.announceWork());
    this.#watch = new SelfWatch({
      clock,
      timeline,
      manager: this.#manager,
      counters: this.#counters,
      dataPath: this.#dataPath,
      services: this.#services,
      failover: this.#failover,
      limits,
      warnAt: config.limits.warnAt,
      configured: () => this.#config.services,
      status: () => this.status(),
    });
  }

  /**
   * Opens every listener, then the services, then lets the failover agent begin: an address is never claimed
   * for a service that is not there.
   * @throws TandemError with everything undone that had been done
   */
  async start(): Promise<void> {
    const { services, failover } = this.#config;
    const wanted = services.flatMap(socketsOf);
    this.#dataPath.requireUnused(wanted);
    const unreserve = this.#dataPath.reserve(wanted);
    try {
      await this.#changes.load();
      await this.#dataPath.start();
      for (const spec of services) this.#services.open(spec, this.#changes.of(spec.name));
      await this.#changes.restored();
      this.#watch.start();
      if (failover !== null) await this.#failover.start(failover);
    } catch (error) {
      await this.#halt(millis(0));
      unreserve();
      throw error;
    }
  }

  /**
   * Gives the addresses up first, so that the peer takes over while the connections here drain. Clients of a
   * virtual address cannot go on once it has moved; waiting for them would be waiting for nothing.
   * @param hurry true cuts all connections at once
   */
  async stop(hurry: boolean): Promise<void> {
    // programs that are still to be told are cut as well
    if (hurry) void this.#failover.closeNotifier(true);
    const drain = hurry || servesOnlyVirtualAddresses(this.#config) ? millis(0) : this.#config.drainTimeout;
    this.#manager.stopping(micros(drain + this.#failover.patience + STOP_REST));
    this.#manager.status(hurry ? 'stopping, cutting what is left' : 'stopping, draining');
    await this.#halt(drain);
  }

  get #config(): Config {
    return this.#file.config;
  }

  async #halt(drain: Duration): Promise<void> {
    this.#watch.stop();
    await this.#failover.stop();
    const told = this.#failover.closeNotifier(false);
    this.#services.stop();
    await this.#dataPath.stop(drain);
    await this.#changes.stop();
    await told;
  }

  #uptime(): number {
    return (this.#clock.wallMillis() - this.#startedAt) / 1_000;
  }

  // AdminBackend

  status(): Status {
    return {
      node: this.#config.node.name,
      version: VERSION,
      pid: process.pid,
      uptimeSeconds: this.#uptime(),
      configPath: this.#config.path,
      configLoadedAt: this.#configLoadedAt,
      workers: this.#watch.workers(),
      relay: this.#relay,
      services: this.#services.status(),
      limits: this.#watch.limits(),
      persistence: this.#changes.status(),
      failover: this.#failover.status(),
    };
  }

  setState(...[service, backend, request]: Parameters<AdminBackend['setState']>): Promise<BackendStatus> {
    return this.#changes.setState(service, backend, request.state, request.persist ?? false);
  }

  setWeight(...[service, backend, request]: Parameters<AdminBackend['setWeight']>): Promise<BackendStatus> {
    return this.#changes.setWeight(service, backend, request.weight, request.persist ?? false);
  }

  diff(): DiffResult {
    const inForce = { running: this.#file, started: this.#started, agentStarted: this.#agentStarted };
    const found = this.#drift.compare(inForce, this.#services.status());
    return {
      same: Object.values(found).every((list) => list.length === 0),
      configPath: this.#config.path,
      configLoadedAt: this.#configLoadedAt,
      ...found,
      persistence: this.#changes.status(),
    };
  }

  metrics(): Promise<string> {
    return this.#metrics.scrape();
  }

  healthy(): { healthy: boolean; reasons: string[] } {
    const { reason } = this.#watch.fitness;
    const reasons = reason === null ? [] : [reason];
    for (const service of this.#services.withoutBackend()) reasons.push(`${service} has no eligible backend`);
    const failover = this.#failover.status();
    if (failover !== null && failover.agent !== 'running')
      reasons.push(`failover agent is ${failover.agent}`);
    return { healthy: reasons.length === 0, reasons };
  }

  failoverCommand(...[request]: Parameters<AdminBackend['failoverCommand']>): Promise<CommandResult> {
    const { command, group = null, by = 'the admin API', requirePeer = false, force = false } = request;
    return this.#failover.command({ command, group, by, requirePeer, force });
  }

  failoverHistory(group: string | null): FailoverHistory {
    return this.#failover.history(group);
  }

  drillDone(...[report]: Parameters<AdminBackend['drillDone']>): CommandResult {
    return this.#failover.drillDone(report);
  }

  restartAgent(): Promise<CommandResult> {
    return this.#failover.restartAgent();
  }

  /** One reload at a time: a second request while one runs gets the result of a reload of its own, after it. */
  reload(): Promise<ReloadResult> {
    const before = this.#reloading?.catch(() => undefined) ?? Promise.resolve();
    this.#reloading = before.then(() => this.#reload());
    return this.#reloading;
  }

  async #reload(): Promise<ReloadResult> {
    const before = this.#config;
    this.#watch.reloadBegins();
    try {
      this.#failover.announceWork();
      const file = loadFile(before.path, {
        hostFaults: 'warning',
        onWarning: (w) => this.#warn(w.message),
      });
      const after = file.config;
      const diff = diffConfig(before, after);
      const plan = planReload(diff);
      const limits = processLimits(after, { workers: this.#workers, relay: this.#relay }, this.#native);
      requireRelay(
        after,
        this.#relay,
        'restart the daemon: a changed data_path.relay takes effect only then',
      );
      // a secret that cannot be used refuses the reload
      if (before.failover === null && after.failover?.peer) loadSecret(after.failover.peer.secretFile);
      this.#services.checkRoom(plan.joining.services, plan.joining.backends);
      await this.#reserve(plan, after);
      // nothing below can be refused: from here on the new configuration is in force
      this.#file = file;
      this.#configLoadedAt = this.#clock.wallMillis();
      this.#dataPath.setLimits(limits);
      this.#watch.setLimits(limits, after.limits.warnAt);
      this.#onConfig(after);
      const changes = [...describeDiff(diff), ...(await this.#apply(plan, after))];
      await this.#changes.settle();
      this.#reloaded(changes);
      return { changes };
    } catch (error) {
      this.#timeline.emit({
        level: 'error',
        name: 'config.rejected',
        // the rest of a long complaint is for whoever asked; an event is one line
        message: `reload refused, nothing has changed: ${messageOf(error).split('\n', 1)[0]}`,
        fields: { path: before.path, code: error instanceof TandemError ? error.code : 'internal' },
      });
      throw error;
    } finally {
      this.#watch.reloadEnds();
    }
  }

  /** What can fail of a reload, or nothing of it. */
  async #reserve({ listeners }: ReloadPlan, config: Config): Promise<void> {
    const unreserve = this.#dataPath.reserve(listeners);
    try {
      await this.#prepare(config);
    } catch (error) {
      unreserve();
      throw error;
    }
  }

  /** @returns what ended with the reload, in sentences */
  async #apply(plan: ReloadPlan, config: Config): Promise<string[]> {
    const ended: string[] = [];
    const touched = new Set<string>();
    for (const step of plan.steps) {
      if (step.type === 'open' || step.type === 'change') touched.add(step.spec.name);
      ended.push(...(await this.#step(step)));
    }
    for (const spec of config.services) {
      if (!touched.has(spec.name)) ended.push(...this.#services.configure(spec, false));
    }
    return ended;
  }

  async #step(step: ReloadStep): Promise<string[]> {
    switch (step.type) {
      case 'change':
        return this.#services.configure(step.spec, true);
      case 'open':
        this.#services.open(step.spec, this.#changes.of(step.spec.name));
        break;
      case 'close':
        await this.#close(step.service, step.drain);
        break;
      case 'failover-start':
        this.#agentStarted = this.#file;
        await this.#failover.start(step.spec);
        break;
      case 'failover-configure':
        this.#failover.configure(step.spec);
        break;
      case 'failover-stop':
        await this.#failover.stop();
        break;
    }
    return [];
  }

  /** A drain may take long; whoever asked for the reload need not wait for the last connection. */
  async #close(service: string, drain: boolean): Promise<void> {
    const closed = this.#services.close(service, drain ? this.#config.drainTimeout : millis(0));
    if (!drain) await closed;
    else closed.catch((error: unknown) => this.#warn(`closing ${service}: ${messageOf(error)}`));
  }

  #reloaded(changes: readonly string[]): void {
    this.#timeline.emit({
      level: 'info',
      name: 'config.reloaded',
      message: changes.length === 0 ? 'configuration reloaded, nothing differs' : changes.join('; '),
      fields: { path: this.#config.path, changes: changes.length },
    });
  }

  #warn(message: string): void {
    this.#timeline.emit({ level: 'warn', name: 'config.warning', message, fields: {} });
  }
}
