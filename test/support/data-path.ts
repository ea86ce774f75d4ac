/** The data path in the test's own process: the engine without its thread, real sockets on loopback. */
import { CounterReader, createCounters } from '../../src/data-path/counters.ts';
import { DataPath } from '../../src/data-path/data-path.ts';
import { Engine } from '../../src/data-path/engine.ts';
import { NativeTransport } from '../../src/data-path/forward/native-transport.ts';
import { NativeUdpTransport } from '../../src/data-path/forward/native-udp.ts';
import { NodeTransport } from '../../src/data-path/forward/node-transport.ts';
import { NodeUdpTransport } from '../../src/data-path/forward/node-udp.ts';
import type { OpenTransports } from '../../src/data-path/forward/transport.ts';
import type { FromWorker, ProcessLimits } from '../../src/data-path/protocol.ts';
import type { SpawnWorker } from '../../src/data-path/worker-thread.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Duration, millis, seconds } from '../../src/lib/duration.ts';
import { type Endpoint, parseEndpoint } from '../../src/lib/ip.ts';
import type { RelayKind } from '../../src/model/config.ts';
import type {
  BackendCounters,
  ProcessCounters,
  ServiceCounters,
  WorkerCounters,
} from '../../src/model/counters.ts';
import type { EventInput } from '../../src/model/event.ts';
import type { TrafficOutcome } from '../../src/model/health.ts';
import type {
  BackendSet,
  BackendSpec,
  Disposition,
  PoolMember,
  ServiceSpec,
} from '../../src/model/service.ts';
import { loadNative } from '../../src/native/index.ts';
import { eventually } from './netns.ts';

export const endpoint = (text: string): Endpoint => {
  const parsed = parseEndpoint(text);
  if (parsed === undefined) throw new Error(`not an endpoint: ${text}`);
  return parsed;
};

export const backend = (address: string, overrides: Partial<BackendSpec> = {}): BackendSpec => ({
  id: address,
  endpoint: endpoint(address),
  weight: 1,
  maxConnections: null,
  backup: false,
  agentCheck: null,
  ...overrides,
});

export function serviceSpec(
  overrides: Partial<ServiceSpec> & Pick<ServiceSpec, 'listen' | 'backends'>,
): ServiceSpec {
  return {
    name: 'svc',
    protocol: 'tcp',
    schedule: { algorithm: 'round-robin', hashKey: 'tuple', tableSize: 65_537, balanceFactor: null },
    noneEligible: 'reject',
    maxConnections: null,
    onLimit: 'reject',
    rate: null,
    sourceLimit: null,
    allow: [],
    deny: [],
    queue: { max: 0, timeout: seconds(1) },
    timeouts: {
      connect: seconds(2),
      idle: seconds(60),
      fin: seconds(10),
      session: seconds(30),
      preface: seconds(3),
    },
    retries: 2,
    redispatch: true,
    noDelay: true,
    keepAlive: true,
    backlog: 1_024,
    proxyProtocol: { accept: null, send: null },
    sni: [],
    source: null,
    health: null,
    passive: null,
    slowStart: millis(0),
    onDown: 'keep',
    ...overrides,
  };
}

/** What the tests of forwarding run over. */
export const RELAYS: readonly RelayKind[] = ['native', 'node'];

export interface Traffic {
  readonly service: string;
  readonly backend: string;
  readonly outcome: TrafficOutcome;
}

const openTransports =
  (relay: RelayKind): OpenTransports =>
  (wheel, counters) =>
    relay === 'native'
      ? {
          tcp: new NativeTransport(loadNative(), wheel, counters),
          udp: new NativeUdpTransport(loadNative(), wheel, counters),
        }
      : {
          tcp: new NodeTransport(),
          udp: new NodeUdpTransport(wheel, counters, () => {
            throw new Error('a test without privileges opens no transparent socket');
          }),
        };

/** Runs the engine on this thread; messages are cloned and delivered later, as a port does. */
export const inProcess: SpawnWorker = (data, listener) => {
  const later = (deliver: () => void): void => void setImmediate(deliver);
  const send = (message: FromWorker): void => {
    const copy = structuredClone(message);
    later(() => listener.onMessage(copy));
  };
  const engine = new Engine(data, systemClock, send, openTransports(data.relay));
  later(() => engine.start());
  return {
    post: (message) => {
      const copy = structuredClone(message);
      later(() => engine.receive(copy));
    },
    terminate: () => later(() => listener.onExit(null)),
  };
};

