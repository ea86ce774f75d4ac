import type { Clock } from '../lib/clock.ts';
import type { Endpoint } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import type { CounterWriter } from './counters.ts';
import type { TimerWheel } from './forward/timer-wheel.ts';
import type { Arrival, TcpTransport } from './forward/transport.ts';
import type { UdpTransport } from './forward/udp-transport.ts';
import type { SourcesRef } from './guard/types.ts';
import type { Introduction } from './preface/gate.ts';
import type { ListenerFd, ProcessLimits } from './protocol.ts';
import type { RecentFailures } from './scheduler/recent-failures.ts';
import type { SharedState } from './shared-state.ts';

/** What all services of one worker share. */
export interface WorkerContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly transport: TcpTransport;
  readonly udp: UdpTransport;
  readonly counters: CounterWriter;
  /** What this worker and the others tell each other. */
  readonly shared: SharedState;
  readonly failures: RecentFailures;
  readonly emit: Emit;
  readonly traffic: (service: string, backend: string, outcome: TrafficOutcome) => void;
  /** Asks the supervisor for another descriptor of a listener; it comes by `Service.addListener`. */
  readonly wantListener: (service: string, endpoint: Endpoint, place: number) => void;
  /** A service of this worker that takes clients of another one; null when it is not there (any more). */
  readonly routeTo: (service: string) => RouteTarget | null;
}

/** Who serves a client that another service has accepted. */
export interface RouteTarget {
  serve(arrival: Arrival, introduction: Introduction): void;
}

/** One service in one worker: a TCP listener or a UDP forwarder. */
export interface Service {
  readonly name: string;
  addListener(listener: ListenerFd): void;
  /** Those of these that it has are closed. */
  closeListeners(endpoints: readonly Endpoint[]): void;
  /** The worker whose listeners these are accepts by itself again. */
  returnPlace(place: number): void;
  /** New settings, for clients that are here already too. */
  update(spec: ServiceSpec, limits: ProcessLimits, sources: SourcesRef | null): void;
  /** An older set than the one in force is ignored. */
  setBackends(set: BackendSet): void;
  /** Ends every connection of a backend that is down. */
  closeBackend(id: string): void;
  /** Another worker has something for this one: a place on a backend, or a request to make room. */
  woken(): void;
  /** Every tick of the wheel. */
  tick(): void;
  /** Takes no new clients from now on; `ended` is called once, when the last one has gone. */
  drain(ended: () => void): void;
  /** Ends those who are left: the deadline of a drain, or a shutdown without one. */
  cut(reason: 'drain-deadline' | 'shutdown'): void;
}
