import { closeSync } from 'node:fs';
import { after, type Duration, type Instant } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../../lib/ip.ts';
import type { RefusalReason, SessionEndReason } from '../../model/reason.ts';
import type { BackendSet, PoolMember, ServiceSpec } from '../../model/service.ts';
import { BackendPicker } from '../backend-picker.ts';
import { Failures } from '../failures.ts';
import { Guard } from '../guard/guard.ts';
import type { SourcesRef, Ticket } from '../guard/types.ts';
import type { ListenerOptions } from '../listener.ts';
import type { ListenerFd, ProcessLimits } from '../protocol.ts';
import { Refusals } from '../refusals.ts';
import type { ClientKey } from '../scheduler/types.ts';
import { SourcePool } from '../source-pool.ts';
import type { Service, WorkerContext } from '../worker-context.ts';
import { UdpSession } from './udp-session.ts';
import type { UdpArrival, UdpFlow, UdpOwner, UdpSockets } from './udp-transport.ts';

/** A full house makes room for a new session by ending the one not used for longest. */
const EVICTING: ReadonlySet<RefusalReason> = new Set(['process-limit', 'service-limit', 'fd-headroom']);

/** What ICMP says about the way to a backend (udp(7)); every other error is ours. */
const UNREACHABLE: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
/** One datagram that did not fit into a buffer or a packet: no reason to end anything. */
const OF_ONE_DATAGRAM: ReadonlySet<string | undefined> = new Set(['EMSGSIZE', 'EAGAIN', 'ENOBUFS']);

/**
 * The decisions of a UDP service in one worker: guard and schedule for a client's first datagram, another backend when its
 * own is gone, and the end. The datagrams of a session pass without it (`udp-transport.ts`).
 * A session holds its guard's ticket and a place on its backend from `arrived` to `#end`.
 */
export class UdpForwarder implements Service, UdpOwner {
  readonly name: string;
  readonly #context: WorkerContext;
  readonly #slot: number;
  readonly #guard: Guard;
  readonly #sources: SourcePool;
  readonly #picker: BackendPicker;
  readonly #refusals: Refusals;
  readonly #failures: Failures;
  readonly #sessions = new Map<UdpFlow, UdpSession>();
  readonly #sockets: UdpSockets;
  #spec: ServiceSpec;
  #ended: (() => void) | null = null;
  #draining = false;
  readonly #expired = (session: UdpSession, now: Instant): void => this.#sessionExpired(session, now);

  constructor(context: WorkerContext, options: ListenerOptions) {
    const { slot, spec, backends } = options;
    this.name = spec.name;
    this.#context = context;
    this.#slot = slot;
    this.#spec = spec;
    this.#guard = new Guard({ ...options, worker: context.shared.worker }, context.counters, context.shared);
    this.#sources = new SourcePool(spec.source);
    this.#picker = new BackendPicker(context, spec.name, spec.schedule, backends);
    this.#refusals = new Refusals(context, spec.name, slot);
    this.#failures = new Failures(context, spec.name);
    this.#sockets = context.udp.sockets(slot, spec, this);
  }

  // from clients

  arrived(arrival: UdpArrival): boolean {
    if (this.#draining) return this.#dropped();
    const { key } = arrival;
    const admission = this.#admit(key);
    if (typeof admission === 'string') return this.#refuse(admission, key);
    const member = this.#picker.take(key, null);
    if (typeof member === 'string') {
      this.#guard.release(admission.ticket);
      return this.#refuse(member, key);
    }
    this.#context.counters.accepted(this.#slot);
    return this.#open(arrival.admit(), admission.ticket, member);
  }

  #admit(client: ClientKey): { ticket: Ticket } | RefusalReason {
    const now = this.#context.clock.now();
    const first = this.#guard.admit(client.source, now);
    if (first.admitted) return first;
    if (!EVICTING.has(first.reason) || !this.#guard.lacksOnlyRoom(client.source, now)) return first.reason;
    const oldest = this.#leastRecent();
    if (oldest === undefined) {
      // all of them are in other workers: the client's next datagram finds room
      this.#context.shared.requestEviction(this.#slot);
      return first.reason;
    }
    this.#end(oldest, 'evicted');
    const second = this.#guard.admit(client.source, now);
    return second.admitted ? second : second.reason;
  }

  #refuse(reason: RefusalReason, { source }: ClientKey): false {
    this.#refusals.add(reason, source.text);
    return this.#dropped();
  }