const LIMITS: ProcessLimits = {
  maxConnections: 100_000,
  fdReserve: 10,
  fdLimit: 1_000_000,
  localPorts: 28_232,
};

export class DataPathRig {
  readonly dataPath: DataPath;
  readonly events: EventInput[] = [];
  readonly traffic: Traffic[] = [];
  readonly #reader: CounterReader;
  readonly #slots = new Map<string, { slot: number; backends: string[] }>();
  #version = 1;
  #leftAtExit: readonly number[] = [];

  private constructor(limits: ProcessLimits, spawnWorker: SpawnWorker, workers: number, relay: RelayKind) {
    const counters = createCounters({ workers, services: 16, backends: 32 });
    this.#reader = new CounterReader(counters);
    this.dataPath = new DataPath({
      opener: loadNative(),
      counters,
      limits,
      relay,
      clock: systemClock,
      emit: (event) => this.events.push(event),
      onTraffic: (service, id, outcome) => this.traffic.push({ service, backend: id, outcome }),
      spawn: (data, listener) =>
        spawnWorker(data, {
          ...listener,
          onExit: (error) => {
            // before the supervisor gives back what a dead worker held, which would hide a leak
            this.#leftAtExit = this.#gauges(0);
            listener.onExit(error);
          },
        }),
    });
  }

  static async start(
    limits: Partial<ProcessLimits> = {},
    spawnWorker: SpawnWorker = inProcess,
    workers = 1,
    relay: RelayKind = 'native',
  ): Promise<DataPathRig> {
    const rig = new DataPathRig({ ...LIMITS, ...limits }, spawnWorker, workers, relay);
    await rig.dataPath.start();
    return rig;
  }

  /** Opens a service; every backend is eligible. */
  open(spec: ServiceSpec): void {
    const slot = this.#slots.size;
    this.#slots.set(spec.name, { slot, backends: spec.backends.map(({ id }) => id) });
    this.dataPath.openService({ slot, spec, backends: this.set(spec) });
  }

  /** A set in which the named backends stand differently. */
  set(spec: ServiceSpec, dispositions: Readonly<Record<string, Disposition>> = {}): BackendSet {
    const known = this.#slots.get(spec.name);
    if (known === undefined) throw new Error(`no service ${spec.name}`);
    for (const { id } of spec.backends) if (!known.backends.includes(id)) known.backends.push(id);
    const members = spec.backends.map(
      (each): PoolMember => ({
        id: each.id,
        slot: this.#backendSlot(spec.name, each.id),
        endpoint: each.endpoint,
        weight: each.weight,
        maxConnections: each.maxConnections,
        disposition: dispositions[each.id] ?? 'eligible',
      }),
    );
    return { version: this.#version++, members };
  }

  /** What the supervisor does several times a second. */
  watch(): void {
    this.dataPath.watch(systemClock.now());
  }

  worker(worker: number): WorkerCounters {
    return this.#reader.worker(worker);
  }

  process(): ProcessCounters {
    return this.#reader.process();
  }

  service(name = 'svc'): ServiceCounters {
    const sources = this.dataPath.sources(name)?.used ?? 0;
    return { ...this.#reader.service(this.#slots.get(name)?.slot ?? 0), sources };
  }

  backend(id: string, name = 'svc'): BackendCounters {
    return this.#reader.backend(this.#backendSlot(name, id));
  }

  /** Stops at once and proves that nothing is left in any gauge. */
  async stop(drain: Duration = millis(0)): Promise<void> {
    await this.dataPath.stop(drain);
    const left = this.#leftAtExit;
    if (left.some((value) => value !== 0)) throw new Error(`gauges left at the end: ${left.join(' ')}`);
  }

  /** Every gauge is back at zero, but for the descriptors of listeners. */
  async quiet(listeners: number): Promise<void> {
    const gauges = (): number[] => this.#gauges(listeners);
    await eventually('every gauge is at zero', () => gauges().every((value) => value === 0)).catch(() => {
      throw new Error(`gauges are not at zero: ${gauges().join(' ')}`);
    });
  }

  #gauges(listeners: number): number[] {
    return [
      this.process().connections,
      this.process().fdsInUse - listeners,
      ...[...this.#slots.keys()].flatMap((name) => [
        this.service(name).connections,
        this.service(name).queued,
        ...(this.#slots.get(name)?.backends ?? []).map((id) => this.backend(id, name).connections),
      ]),
    ];
  }

  #backendSlot(name: string, id: string): number {
    const known = this.#slots.get(name);
    return (known?.slot ?? 0) * 4 + (known?.backends.indexOf(id) ?? 0);
  }
}
