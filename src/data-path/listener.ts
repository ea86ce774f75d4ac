import { after, between, type Duration, type Instant, seconds, toSeconds } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import { encodeProxyHeader, type ProxyAddresses } from '../lib/proxy-header.ts';
import type { TrafficOutcome } from '../model/health.ts';
import type { CloseReason, RefusalReason } from '../model/reason.ts';
import type { BackendSet, PoolMember, ServiceSpec } from '../model/service.ts';
import { BackendPicker } from './backend-picker.ts';
import { Door } from './door.ts';
import { Failures, isFailure } from './failures.ts';
import type { ConnectFailure } from './forward/connect-failure.ts';
import type { Arrival, RelayContext } from './forward/transport.ts';
import { Guard } from './guard/guard.ts';
import { WaitQueue } from './guard/queue.ts';
import type { SourcesRef, Ticket } from './guard/types.ts';
import type { Introduction } from './preface/gate.ts';
import type { ProcessLimits } from './protocol.ts';
import { Refusals } from './refusals.ts';
import type { ClientKey } from './scheduler/types.ts';
import { SourcePool } from './source-pool.ts';
import { TcpClient, type TcpClientHost } from './tcp-client.ts';
import type { WorkerContext } from './worker-context.ts';

/** One in the rule; more come by a route from another service, which goes on accepting, or have just sent their first bytes. */
const MAX_AT_DOOR = 4_096;
/** Before the same backend is tried again, as HAProxy waits. */
const RETRY_PAUSE = seconds(1);

export interface ListenerOptions {
  /** The service's row in the shared counters. */
  readonly slot: number;
  readonly spec: ServiceSpec;
  readonly limits: ProcessLimits;
  readonly backends: BackendSet;
  readonly sources: SourcesRef | null;
}

/**
 * What happens to the clients of a TCP service in one worker, from top to bottom:
 *
 *     accept -> guard -> schedule -> forward
 *                 |          |  \ all full: wait in the queue
 *                 |          \ nobody there: refuse
 *                 \ objection: refuse, or wait at the door for room
 *
 * A client holds its guard's ticket from `#admitted` to `gone`, and a place on a backend from `#forward` to
 * the failure of the attempt or to `gone`: whatever way it leaves, it passes there once.
 */
export class Listener implements TcpClientHost {
  readonly #context: WorkerContext;
  readonly #slot: number;
  readonly #guard: Guard;
  readonly #sources: SourcePool;
  readonly #picker: BackendPicker;
  readonly #queue: WaitQueue<TcpClient>;
  readonly refusals: Refusals;
  readonly #failures: Failures;
  readonly #relays: RelayContext;
  readonly #clients = new Set<TcpClient>();
  /** Accepted, but not yet admitted: `on_limit = "wait"`. */
  readonly #door: Door<TcpClient>;
  readonly #left: () => void;
  /** There was room at the last tick, and somebody elsewhere who has waited longer. */
  #gaveWay = false;
  #spec: ServiceSpec;

