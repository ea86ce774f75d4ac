import type { Duration, Instant } from '../../lib/duration.ts';
import type { Endpoint, IpAddress } from '../../lib/ip.ts';
import type { CloseReason } from '../../model/reason.ts';
import type { PoolMember, ServiceSpec } from '../../model/service.ts';
import type { CounterWriter } from '../counters.ts';
import type { ClientKey } from '../scheduler/types.ts';
import type { ConnectFailure } from './connect-failure.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { UdpTransport } from './udp-transport.ts';

/**
 * What a service sees of TCP: listening sockets that hand over clients, and a relay for each client that it admits.
 * `forward/node-*.ts` does it with `net`, `forward/native-*.ts` with the addon. Both behave alike to the letter:
 * the integration tests run over both.
 */
export interface TcpTransport {
  /** @param backlog listen(2)'s */
  acceptor(endpoint: Endpoint, backlog: number, owner: AcceptorOwner): Acceptor;
  /** Every tick of the wheel, after it has advanced. */
  tick(): void;
  /** The worker ends: whatever is still open is closed without a word to anybody. */
  close(): void;
}

export interface Transports {
  readonly tcp: TcpTransport;
  readonly udp: UdpTransport;
}

/** Opens the transports of a worker. */
export type OpenTransports = (wheel: TimerWheel, counters: CounterWriter) => Transports;

/** The one who takes what an acceptor accepts. */
export interface AcceptorOwner {
  accepted(arrival: Arrival): void;
  acceptFailed(error: Error, endpoint: Endpoint): void;
  /** Another descriptor of this listener is needed; answer with `acceptor.take`. */
  wantListener(endpoint: Endpoint): void;
}

/**
 * Accepts on one listening socket, and can stop doing so while clients wait in the kernel's backlog. Each client is handed
 * over before the next one is accepted.
 */
export interface Acceptor {
  /** Descriptors held. */
  readonly descriptors: number;
  /** Becomes the owner of a listening socket's descriptor. */
  take(fd: number): void;
  /** Accepts nobody from now on, not even those whose connection the kernel has made already. */
  pause(): void;
  resume(): void;
  close(): void;
}

/**
 * An accepted client of which nothing has been read. Exactly one of `turnAway` and `relay` is to be called, at once or
 * at the end of one `peek`.
 */
export interface Arrival {
  readonly key: ClientKey;
  /** RST. */
  turnAway(): void;
  /** Looks at what the client sends first. It counts as an open descriptor by whoever looks. */
  peek(watcher: PeekWatcher): Peek;
  /** The client counts as an open descriptor from here on. */
  relay(context: RelayContext, owner: RelayOwner): Relay;
}

/** None of these comes from within a call of the watcher's own, nor after `take` or `cancel`. */
export interface PeekWatcher {
  /** All bytes so far, more than the last time; a view that is good for the call. */
  peeked(bytes: Uint8Array): void;
  /** The client has sent FIN: there will be no more. It is still there. */
  peekEnded(): void;
  /** The client has gone, and its socket is closed. */
  peekLost(): void;
}

export interface Peek {
  /** The end of looking: the first `length` of the bytes that were seen are gone, the relay gets the rest. */
  take(length: number): void;
  /** The end of looking, and the client is turned away. */
  cancel(): void;
}

/** What the relays of a service share. `spec` is replaced by a reload. */
export interface RelayContext {
  readonly wheel: TimerWheel;
  readonly counters: CounterWriter;
  readonly slot: number;
  spec: ServiceSpec;
}

/**
 * Who decides about a relay. Each connect attempt ends in one of the first two calls, each relay in `relayClosed`.
 * None of them comes from within a call of the owner's own.
 */
export interface RelayOwner {
  relayConnected(): void;
  /** The client is untouched, none of its bytes has been read: connect elsewhere or refuse it. */
  relayConnectFailed(failure: ConnectFailure): void;
  /** The time of `hold` is over. */
  relayHeld(): void;
  /** Both sockets are closed. `reason` is null when no backend was ever connected. */
  relayClosed(reason: CloseReason | null): void;
}

/** An address that a connection to a backend leaves from, with a port that the kernel chooses. */
export interface Source {
  readonly address: IpAddress;
  /** It is not this host's own: IP_TRANSPARENT. */
  readonly transparent: boolean;
}

/** One client and, in time, one backend. */
export interface Relay {
  /** True from `relayConnected` until `relayClosed`. */
  readonly established: boolean;
  /** True when the backend reset the connection before it had sent anything. */
  readonly resetEarly: boolean;
  /**
   * One connect attempt. The relay must not have a backend.
   * @param head what the backend gets before the client's bytes; null for nothing
   * @param source where the connection leaves from; null lets the kernel choose
   */
  connect(member: PoolMember, head: Uint8Array | null, source: Source | null): void;
  /** Keeps a client that has no backend for a while: `relayHeld` follows, at or soon after `until`. */
  hold(until: Instant): void;
  /** Ends a relay that has no connected backend: RST to the client. */
  refuse(): void;
  /** Ends an established relay with RST to both sides, also one that is still being flushed. */
  cut(reason: CloseReason): void;
}

/** `duration` from now: the wheel's clock may be one tick behind, and a time-out is never early for that. */
export function deadlineIn({ now, tick }: TimerWheel, duration: Duration): Instant {
  return (now + tick + duration) as Instant;
}
