import { createHash } from 'node:crypto';
import type { BackendStatus, ServiceStatus } from '../admin/contract.ts';
import type { AskAgent } from '../control-path/agent-check/ask.ts';
import type { Probe } from '../control-path/health/probe.ts';
import type { ProbeGate } from '../control-path/health/probe-gate.ts';
import type { RuntimeState } from '../control-path/pool.ts';
import type { BackendView } from '../control-path/pool-backend.ts';
import { ServiceController } from '../control-path/service-controller.ts';
import type { CounterReader } from '../data-path/counters.ts';
import type { DataPath } from '../data-path/data-path.ts';
import type { LimitedService } from '../data-path/limits.ts';
import { SlotAllocator } from '../data-path/slot-allocator.ts';
import type { Clock } from '../lib/clock.ts';
import { type Duration, toSeconds } from '../lib/duration.ts';
import { TandemError } from '../lib/errors.ts';
import { formatEndpoint } from '../lib/ip.ts';
import { unknownName } from '../lib/unknown-name.ts';
import type { BackendCounters, CheckCounters, ServiceCounters } from '../model/counters.ts';
import type { Emit } from '../model/event.ts';
import type { ProbeResult, TrafficOutcome } from '../model/health.ts';
import type { Reach, ServiceSummary } from '../model/peer-report.ts';
import type { AdminState, BackendSpec, ServiceSpec } from '../model/service.ts';
import type { KeptState } from './runtime-state.ts';
import { backendStatus, serviceStatus } from './status.ts';

export interface ServicesOptions {
  readonly dataPath: DataPath;
  readonly counters: CounterReader;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly gate: ProbeGate;
  readonly probe: Probe;
  readonly ask: AskAgent;
  readonly emit: Emit;
}

/** A service that runs: its rows in the shared counters and the controller of its pool. */
interface Running {
  readonly slot: number;
  readonly backendSlots: Map<string, number>;
  readonly checks: Map<string, Checks>;
  /** Answers of the backends' agents, by result. */
  readonly agents: Map<string, Map<string, number>>;
  readonly controller: ServiceController;
}

class Checks implements CheckCounters {
  readonly results = new Map<string, number>();
  lastSeconds = 0;

  add(result: ProbeResult): void {
    const word = result.ok ? 'ok' : result.reason;
    this.results.set(word, (this.results.get(word) ?? 0) + 1);
    this.lastSeconds = toSeconds(result.latency);
  }
}

/**
 * The services of the configuration in force: joins each pool (control path) to its listeners and counters
 * (data path). Decides nothing; the order of calls is the reload plan's.
 */