  /** @param left called whenever somebody has gone, or has been let in at last */
  constructor(context: WorkerContext, options: ListenerOptions, left: () => void) {
    const { slot, spec, backends } = options;
    this.#context = context;
    this.#slot = slot;
    this.#spec = spec;
    const { counters, shared } = context;
    this.#guard = new Guard({ ...options, worker: shared.worker }, counters, shared);
    this.#sources = new SourcePool(spec.source);
    this.#picker = new BackendPicker(context, spec.name, spec.schedule, backends);
    this.#queue = new WaitQueue(spec.queue);
    this.refusals = new Refusals(context, spec.name, slot);
    this.#failures = new Failures(context, spec.name);
    this.#relays = { wheel: context.wheel, counters, slot, spec };
    this.#door = new Door(shared, slot, {
      hasRoom: () => !this.#guard.isFull(),
      letIn: (client) => this.#letIn(client),
    });
    this.#left = left;
  }

  // accept and guard

  /** Nothing has been read from the client yet, but for what says who it is. */
  accept(arrival: Arrival, { key, tlvs }: Introduction): void {
    const { source } = key;
    const admission = this.#guard.admit(source, this.#context.clock.now());
    const { send } = this.#spec.proxyProtocol;
    const head = send === null ? null : encodeProxyHeader(send, endsOf(key), tlvs);
    if (admission.admitted) {
      const client = new TcpClient({ arrival, key, head }, this.#relays, this);
      this.#admitted(client, admission.ticket);
    } else if (this.#mayWait(admission.reason) && this.#door.size < MAX_AT_DOOR) {
      this.#door.add(new TcpClient({ arrival, key, head }, this.#relays, this), this.#context.clock.now());
      // a place that another worker gave back before it could see that somebody waits here
      this.#door.serve();
    } else {
      this.refusals.add(admission.reason, source.text);
      arrival.turnAway();
    }
  }

  #mayWait(reason: RefusalReason): boolean {
    return this.#spec.onLimit === 'wait' && (reason === 'service-limit' || reason === 'process-limit');
  }

  #letIn(client: TcpClient): boolean {
    const { source } = client.key;
    const admission = this.#guard.admit(source, this.#context.clock.now());
    if (!admission.admitted && this.#mayWait(admission.reason)) return false;
    this.#door.delete(client);
    if (admission.admitted) this.#admitted(client, admission.ticket);
    else this.#refuse(client, admission.reason);
    this.#left();
    return true;
  }

  #admitted(client: TcpClient, ticket: Ticket): void {
    this.#context.counters.accepted(this.#slot);
    client.ticket = ticket;
    this.#clients.add(client);
    // those who wait already come first, in other workers as well
    if (this.#context.counters.queued(this.#slot) > 0) this.#enqueue(client);
    else this.#schedule(client);
  }

  // schedule

  #schedule(client: TcpClient): void {
    const choice = this.#picker.take(client.key, client.tried);
    if (typeof choice !== 'string') this.#forward(client, choice);
    else if (client.tried !== null) this.#tryAgainLater(client);
    else if (choice === 'backend-limit' && this.#queue.max > 0) this.#enqueue(client);
    else this.#refuse(client, choice);
  }

  #enqueue(client: TcpClient): void {
    const { counters, clock } = this.#context;
    if (counters.tryEnterQueue(this.#slot, this.#queue.max)) {
      client.place = this.#queue.enqueue(client, clock.now());
      this.#publishHead();
    } else {
      this.#refuse(client, 'queue-full');
    }
  }

  /**
   * Room may have come up: the longest waiting first, over all workers. One that waits elsewhere is woken and looks for
   * itself.
   */
  #serveQueue(): void {
    const { counters, shared } = this.#context;
    while (counters.queued(this.#slot) > 0) {
      const before = shared.longerWaiting('queue', this.#slot, this.#queue.head);
      if (before === null) {
        if (!this.#serveFirst()) return;
      } else {
        shared.wake(before);
        return;
      }
    }
  }

  /**
   * At every tick, for what no wake has told of. One who has waited longer elsewhere has a tick's time to take the room that
   * there is: its worker may be the one that hangs.
   */
  #serveInTurn(): void {
    const { shared } = this.#context;
    const client = this.#queue.peek();
    const before = client === null ? null : shared.longerWaiting('queue', this.#slot, this.#queue.head);
    if (client === null || before === null) {
      this.#serveQueue();
      return;
    }
    const choice = this.#picker.take(client.key, null);
    if (typeof choice === 'string') {
      this.#gaveWay = false;
    } else if (this.#gaveWay) {
      this.#leaveQueue(client);
      this.#forward(client, choice);
    } else {
      this.#gaveWay = true;
      this.#picker.release(choice);
      shared.wake(before);
    }
  }

  /** @returns false when nobody waits, or there is no room */
  #serveFirst(): boolean {
    const client = this.#queue.peek();
    if (client === null) return false;
    const choice = this.#picker.take(client.key, null);
    if (typeof choice === 'string') return false;
    this.#leaveQueue(client);
    this.#forward(client, choice);
    return true;
  }

  #publishHead(): void {
    this.#context.shared.publishHead('queue', this.#slot, this.#queue.head);
  }

  #leaveQueue(client: TcpClient): void {
    if (client.place === null || !client.place.waiting) return;
    this.#queue.cancel(client.place);
    this.#leftQueue();
  }

  #leftQueue(): void {
    this.#context.counters.leaveQueue(this.#slot);
    this.#publishHead();
  }

  #expireQueue(now: Instant): void {
    for (;;) {
      const client = this.#queue.expire(now);
      if (client === null) return;
      this.#leftQueue();
      this.#refuse(client, 'queue-timeout');
    }
  }

  // forward

  #forward(client: TcpClient, member: PoolMember): void {
    const { counters, clock } = this.#context;
    if (client.failed !== null && client.failed.id !== member.id) counters.redispatched(client.failed.slot);
    client.failed = null;
    client.member = member;
    client.attempts++;
    client.connectStarted = clock.now();
    counters.connectStarted(member.slot);
    client.relay.connect(member, client.head, this.#sources.next(client.key.source, member.endpoint.address));
  }

  connected(client: TcpClient): void {
    const { member } = client;
    if (member === null) return;
    const elapsed = between(client.connectStarted, this.#context.clock.now());
    this.#context.counters.connectSucceeded(member.slot, toSeconds(elapsed));
    this.#picker.succeeded(member);
  }

  connectFailed(client: TcpClient, failure: ConnectFailure): void {
    const member = this.#leaveBackend(client);
    if (member === null) return;
    this.#context.counters.connectFailed(member.slot);
    if (failure.outcome !== null) {
      this.#picker.failed(member, failure.outcome);
      this.#tellFailure(failure.outcome, client, member);
    }
    if (failure.cause === 'EMFILE' || failure.cause === 'ENFILE') this.#refuse(client, 'fd-headroom');
    else if (client.attempts > this.#spec.retries) this.#refuse(client, 'connect-failed');
    else this.#redispatch(client, member);
    this.#serveQueue();
  }

  #redispatch(client: TcpClient, failed: PoolMember): void {
    this.#context.counters.retried(failed.slot);
    client.failed = failed;
    client.tried = (client.tried ?? new Set()).add(failed.id);
    if (this.#spec.redispatch) this.#schedule(client);
    else this.#tryAgainLater(client);
  }

  /** Nobody else is left to try: give the backends time, then begin anew. */
  #tryAgainLater(client: TcpClient): void {
    const { wheel } = this.#context;
    const pause = Math.min(RETRY_PAUSE, this.#spec.timeouts.connect) as Duration;
    client.relay.hold(after(wheel.now, pause));
  }

  retry(client: TcpClient): void {
    client.tried = null;
    const { failed } = client;
    if (this.#spec.redispatch || failed === null) {
      this.#schedule(client);
      return;
    }
    const member = this.#picker.retake(failed.id);
    if (member === null) this.#refuse(client, 'connect-failed');
    else this.#forward(client, member);
  }

  // and out again

  #refuse(client: TcpClient, reason: RefusalReason): void {
    this.refusals.add(reason, client.key.source.text);
    client.relay.refuse();
  }

  #leaveBackend(client: TcpClient): PoolMember | null {
    const { member } = client;
    client.member = null;
    if (member !== null) this.#picker.release(member);
    return member;
  }

  gone(client: TcpClient, reason: CloseReason | null): void {
    this.#leaveQueue(client);
    this.#door.delete(client);
    if (this.#clients.delete(client)) this.#leave(client, reason);
    this.#left();
  }

  #leave(client: TcpClient, reason: CloseReason | null): void {
    const member = this.#leaveBackend(client);
    if (reason !== null) {
      this.#context.counters.closed(this.#slot, reason);
      if (member !== null) this.#tellFailure(reason, client, member);
    }
    if (member !== null && client.relay.resetEarly) this.#picker.failed(member, 'early-reset');
    this.#guard.release(client.ticket);
    this.#serveQueue();
    this.#door.serve();
  }

  #tellFailure(reason: CloseReason | TrafficOutcome, client: TcpClient, member: PoolMember): void {
    if (isFailure(reason)) this.#failures.add(reason, client.key.source.text, member.id);
  }

  // what the supervisor says

  get size(): number {
    return this.#clients.size + this.#door.size;
  }

  /** Does somebody wait to be let in? */
  get occupied(): boolean {
    return this.#door.size > 0;
  }

  /** What any client would be refused for right now; not what it would wait for at the door. */
  objection(): RefusalReason | null {
    const reason = this.#guard.objection();
    return reason !== null && this.#mayWait(reason) ? null : reason;
  }

  permits(source: IpAddress): boolean {
    return this.#guard.permits(source);
  }

  update(spec: ServiceSpec, limits: ProcessLimits, sources: SourcesRef | null): void {
    this.#spec = spec;
    this.#relays.spec = spec;
    this.#sources.update(spec.source);
    this.#guard.update(spec, limits, sources, this.#context.clock.now());
    this.#queue.update(spec.queue);
    this.#picker.setSchedule(spec.schedule);
    this.#serveQueue();
    // nobody waits any more: let in, or refused
    if (spec.onLimit !== 'wait') for (const client of [...this.#door]) this.#letIn(client);
    this.#door.serve();
  }

  setBackends(set: BackendSet): void {
    if (this.#picker.setBackends(set)) this.#serveQueue();
  }

  closeBackend(id: string): void {
    for (const client of this.#clients) {
      if (client.member?.id === id && client.relay.established) client.relay.cut('backend-down');
    }
  }

  /** Every tick of the wheel. */
  tick(): void {
    const now = this.#context.clock.now();
    this.#guard.tick(now);
    this.#door.serveInTurn();
    this.#expireQueue(now);
    this.#serveInTurn();
  }

  /** A place may have been given back by another worker. */
  woken(): void {
    this.#serveQueue();
    this.#door.serve();
  }

  /** Ends everybody who is here. */
  cut(reason: CloseReason): void {
    for (const client of this.#clients) client.relay.cut(reason);
    for (const client of this.#door) client.relay.refuse();
  }
}

function endsOf({ source, sourcePort, destination, destinationPort }: ClientKey): ProxyAddresses {
  return {
    source: { address: source, port: sourcePort },
    destination: { address: destination, port: destinationPort },
  };
}
