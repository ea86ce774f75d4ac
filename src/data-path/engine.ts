import { closeSync } from 'node:fs';
import type { Clock, Timer } from '../lib/clock.ts';
import { after, between, type Duration, type Instant, millis, toSeconds } from '../lib/duration.ts';
import { unreachable } from '../lib/errors.ts';
import type { ServiceSpec } from '../model/service.ts';
import { CounterWriter } from './counters.ts';
import { TimerWheel } from './forward/timer-wheel.ts';
import type { OpenTransports } from './forward/transport.ts';
import { UdpForwarder } from './forward/udp-forwarder.ts';
import type { SourcesRef } from './guard/types.ts';
import {
  descriptorsIn,
  type FromWorker,
  type ProcessLimits,
  type ToWorker,
  type WorkerData,
} from './protocol.ts';
import { RecentFailures } from './scheduler/recent-failures.ts';
import { SharedState } from './shared-state.ts';
import { TcpService } from './tcp-service.ts';
import type { Service, WorkerContext } from './worker-context.ts';

/** Time-outs are good to this. */
const TICK = millis(50);
/** The horizon (slots x tick) is 25.6 s: a longer time-out is looked at once in that time. */
const SLOTS = 512;
const TICKS_PER_HEARTBEAT = 4;
const HEARTBEATS_PER_LAG_WINDOW = 5;

interface Open {
  readonly service: Service;
  readonly spec: ServiceSpec;
  readonly sources: SourcesRef | null;
}

/** A worker of the data path without its thread: messages in, messages out. */
export class Engine {
  readonly #context: WorkerContext;
  readonly #send: (message: FromWorker) => void;
  readonly #services = new Map<string, Open>();
  /** Closed services whose clients have not all gone; a new one may have the same name. */
  readonly #draining = new Set<Service>();
  readonly #deadlines = new Set<Timer>();
  readonly #pulse: Pulse;
  #limits: ProcessLimits;
  #stopping = false;
  #timer: Timer | null = null;
  #endWakes: (() => void) | null = null;
  #due: Instant;

