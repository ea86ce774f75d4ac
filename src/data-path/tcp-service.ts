import { closeSync } from 'node:fs';
import { messageOf } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint, type IpAddress } from '../lib/ip.ts';
import type { RefusalReason } from '../model/reason.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import type { Acceptor, Arrival } from './forward/transport.ts';
import type { SourcesRef } from './guard/types.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { type GateOwner, type Introduction, NO_TLVS, PrefaceGate, wantsPreface } from './preface/gate.ts';
import type { ListenerFd, ProcessLimits } from './protocol.ts';
import type { RouteTarget, Service, WorkerContext } from './worker-context.ts';

/** A TCP service's life in one worker: its listening sockets, and when they accept. */
export class TcpService implements Service, GateOwner, RouteTarget {
  readonly name: string;
  readonly #context: WorkerContext;
  readonly #gate: PrefaceGate;
  readonly #listener: Listener;
  /** By address, then by the worker whose listener it is. */
  readonly #acceptors = new Map<string, Map<number, Acceptor>>();
  #spec: ServiceSpec;
  #paused = false;
  #draining = false;
  #ended: (() => void) | null = null;

  constructor(context: WorkerContext, options: ListenerOptions) {
    this.name = options.spec.name;
    this.#context = context;
    this.#spec = options.spec;
    this.#listener = new Listener(context, options, () => this.#left());
    this.#gate = new PrefaceGate(context, options.spec, this.#listener.refusals, this);
  }

  #accepted(arrival: Arrival): void {
    if (wantsPreface(this.#spec)) this.#gate.receive(arrival);
    else this.serve(arrival, { key: arrival.key, tlvs: NO_TLVS });
  }

  serve(arrival: Arrival, introduction: Introduction): void {
    this.#listener.accept(arrival, introduction);
    this.#pauseWhenOccupied();
  }

  objection(): RefusalReason | null {
    return this.#listener.objection();
  }

  permits(source: IpAddress): boolean {
    return this.#listener.permits(source);
  }

  introduced(arrival: Arrival, introduction: Introduction, service: string | null): void {
    const target = service === null ? this.#own() : this.#context.routeTo(service);
    if (target !== null) target.serve(arrival, introduction);
    else {
      this.#listener.refusals.add('no-route', introduction.key.source.text);
      arrival.turnAway();
    }
  }

  /** A service that has only routes serves nobody itself. */
  #own(): RouteTarget | null {
    return this.#spec.backends.length === 0 && this.#spec.sni.length > 0 ? null : this;
  }

  gateEmptied(): void {
    this.#checkEnded();
  }

  #acceptFailed(error: Error, endpoint: Endpoint): void {
    const where = formatEndpoint(endpoint);
    this.#context.emit({
      level: 'error',
      name: 'listener.failed',
      message: `service ${this.name} cannot accept on ${where}: ${messageOf(error)}`,
      fields: { service: this.name, listener: where, error: messageOf(error) },
    });
  }

  addListener({ fd, endpoint, place }: ListenerFd): void {
    if (this.#draining) {
      closeSync(fd);
      return;
    }
    const key = formatEndpoint(endpoint);
    const places = this.#acceptors.get(key) ?? new Map<number, Acceptor>();
    this.#acceptors.set(key, places);
    const acceptor = places.get(place) ?? this.#acceptor(endpoint, place);
    places.set(place, acceptor);
    if (this.#paused) acceptor.pause();
    this.#counted(acceptor, () => acceptor.take(fd));
  }

  #acceptor(endpoint: Endpoint, place: number): Acceptor {
    const { backlog } = this.#spec;
    return this.#context.transport.acceptor(endpoint, backlog, {
      accepted: (arrival) => this.#accepted(arrival),
      acceptFailed: (error, where) => this.#acceptFailed(error, where),
      wantListener: (where) => this.#context.wantListener(this.name, where, place),
    });
  }

  closeListeners(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#closeAcceptors(formatEndpoint(endpoint));
  }

  returnPlace(place: number): void {
    for (const places of this.#acceptors.values()) {
      const acceptor = places.get(place);
      if (acceptor === undefined) continue;
      this.#counted(acceptor, () => acceptor.close());
      places.delete(place);
    }
  }

  update(spec: ServiceSpec, limits: ProcessLimits, sources: SourcesRef | null): void {
    this.#spec = spec;
    this.#gate.update(spec);
    this.#listener.update(spec, limits, sources);
    this.#resumeWhenFree();
  }

  setBackends(set: BackendSet): void {
    this.#listener.setBackends(set);
  }

  closeBackend(id: string): void {
    this.#listener.closeBackend(id);
  }

  woken(): void {
    this.#listener.woken();
  }

  tick(): void {
    this.#listener.tick();
  }

  drain(ended: () => void): void {
    this.#draining = true;
    this.#ended = ended;
    for (const key of [...this.#acceptors.keys()]) this.#closeAcceptors(key);
    this.#checkEnded();
  }

  cut(reason: 'drain-deadline' | 'shutdown'): void {
    this.#gate.cut();
    this.#listener.cut(reason);
  }

  /** `on_limit = "wait"`: behind the first client that has no room, the others stay in the kernel's backlog. */
  #pauseWhenOccupied(): void {
    if (this.#paused || !this.#listener.occupied) return;
    this.#paused = true;
    this.#eachAcceptor((acceptor) => acceptor.pause());
  }

  #resumeWhenFree(): void {
    if (!this.#paused || this.#listener.occupied) return;
    this.#paused = false;
    this.#eachAcceptor((acceptor) => acceptor.resume());
  }

  #left(): void {
    this.#checkEnded();
    this.#resumeWhenFree();
  }

  #eachAcceptor(change: (acceptor: Acceptor) => void): void {
    for (const places of this.#acceptors.values()) {
      for (const acceptor of places.values()) this.#counted(acceptor, () => change(acceptor));
    }
  }

  #closeAcceptors(key: string): void {
    for (const acceptor of this.#acceptors.get(key)?.values() ?? []) {
      this.#counted(acceptor, () => acceptor.close());
    }
    this.#acceptors.delete(key);
  }

  /** Keeps the gauge of descriptors in step with what the acceptor holds. */
  #counted(acceptor: Acceptor, change: () => void): void {
    const before = acceptor.descriptors;
    change();
    for (let i = before; i < acceptor.descriptors; i++) this.#context.counters.fdOpened();
    for (let i = acceptor.descriptors; i < before; i++) this.#context.counters.fdClosed();
  }

  #checkEnded(): void {
    if (this.#ended === null || this.#listener.size > 0 || this.#gate.size > 0) return;
    const ended = this.#ended;
    this.#ended = null;
    ended();
  }
}
