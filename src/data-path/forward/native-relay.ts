import { type Duration, type Instant, instant } from '../../lib/duration.ts';
import type { CloseReason } from '../../model/reason.ts';
import type { PoolMember } from '../../model/service.ts';
import { CONNECT_TIMEOUT, type ConnectFailure } from './connect-failure.ts';
import type { CloseCode, RelayPort } from './native-port.ts';
import type { Routes } from './native-routes.ts';
import { Timed } from './timer-wheel.ts';
import { deadlineIn, type Relay, type RelayContext, type RelayOwner, type Source } from './transport.ts';

/** What the relays of a worker share. */
export interface RelayTools {
  readonly port: RelayPort;
  readonly routes: Routes;
}

/**
 * The decisions of a connection whose bytes the addon moves: which backend, and when it has waited too long. The addon
 * closes both sockets at once, by itself when they end or fail and when it is told to; its last event of a connection
 * is what `relayClosed` follows from, either way.
 */
export class NativeRelay extends Timed implements Relay {
  readonly #tools: RelayTools;
  readonly #handle: number;
  readonly #context: RelayContext;
  readonly #owner: RelayOwner;
  #member: PoolMember | null = null;
  #phase: 'held' | 'connecting' | 'open' | 'closing' = 'held';
  /** Why we close; set for an established connection alone. */
  #reason: CloseReason | null = null;
  #halfClosed = false;
  #resetEarly = false;

  /** @param handle a client of which nothing has been read; counted as an open descriptor from here on */
  constructor(tools: RelayTools, handle: number, context: RelayContext, owner: RelayOwner) {
    super();
    this.#tools = tools;
    this.#handle = handle;
    this.#context = context;
    this.#owner = owner;
    context.counters.fdOpened();
  }

  get established(): boolean {
    return this.#phase === 'open' || this.#reason !== null;
  }

  get resetEarly(): boolean {
    return this.#resetEarly;
  }

  connect(member: PoolMember, head: Uint8Array | null, source: Source | null): void {
    const { spec, wheel, counters } = this.#context;
    const { port, routes } = this.#tools;
    this.#phase = 'connecting';
    this.#member = member;
    counters.fdOpened();
    const route = routes.to(member, this.#context);
    port.connect(this.#handle, route, head, source?.address.bytes ?? null, source?.transparent ?? false);
    wheel.schedule(this, deadlineIn(wheel, spec.timeouts.connect));
  }

  hold(until: Instant): void {
    this.#context.wheel.schedule(this, until);
  }

  refuse(): void {
    this.#close(null, true);
  }

  cut(reason: CloseReason): void {
    this.#close(reason, true);
  }

  override expire(now: Instant): void {
    if (this.#phase === 'held') this.#owner.relayHeld();
    else if (this.#phase === 'open') this.#checkActivity(now);
    else if (this.#phase === 'connecting' && this.#tools.port.abandon(this.#handle)) {
      // were it not to be abandoned, its end is under way to us
      this.connectFailed(CONNECT_TIMEOUT);
    }
  }

  /** The addon notes when a byte moves; that is looked at here, once in the time of a time-out. */
  #checkActivity(now: Instant): void {
    const { wheel, spec } = this.#context;
    const patience = this.#halfClosed ? spec.timeouts.fin : spec.timeouts.idle;
    const last = this.#tools.port.activity(this.#handle);
    const due = instant(last + wheel.tick + patience);
    if (due > now) wheel.schedule(this, due);
    else this.#close(this.#halfClosed ? 'fin-timeout' : 'idle-timeout', false);
  }

  #close(reason: CloseReason | null, reset: boolean): void {
    if (this.#phase === 'closing') return;
    // a stale handle has an event under way, which says it all
    if (!this.#tools.port.closeConnection(this.#handle, reset)) return;
    if (this.#phase === 'open') this.#reason = reason;
    this.#phase = 'closing';
  }

  // what the addon tells

  connected(): void {
    if (this.#phase !== 'connecting') return; // given up before this was told
    this.#phase = 'open';
    this.#patience(this.#context.spec.timeouts.idle);
    this.#owner.relayConnected();
  }

  connectFailed(failure: ConnectFailure): void {
    if (this.#phase !== 'connecting') return;
    this.#context.wheel.cancel(this);
    this.#context.counters.fdClosed();
    this.#member = null;
    this.#phase = 'held';
    this.#owner.relayConnectFailed(failure);
  }

  /** One side has sent FIN, and it has been passed on. */
  ended(): void {
    if (this.#phase !== 'open') return;
    this.#context.counters.progress();
    this.#halfClosed = true;
    this.#patience(this.#context.spec.timeouts.fin);
  }

  closed(code: CloseCode, answered: boolean): void {
    const { wheel, counters } = this.#context;
    wheel.cancel(this);
    counters.fdClosed();
    if (this.#member !== null) counters.fdClosed();
    const reason = this.#phase === 'open' || this.#reason !== null ? (code ?? this.#reason) : null;
    this.#resetEarly = reason === 'backend-reset' && !answered;
    this.#phase = 'closing';
    this.#owner.relayClosed(reason);
  }

  #patience(duration: Duration): void {
    const { wheel } = this.#context;
    wheel.schedule(this, deadlineIn(wheel, duration));
  }
}