  constructor(
    data: WorkerData,
    clock: Clock,
    send: (message: FromWorker) => void,
    openTransports: OpenTransports,
  ) {
    this.#send = send;
    this.#limits = data.limits;
    this.#due = clock.now();
    const counters = new CounterWriter(data.counters, data.worker);
    const shared = new SharedState(data.counters, data.worker);
    this.#pulse = new Pulse(counters);
    const wheel = new TimerWheel({ tick: TICK, slots: SLOTS, now: clock.now() });
    const { tcp, udp } = openTransports(wheel, counters);
    this.#context = {
      clock,
      counters,
      shared,
      wheel,
      transport: tcp,
      udp,
      failures: new RecentFailures(shared.failures),
      emit: (event) => send({ type: 'event', event }),
      traffic: (service, backend, outcome) => send({ type: 'traffic', service, backend, outcome }),
      wantListener: (service, endpoint, place) => send({ type: 'listener-wanted', service, endpoint, place }),
      routeTo: (name) => {
        const service = this.#services.get(name)?.service;
        return service instanceof TcpService ? service : null;
      },
    };
  }

  start(): void {
    this.#arm();
    this.#endWakes = this.#context.shared.onWake(() => {
      for (const { service } of this.#services.values()) service.woken();
      for (const service of this.#draining) service.woken();
    });
    this.#send({ type: 'ready' });
  }

  receive(message: ToWorker): void {
    const fds = descriptorsIn(message);
    // first: were it told later, a worker that dies in between would have both sides close them
    if (fds.length > 0) this.#send({ type: 'descriptors-taken', fds });
    switch (message.type) {
      case 'service-open':
        this.#open(message);
        return;
      case 'service-update':
        this.#update(message);
        return;
      case 'listener':
        this.#addListener(message);
        return;
      case 'return-place':
        for (const { service } of this.#services.values()) service.returnPlace(message.place);
        return;
      case 'backends':
        this.#services.get(message.service)?.service.setBackends(message.set);
        return;
      case 'service-close':
        this.#close(message.service, message.drain);
        return;
      case 'close-backend':
        this.#services.get(message.service)?.service.closeBackend(message.backend);
        return;
      case 'limits':
        this.#limits = message.limits;
        for (const { service, spec, sources } of this.#services.values()) {
          service.update(spec, message.limits, sources);
        }
        return;
      case 'stop':
        this.#stop(message.drain);
        return;
      default:
        unreachable(message);
    }
  }

  #open({ slot, spec, listeners, backends, sources }: Extract<ToWorker, { type: 'service-open' }>): void {
    const options = { slot, spec, backends, sources, limits: this.#limits };
    const service =
      spec.protocol === 'tcp'
        ? new TcpService(this.#context, options)
        : new UdpForwarder(this.#context, options);
    this.#services.set(spec.name, { service, spec, sources });
    // a UDP service that still drains would go on taking its share of the datagrams
    for (const old of this.#draining) old.closeListeners(spec.listen);
    for (const listener of listeners) service.addListener(listener);
    this.#send({ type: 'service-opened', service: spec.name });
  }

  #update({ spec, opened, closed, backends, sources }: Extract<ToWorker, { type: 'service-update' }>): void {
    const service = this.#services.get(spec.name)?.service;
    if (service === undefined) {
      for (const { fd } of opened) closeSync(fd);
      return;
    }
    this.#services.set(spec.name, { service, spec, sources });
    service.closeListeners(closed);
    service.setBackends(backends);
    service.update(spec, this.#limits, sources);
    for (const listener of opened) service.addListener(listener);
  }

  #addListener({ service, listener }: Extract<ToWorker, { type: 'listener' }>): void {
    const owner = this.#services.get(service)?.service;
    if (owner === undefined) closeSync(listener.fd);
    else owner.addListener(listener);
  }

  #close(name: string, drain: Duration): void {
    const service = this.#services.get(name)?.service;
    if (service === undefined) return;
    this.#services.delete(name);
    this.#draining.add(service);
    const deadline = this.#context.clock.timerAfter(drain, () => cut(service, drain));
    this.#deadlines.add(deadline);
    service.drain(() => {
      deadline.cancel();
      this.#deadlines.delete(deadline);
      this.#draining.delete(service);
      this.#send({ type: 'service-closed', service: name });
      this.#checkStopped();
    });
  }

  #stop(drain: Duration): void {
    for (const name of [...this.#services.keys()]) this.#close(name, drain);
    // those that were draining already get no more time than the rest
    const early = [...this.#draining];
    this.#deadlines.add(
      this.#context.clock.timerAfter(drain, () => {
        for (const service of early) if (this.#draining.has(service)) cut(service, drain);
      }),
    );
    // only now: an idle service that closes at once must not end the worker under the clients of the next
    this.#stopping = true;
    this.#checkStopped();
  }

  #checkStopped(): void {
    if (!this.#stopping || this.#draining.size > 0) return;
    this.#dispose();
    this.#send({ type: 'stopped' });
  }

  #dispose(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#endWakes?.();
    for (const deadline of this.#deadlines) deadline.cancel();
    this.#deadlines.clear();
    this.#context.transport.close();
    this.#context.udp.close();
  }

  #arm(): void {
    const { clock } = this.#context;
    this.#due = after(clock.now(), TICK);
    this.#timer = clock.timerAt(this.#due, () => {
      this.#turn(clock.now());
      // the turn may have ended the last client of a stopping worker
      if (this.#timer !== null) this.#arm();
    });
  }

  #turn(now: Instant): void {
    this.#pulse.beat(between(this.#due, now));
    this.#context.wheel.advance(now);
    this.#context.transport.tick();
    this.#context.udp.tick();
    for (const { service } of this.#services.values()) service.tick();
    for (const service of this.#draining) service.tick();
  }
}

function cut(service: Service, drain: Duration): void {
  service.cut(drain > 0 ? 'drain-deadline' : 'shutdown');
}

/** Shows the supervisor that this event loop turns, and how late it is. */
class Pulse {
  readonly #counters: CounterWriter;
  #turns = 0;
  #worst: Duration = millis(0);

  constructor(counters: CounterWriter) {
    this.#counters = counters;
  }

  /** @param lag by how much this tick came late */
  beat(lag: Duration): void {
    this.#turns++;
    if (lag > this.#worst) this.#worst = lag;
    if (this.#turns % TICKS_PER_HEARTBEAT !== 0) return;
    this.#counters.heartbeat(toSeconds(this.#worst));
    if (this.#turns % (TICKS_PER_HEARTBEAT * HEARTBEATS_PER_LAG_WINDOW) === 0) this.#worst = millis(0);
  }
}
