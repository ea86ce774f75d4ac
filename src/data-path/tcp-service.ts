import { closeSync } from 'node:fs';
import { messageOf } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { BackendSet, ServiceSpec } from '../model/service.ts';
import type { Acceptor, AcceptorOwner, Arrival } from './forward/transport.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { ListenerFd, ProcessLimits } from './protocol.ts';
import type { Service, WorkerContext } from './worker-context.ts';

/** A TCP service's life in one worker: its listening sockets, and when they accept. */
export class TcpService implements Service, AcceptorOwner {
  readonly name: string;
  readonly #context: WorkerContext;
  readonly #listener: Listener;
  readonly #acceptors = new Map<string, Acceptor>();
  #spec: ServiceSpec;
  #paused = false;
  #draining = false;
  #ended: (() => void) | null = null;

  constructor(context: WorkerContext, options: ListenerOptions) {
    this.name = options.spec.name;
    this.#context = context;
    this.#spec = options.spec;
    this.#listener = new Listener(context, options, () => this.#checkEnded());
  }

  accepted(arrival: Arrival): void {
    this.#listener.accept(arrival);
    this.#pauseWhenFull();
  }

  acceptFailed(error: Error, endpoint: Endpoint): void {
    const where = formatEndpoint(endpoint);
    this.#context.emit({
      level: 'error',
      name: 'listener.failed',
      message: `service ${this.name} cannot accept on ${where}: ${messageOf(error)}`,
      fields: { service: this.name, listener: where, error: messageOf(error) },
    });
  }

  wantListener(endpoint: Endpoint): void {
    this.#context.wantListener(this.name, endpoint);
  }

  addListener({ fd, endpoint }: ListenerFd): void {
    if (this.#draining) {
      closeSync(fd);
      return;
    }
    const key = formatEndpoint(endpoint);
    const { backlog } = this.#spec;
    const acceptor =
      this.#acceptors.get(key) ?? this.#context.transport.acceptor(endpoint, { backlog }, this);
    this.#acceptors.set(key, acceptor);
    if (this.#paused) acceptor.pause();
    this.#counted(acceptor, () => acceptor.take(fd));
  }

  closeListeners(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#closeAcceptor(formatEndpoint(endpoint));
  }

  update(spec: ServiceSpec, limits: ProcessLimits): void {
    this.#spec = spec;
    this.#listener.update(spec, limits);
    this.#resumeWhenNotFull();
  }

  setBackends(set: BackendSet): void {
    this.#listener.setBackends(set);
  }

  closeBackend(id: string): void {
    this.#listener.closeBackend(id);
  }

  tick(): void {
    this.#listener.tick();
    this.#resumeWhenNotFull();
  }

  drain(ended: () => void): void {
    this.#draining = true;
    this.#ended = ended;
    for (const key of [...this.#acceptors.keys()]) this.#closeAcceptor(key);
    this.#checkEnded();
  }

  cut(reason: 'drain-deadline' | 'shutdown'): void {
    this.#listener.cut(reason);
  }

  /** `on_limit = "wait"`: clients beyond the limit stay in the kernel's backlog. */
  #pauseWhenFull(): void {
    if (this.#paused || this.#spec.onLimit !== 'wait' || !this.#listener.isFull()) return;
    this.#paused = true;
    for (const acceptor of this.#acceptors.values()) this.#counted(acceptor, () => acceptor.pause());
  }

  /** Asked once a tick rather than at every departure: pausing and resuming cost a few system calls each. */
  #resumeWhenNotFull(): void {
    if (!this.#paused || (this.#spec.onLimit === 'wait' && this.#listener.isFull())) return;
    this.#paused = false;
    for (const acceptor of this.#acceptors.values()) this.#counted(acceptor, () => acceptor.resume());
  }

  #closeAcceptor(key: string): void {
    const acceptor = this.#acceptors.get(key);
    if (acceptor === undefined) return;
    this.#counted(acceptor, () => acceptor.close());
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
    if (this.#ended === null || this.#listener.size > 0) return;
    const ended = this.#ended;
    this.#ended = null;
    this.#listener.close();
    ended();
  }
}
