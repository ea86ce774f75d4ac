import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { closeSync } from 'node:fs';
import type { Instant } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint, type IpAddress, ipOfPeer } from '../../lib/ip.ts';
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
import type { Source } from './transport.ts';
import { literal, type UdpClient, UdpSession, type UdpSessionOwner } from './udp-session.ts';
import { sessionKey, UdpSessionTable } from './udp-session-table.ts';

/** One of the service's addresses. Replies leave through the socket, so from the address the client wrote to. */
interface UdpListener {
  readonly socket: Socket;
  readonly endpoint: Endpoint;
  readonly index: number;
}

/** A full house makes room for a new session by ending the one not used for longest. */
const EVICTING: ReadonlySet<RefusalReason> = new Set(['process-limit', 'service-limit', 'fd-headroom']);

/**
 * A UDP service in one worker: datagram -> session (guard -> schedule on the first one) -> backend, and back.
 * A session holds its guard's ticket and a place on its backend from `#begin` to `#end`.
 */
export class UdpForwarder implements Service, UdpSessionOwner {
  readonly name: string;
  readonly #context: WorkerContext;
  readonly #slot: number;
  readonly #guard: Guard;
  readonly #sources: SourcePool;
  readonly #picker: BackendPicker;
  readonly #refusals: Refusals;
  readonly #failures: Failures;
  readonly #sessions = new UdpSessionTable<UdpSession>();
  readonly #listeners = new Map<string, UdpListener>();
  #listenerIndex = 0;
  #spec: ServiceSpec;
  #version: number;
  #ended: (() => void) | null = null;
  #draining = false;
  readonly #onReplied = (error: Error | null): void => {
    if (error !== null) this.datagramDropped();
  };

  constructor(context: WorkerContext, options: ListenerOptions) {
    const { slot, spec, backends } = options;
    this.name = spec.name;
    this.#context = context;
    this.#slot = slot;
    this.#spec = spec;
    this.#version = backends.version;
    this.#guard = new Guard({ ...options, worker: context.shared.worker }, context.counters, context.shared);
    this.#sources = new SourcePool(spec.source);
    this.#picker = new BackendPicker(context, spec.name, spec.schedule, backends);
    this.#refusals = new Refusals(context, spec.name, slot);
    this.#failures = new Failures(context, spec.name);
  }

  leaveFrom({ client, member }: UdpSession): Source | null {
    return this.#sources.next(ipOfPeer(client.address), member.endpoint.address);
  }

  openTransparent(address: IpAddress): number {
    return this.#context.openTransparent(address);
  }

  // from the client

  #receive(listener: UdpListener, datagram: Buffer, { address, port }: RemoteInfo): void {
    const { counters } = this.#context;
    const key = sessionKey(listener.index, address, port);
    const known = this.#sessions.find(key);
    const session = known ?? this.#begin(key, listener, address, port);
    if (session === null || (session === known && !this.#settle(session, listener.endpoint))) {
      counters.datagramDropped(this.#slot);
      return;
    }
    this.#touch(session);
    counters.datagramIn(this.#slot);
    counters.bytesIn(this.#slot, session.member.slot, datagram.length);
    session.send(datagram);
  }

  /** A session for a client that has none, or null when it is refused. */
  #begin(key: string, listener: UdpListener, address: string, port: number): UdpSession | null {
    if (this.#draining) return null;
    const client = clientKey(address, port, listener.endpoint);
    const admission = this.#admit(client);
    if (typeof admission === 'string') return this.#refuse(admission, address);
    const member = this.#picker.take(client, null);
    if (typeof member === 'string') {
      this.#guard.release(admission.ticket);
      return this.#refuse(member, address);
    }
    this.#context.counters.accepted(this.#slot);
    return this.#open(key, { socket: listener.socket, address, port }, admission.ticket, member);
  }

  #admit(client: ClientKey): { ticket: Ticket } | RefusalReason {
    const now = this.#context.clock.now();
    const first = this.#guard.admit(client.source, now);
    if (first.admitted) return first;
    if (!EVICTING.has(first.reason) || !this.#guard.lacksOnlyRoom(client.source, now)) return first.reason;
    const oldest = this.#sessions.leastRecent;
    if (oldest === null) {
      // all of them are in other workers: the client's next datagram finds room
      this.#context.shared.requestEviction(this.#slot);
      return first.reason;
    }
    this.#end(oldest, 'evicted');
    const second = this.#guard.admit(client.source, now);
    return second.admitted ? second : second.reason;
  }

  #refuse(reason: RefusalReason, source: string): null {
    this.#refusals.add(reason, source);
    return null;
  }

  #open(key: string, client: UdpClient, ticket: Ticket, member: PoolMember): UdpSession | null {
    const { counters, wheel } = this.#context;
    const session = new UdpSession({ key, client, ticket, member, checked: this.#version, owner: this });
    this.#sessions.add(session);
    counters.fdOpened();
    counters.connectStarted(member.slot);
    wheel.schedule(session, this.#deadline());
    session.open();
    // without a descriptor left, the socket fails before it returns and has ended the session already
    return this.#sessions.find(key) === session ? session : null;
  }

  /** Makes sure that a known session has a backend that wants it. False: there is none, and no session any more. */
  #settle(session: UdpSession, endpoint: Endpoint): boolean {
    if (session.checked === this.#version && !session.unreachable) return true;
    const present = this.#picker.member(session.member.id);
    session.checked = this.#version;
    const stays = present !== undefined && present.disposition !== 'leave' && isSame(present, session.member);
    if (stays && !session.unreachable) {
      session.member = present;
      return true;
    }
    return this.#rehome(session, endpoint);
  }

  #rehome(session: UdpSession, endpoint: Endpoint): boolean {
    const client = clientKey(session.client.address, session.client.port, endpoint);
    const left = new Set([session.member.id]);
    let member = this.#picker.take(client, left);
    // the only one there is: better an unreachable backend than none, it may be back
    if (typeof member === 'string') member = this.#picker.take(client, null);
    if (typeof member === 'string') {
      this.#refusals.add(member, session.client.address);
      this.#end(session, 'backend-error');
      return false;
    }
    this.#picker.release(session.member);
    if (isSame(member, session.member)) {
      session.member = member;
      session.unreachable = false;
      return true;
    }
    this.#context.counters.sessionEnded(this.#slot, 'rehomed');
    this.#context.counters.redispatched(session.member.slot);
    this.#context.counters.connectStarted(member.slot);
    session.move(member);
    return this.#sessions.find(session.key) === session;
  }

  // from the backend

  reply(session: UdpSession, datagram: Buffer): void {
    const { counters } = this.#context;
    if (!session.answered) {
      session.answered = true;
      this.#picker.succeeded(session.member);
    }
    this.#touch(session);
    counters.datagramOut(this.#slot);
    counters.bytesOut(this.#slot, session.member.slot, datagram.length);
    const { socket, address, port } = session.client;
    socket.send(datagram, 0, datagram.length, port, address, this.#onReplied);
  }

  /** ICMP errors arrive at a connected socket as errno values (udp(7)); whatever else is ours. */
  upstreamFailed(session: UdpSession, error: Error): void {
    this.datagramDropped();
    const errno = errnoOf(error);
    if (errno === 'ECONNREFUSED' || errno === 'EHOSTUNREACH' || errno === 'ENETUNREACH') {
      this.#context.counters.connectFailed(session.member.slot);
      session.unreachable = true;
      session.answered = false;
      this.#picker.failed(session.member, 'icmp-unreachable');
      this.#failures.add('icmp-unreachable', session.client.address, session.member.id);
    } else if (errno !== 'EMSGSIZE' && errno !== 'EAGAIN' && errno !== 'ENOBUFS') {
      this.#end(session, 'backend-error');
    }
  }

  datagramDropped(): void {
    this.#context.counters.datagramDropped(this.#slot);
  }

  sessionExpired(session: UdpSession): void {
    this.#end(session, 'session-timeout');
  }

  #touch(session: UdpSession): void {
    this.#sessions.touch(session);
    session.deadline = this.#deadline();
  }

  /** The wheel's clock may be one tick behind: never early for that. */
  #deadline(): Instant {
    const { wheel } = this.#context;
    return (wheel.now + wheel.tick + this.#spec.timeouts.session) as Instant;
  }

  #end(session: UdpSession, reason: SessionEndReason): void {
    if (!this.#sessions.delete(session)) return;
    this.#context.wheel.cancel(session);
    session.close();
    this.#context.counters.fdClosed();
    this.#context.counters.sessionEnded(this.#slot, reason);
    this.#picker.release(session.member);
    this.#guard.release(session.ticket);
    this.#checkEnded();
  }

  // what the supervisor says

  addListener({ fd, endpoint }: ListenerFd): void {
    const key = formatEndpoint(endpoint);
    if (this.#draining || this.#listeners.has(key)) {
      closeSync(fd);
      return;
    }
    const socket = createSocket({ type: endpoint.address.family === 6 ? 'udp6' : 'udp4', lookup: literal });
    const listener: UdpListener = { socket, endpoint, index: this.#listenerIndex++ };
    socket.on('message', (datagram, client) => this.#receive(listener, datagram, client));
    socket.on('error', (error) => this.#listenerFailed(listener, error));
    socket.bind({ fd, exclusive: true });
    this.#context.counters.fdOpened();
    this.#listeners.set(key, listener);
  }

  #listenerFailed({ endpoint }: UdpListener, error: Error): void {
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
    if (this.#picker.setBackends(set)) this.#version = set.version;
  }

  /** Nothing to do: sessions leave a backend that is down with their next datagram, whatever `on_down` says. */
  closeBackend(): void {}

  /** Nothing to do: a session's socket waits for its own worker, or others would begin second sessions. */
  returnPlace(): void {}

  woken(): void {
    const oldest = this.#sessions.leastRecent;
    if (oldest !== null && this.#context.shared.takeEviction(this.#slot)) this.#end(oldest, 'evicted');
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
    for (const session of this.#sessions) this.#end(session, reason);
  }

  /** Without its socket a session could not be answered any more. */
  #closeListener(key: string): void {
    const listener = this.#listeners.get(key);
    if (listener === undefined) return;
    this.#listeners.delete(key); // first: the end of the last session closes whatever listener is left
    for (const session of this.#sessions) {
      if (session.client.socket === listener.socket) this.#end(session, 'drain-deadline');
    }
    listener.socket.close();
    this.#context.counters.fdClosed();
  }

  #checkEnded(): void {
    if (this.#ended === null || this.#sessions.size > 0) return;
    const ended = this.#ended;
    this.#ended = null;
    for (const key of [...this.#listeners.keys()]) this.#closeListener(key);
    ended();
  }
}

/** A backend that was removed and came back under its name may have another row or address. */
function isSame(a: PoolMember, b: PoolMember): boolean {
  return a.slot === b.slot && formatEndpoint(a.endpoint) === formatEndpoint(b.endpoint);
}

function clientKey(
  address: string,
  port: number,
  { address: destination, port: destinationPort }: Endpoint,
): ClientKey {
  return { source: ipOfPeer(address), sourcePort: port, destination, destinationPort };
}