  #dropped(): false {
    this.#context.counters.datagramDropped(this.#slot);
    return false;
  }

  #open(flow: UdpFlow, ticket: Ticket, member: PoolMember): boolean {
    const { counters, wheel } = this.#context;
    const session = new UdpSession({ flow, ticket, member, expired: this.#expired });
    this.#sessions.set(flow, session);
    counters.fdOpened();
    wheel.schedule(session, this.#deadline(wheel.now));
    return this.#connect(session, member);
  }

  /** False when that failed in such a way that the session has ended. */
  #connect(session: UdpSession, member: PoolMember): boolean {
    const { flow } = session;
    session.member = member;
    session.answered = false;
    session.unreachable = false;
    this.#context.counters.connectStarted(member.slot);
    flow.connect(member, this.#sources.next(flow.client.source, member.endpoint.address));
    return this.#sessions.has(flow);
  }

  /** Makes sure that a known session has a backend that wants it. False: there is none, and no session any more. */
  asked(flow: UdpFlow): boolean {
    const session = this.#sessions.get(flow);
    if (session === undefined) return this.#dropped();
    const present = this.#picker.member(session.member.id);
    const stays = present !== undefined && present.disposition !== 'leave' && isSame(present, session.member);
    if (!stays || session.unreachable) return this.#rehome(session);
    session.member = present;
    return this.#goOn(session);
  }

  /** With the backend that it has. */
  #goOn(session: UdpSession): boolean {
    session.unreachable = false;
    return session.flow.keep() || this.#connect(session, session.member);
  }

  #rehome(session: UdpSession): boolean {
    const key = session.flow.client;
    const left = new Set([session.member.id]);
    let member = this.#picker.take(key, left);
    // the only one there is: better an unreachable backend than none, it may be back
    if (typeof member === 'string') member = this.#picker.take(key, null);
    if (typeof member === 'string') {
      this.#refusals.add(member, key.source.text);
      this.#end(session, 'backend-error');
      return this.#dropped();
    }
    this.#picker.release(session.member);
    if (isSame(member, session.member)) {
      session.member = member;
      return this.#goOn(session);
    }
    this.#context.counters.sessionEnded(this.#slot, 'rehomed');
    this.#context.counters.redispatched(session.member.slot);
    return this.#connect(session, member);
  }

  // from backends

  answered(flow: UdpFlow): void {
    const session = this.#sessions.get(flow);
    if (session === undefined || session.answered) return;
    session.answered = true;
    this.#picker.succeeded(session.member);
  }

  failed(flow: UdpFlow, error: Error): void {
    this.#dropped();
    const session = this.#sessions.get(flow);
    if (session === undefined) return;
    const errno = errnoOf(error);
    if (UNREACHABLE.has(errno)) {
      this.#context.counters.connectFailed(session.member.slot);
      session.unreachable = true;
      session.answered = false;
      this.#picker.failed(session.member, 'icmp-unreachable');
      this.#failures.add('icmp-unreachable', flow.client.source.text, session.member.id);
    } else if (!OF_ONE_DATAGRAM.has(errno)) {
      this.#end(session, 'backend-error');
    }
  }

  // the end

  #sessionExpired(session: UdpSession, now: Instant): void {
    const due = this.#deadline(session.flow.lastUse);
    if (due > now) this.#context.wheel.schedule(session, due);
    else this.#end(session, 'session-timeout');
  }

  /** The wheel's clock may be one tick behind: never early for that. */
  #deadline(lastUse: Instant): Instant {
    const patience = (this.#context.wheel.tick + this.#spec.timeouts.session) as Duration;
    return after(lastUse, patience);
  }

  #leastRecent(): UdpSession | undefined {
    const flow = this.#sockets.leastRecent;
    return flow === null ? undefined : this.#sessions.get(flow);
  }

  #end(session: UdpSession, reason: SessionEndReason): void {
    if (!this.#sessions.delete(session.flow)) return;
    this.#context.wheel.cancel(session);
    session.flow.close();
    this.#context.counters.fdClosed();
    this.#context.counters.sessionEnded(this.#slot, reason);
    this.#picker.release(session.member);
    this.#guard.release(session.ticket);
    this.#checkEnded();
  }

  // what the supervisor says

  addListener(listener: ListenerFd): void {
    if (this.#draining) closeSync(listener.fd);
    else if (this.#sockets.addListener(listener)) this.#context.counters.fdOpened();
  }

  listenerFailed(endpoint: Endpoint, error: Error): void {
    const where = formatEndpoint(endpoint);
    this.#context.emit({
      level: 'error',
      name: 'listener.failed',
      message: `service ${this.name} cannot receive on ${where}: ${messageOf(error)}`,
      fields: { service: this.name, listener: where, error: messageOf(error) },
    });
  }

  closeListeners(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.#closeListener(formatEndpoint(endpoint));
  }

  update(spec: ServiceSpec, limits: ProcessLimits, sources: SourcesRef | null): void {
    this.#spec = spec;
    this.#sources.update(spec.source);
    this.#guard.update(spec, limits, sources, this.#context.clock.now());
    this.#picker.setSchedule(spec.schedule);
  }

  setBackends(set: BackendSet): void {
    if (this.#picker.setBackends(set)) this.#sockets.askAll();
  }

  /** Nothing to do: sessions leave a backend that is down with their next datagram, whatever `on_down` says. */
  closeBackend(): void {}

  /** Nothing to do: a session's socket waits for its own worker, or others would begin second sessions. */
  returnPlace(): void {}

  woken(): void {
    const oldest = this.#leastRecent();
    if (oldest !== undefined && this.#context.shared.takeEviction(this.#slot)) this.#end(oldest, 'evicted');
  }

  tick(): void {
    this.#guard.tick(this.#context.clock.now());
  }

  /** The listeners stay for the sessions that there are. */
  drain(ended: () => void): void {
    this.#draining = true;
    this.#ended = ended;
    this.#checkEnded();
  }

  cut(reason: 'drain-deadline' | 'shutdown'): void {
    for (const session of [...this.#sessions.values()]) this.#end(session, reason);
  }

  /** Without its socket a session could not be answered any more. */
  #closeListener(key: string): void {
    for (const session of [...this.#sessions.values()]) {
      if (session.flow.listener === key) this.#end(session, 'drain-deadline');
    }
    // the end of the last session of one that drains has closed whatever was open
    if (this.#sockets.closeListener(key)) this.#context.counters.fdClosed();
  }

  #checkEnded(): void {
    if (this.#ended === null || this.#sessions.size > 0) return;
    const ended = this.#ended;
    this.#ended = null;
    for (const key of this.#sockets.listeners()) this.#closeListener(key);
    this.#sockets.close();
    ended();
  }
}

/** A backend that was removed and came back under its name may have another row or address. */
function isSame(a: PoolMember, b: PoolMember): boolean {
  return a.slot === b.slot && formatEndpoint(a.endpoint) === formatEndpoint(b.endpoint);
}