export class Services {
  readonly #options: ServicesOptions;
  readonly #running = new Map<string, Running>();
  readonly #serviceSlots: SlotAllocator;
  readonly #backendSlots: SlotAllocator;
  /** "service/backend" of draining backends whose end has been told. */
  #drained: ReadonlySet<string> = new Set();

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.#serviceSlots = SlotAllocator.services(options.counters);
    this.#backendSlots = SlotAllocator.backends(options.counters);
  }

  /**
   * Is there room in the counters for what a reload adds? To be asked before anything is changed.
   * @throws TandemError 'too-many'
   */
  checkRoom(services: number, backends: number): void {
    checkRoom(this.#serviceSlots, services, 'services');
    checkRoom(this.#backendSlots, backends, 'backends');
  }

  /**
   * Opens a service and begins to check its backends.
   * @param kept what was set of its backends to outlive an earlier daemon or service
   * @throws TandemError 'listener.failed', 'too-many'
   */
  open(spec: ServiceSpec, kept?: RuntimeState): void {
    const { dataPath, clock, random, gate, probe, ask, emit } = this.#options;
    const slot = take(this.#serviceSlots, 'services');
    const backendSlots = new Map<string, number>();
    this.#takeBackendSlots(backendSlots, spec.backends);
    const checks = new Map<string, Checks>();
    const agents = new Map<string, Map<string, number>>();
    const controller = new ServiceController({
      spec,
      runtime: kept,
      clock,
      random,
      gate,
      probe,
      ask,
      emit,
      slotOf: (id) => slotOf(backendSlots, id),
      onSet: (set) => dataPath.setBackends(spec.name, set),
      onBackendDown: (backend) => dataPath.closeBackend(spec.name, backend),
      onProbe: (backend, result) => {
        const counters = checks.get(backend) ?? new Checks();
        checks.set(backend, counters);
        counters.add(result);
      },
      onAgent: (backend, result) => {
        const counts = agents.get(backend) ?? new Map<string, number>();
        agents.set(backend, counts);
        const word = result.ok ? 'ok' : result.reason;
        counts.set(word, (counts.get(word) ?? 0) + 1);
      },
    });
    dataPath.openService({ slot, spec, backends: controller.set });
    this.#running.set(spec.name, { slot, backendSlots, checks, agents, controller });
    controller.start();
    emit(serviceEvent('service.opened', spec));
  }

  /**
   * Takes the configuration of a reload, also for a service that did not change: what was set at run time
   * without `--persist` ends with a reload. The plan has reserved the listeners and asked `checkRoom`, so that
   * nothing here can fail half-way.
   * @returns what ended with it, in sentences
   */
  configure(spec: ServiceSpec, changed: boolean): string[] {
    const { backendSlots, checks, agents, controller } = this.#get(spec.name);
    const joined = spec.backends.filter((backend) => !backendSlots.has(backend.id));
    this.#takeBackendSlots(backendSlots, joined);
    const before = controller.snapshot();
    controller.reconfigure(spec);
    const ended = reverted(spec.name, before, controller.snapshot());
    if (!changed) return ended;
    this.#options.dataPath.updateService(spec, controller.set);
    this.#options.emit(serviceEvent('service.changed', spec));
    const stays = new Set(spec.backends.map((backend) => backend.id));
    for (const [id, backendSlot] of backendSlots) {
      if (stays.has(id)) continue;
      // the allocator hands the row out again only after the backend's last connection has gone
      this.#backendSlots.free(backendSlot);
      backendSlots.delete(id);
      checks.delete(id);
      agents.delete(id);
    }
    return ended;
  }

  /** Resolves when the last connection has gone, at the deadline at the latest. */
  async close(name: string, drain: Duration): Promise<void> {
    const { slot, backendSlots, controller } = this.#get(name);
    controller.stop();
    this.#running.delete(name);
    await this.#options.dataPath.closeService(name, drain);
    this.#serviceSlots.free(slot);
    for (const backendSlot of backendSlots.values()) this.#backendSlots.free(backendSlot);
    this.#options.emit(serviceEvent('service.closed', controller.spec));
  }

  /** Ends probes and timers; the data path is stopped by its owner. */
  stop(): void {
    for (const { controller } of this.#running.values()) controller.stop();
  }

  onTraffic(service: string, backend: string, outcome: TrafficOutcome): void {
    // a message that was under way when the service closed
    this.#running.get(service)?.controller.onTraffic(backend, outcome);
  }

  /** @throws TandemError 'unknown-service', 'unknown-backend' unless there is such a backend */
  requireBackend(service: string, backend: string): void {
    this.#get(service).controller.requireBackend(backend);
  }

  /** What was set to be kept, of all services. */
  kept(): KeptState {
    const kept = [...this.#running].map(
      ([name, { controller }]) => [name, controller.exportRuntimeState()] as const,
    );
    return new Map(kept.filter(([, backends]) => backends.size > 0));
  }

  /** @throws TandemError 'unknown-service', 'unknown-backend' */
  setState(service: string, backend: string, state: AdminState, persist: boolean): BackendStatus {
    this.#get(service).controller.setAdmin(backend, state, persist);
    return this.#backend(service, backend);
  }

  /** @throws TandemError 'unknown-service', 'unknown-backend', 'invalid-weight' */
  setWeight(service: string, backend: string, weight: number | null, persist: boolean): BackendStatus {
    this.#get(service).controller.setWeight(backend, weight, persist);
    return this.#backend(service, backend);
  }

  status(): ServiceStatus[] {
    return [...this.#running.values()].map((running) => {
      const counters = this.#options.counters.service(running.slot);
      return serviceStatus(running.controller.spec, counters, this.#backends(running));
    });
  }

  limited(): LimitedService[] {
    return [...this.#running.values()].map(({ slot, controller }) => ({
      slot,
      spec: controller.spec,
      sources: this.#options.dataPath.sources(controller.spec.name),
      members: controller.set.members,
    }));
  }

  serviceCounters(service: string): ServiceCounters | undefined {
    const slot = this.#running.get(service)?.slot;
    if (slot === undefined) return undefined;
    const sources = this.#options.dataPath.sources(service)?.used ?? 0;
    return { ...this.#options.counters.service(slot), sources };
  }

  backendCounters(service: string, backend: string): BackendCounters | undefined {
    const slot = this.#running.get(service)?.backendSlots.get(backend);
    return slot === undefined ? undefined : this.#options.counters.backend(slot);
  }

  checkCounters(service: string, backend: string): CheckCounters | undefined {
    return this.#running.get(service)?.checks.get(backend);
  }

  /** "ok", or why there was no answer -> how often. */
  agentCounters(service: string, backend: string): ReadonlyMap<string, number> | undefined {
    return this.#running.get(service)?.agents.get(backend);
  }

  /** Tells once of every draining backend whose last connection has gone; to be called every so often. */
  watchDrains(): void {
    const drained = new Set<string>();
    for (const [service, { controller, backendSlots }] of this.#running) {
      for (const { id, admin } of controller.snapshot()) {
        if (admin !== 'draining' || !this.#isIdle(slotOf(backendSlots, id))) continue;
        const key = `${service}/${id}`;
        drained.add(key);
        if (!this.#drained.has(key)) this.#options.emit(drainedEvent(service, id));
      }
    }
    this.#drained = drained;
  }

  #isIdle(slot: number): boolean {
    return this.#options.counters.backendConnections(slot) === 0;
  }

  /** Services that have backends to choose from, but none that takes clients. */
  withoutBackend(): string[] {
    return [...this.#running.values()]
      .filter(({ controller }) => !controller.set.members.some((member) => member.disposition === 'eligible'))
      .map(({ controller }) => controller.spec.name);
  }

  /** For the peer's status. */
  summaries(): ServiceSummary[] {
    return [...this.#running.values()].map(({ controller, slot }) => {
      const { members } = controller.set;
      return {
        name: controller.spec.name,
        connections: this.#options.counters.service(slot).connections,
        backends: controller.spec.backends.length,
        eligible: members.filter(({ disposition }) => disposition === 'eligible').length,
      };
    });
  }

  /** For the comparison with the peer, which is asked every second. */
  reach(): Reach {
    const hash = createHash('sha256');
    let up = 0;
    for (const name of [...this.#running.keys()].sort()) {
      const { controller } = this.#get(name);
      hash.update(`${name}\n`);
      const endpoints = controller.spec.backends.map(({ endpoint }) => formatEndpoint(endpoint));
      for (const endpoint of endpoints.sort()) hash.update(` ${endpoint}\n`);
      for (const { health } of controller.snapshot()) if (health === 'up' || health === 'unchecked') up++;
    }
    return { digest: hash.digest('hex').slice(0, 32), up };
  }

  #backends({ controller, backendSlots }: Running): BackendStatus[] {
    return controller
      .snapshot()
      .map((view) => backendStatus(view, this.#options.counters.backend(slotOf(backendSlots, view.id))));
  }

  #backend(service: string, id: string): BackendStatus {
    const found = this.#backends(this.#get(service)).find((backend) => backend.id === id);
    if (found === undefined) throw new RangeError(`${service} has no backend ${id}`);
    return found;
  }

  #get(name: string): Running {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    throw unknownName('unknown-service', `there is no service ${name}`, name, [...this.#running.keys()]);
  }

  #takeBackendSlots(slots: Map<string, number>, backends: readonly BackendSpec[]): void {
    for (const { id } of backends) slots.set(id, take(this.#backendSlots, 'backends'));
  }
}

function take(slots: SlotAllocator, what: string): number {
  const slot = slots.allocate();
  if (slot !== undefined) return slot;
  throw tooMany(slots, what);
}

function checkRoom(slots: SlotAllocator, wanted: number, what: string): void {
  if (slots.taken + wanted > slots.size) throw tooMany(slots, what);
}

function tooMany(slots: SlotAllocator, what: string): TandemError {
  return new TandemError('too-many', `more than ${slots.size} ${what} at once, draining ones included`, {
    hint: 'wait until removed ones have drained, or split the configuration over two daemons',
  });
}

function slotOf(slots: ReadonlyMap<string, number>, id: string): number {
  const slot = slots.get(id);
  if (slot === undefined) throw new RangeError(`backend ${id} has no row in the counters`);
  return slot;
}

/**
 * What the operator had set at run time, not to last, and what stays although the file has another value now. A weight that
 * the file changes as well is no news.
 */
function reverted(service: string, before: readonly BackendView[], after: readonly BackendView[]): string[] {
  const now = new Map(after.map((view) => [view.id, view]));
  return before.flatMap(({ id, admin, weight, configuredWeight }) => {
    const current = now.get(id);
    if (current === undefined) return [];
    const backend = `service ${service}: backend ${id}`;
    const same = current.configuredWeight === configuredWeight;
    return [
      ...(current.admin === admin
        ? []
        : [`${backend} is ${current.admin} again (${admin} was not set with --persist)`]),
      ...(same && current.weight !== weight
        ? [`${backend} has weight ${current.weight} again (${weight} was not set with --persist)`]
        : []),
      ...(!same && current.persisted.includes('weight')
        ? [`${backend} keeps weight ${current.weight}: it was set with --persist`]
        : []),
    ];
  });
}

function drainedEvent(service: string, backend: string): Parameters<Emit>[0] {
  return {
    level: 'info',
    name: 'backend.drained',
    message: `${service}: backend ${backend} has no connections any more`,
    fields: { service, backend },
  };
}

function serviceEvent(
  name: 'service.opened' | 'service.changed' | 'service.closed',
  spec: ServiceSpec,
): Parameters<Emit>[0] {
  const verb = name.slice('service.'.length);
  return {
    level: 'info',
    name,
    message: `service ${spec.name} ${verb}`,
    fields: { service: spec.name, protocol: spec.protocol },
  };
}
