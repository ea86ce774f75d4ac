import { type Endpoint, type IpAddress, ipOfPeerBytes } from '../../lib/ip.ts';
import { V2_MAX } from '../../lib/proxy-header.ts';
import type { CounterWriter } from '../counters.ts';
import { HELLO_MAX } from '../preface/client-hello.ts';
import type { ClientKey } from '../scheduler/types.ts';
import { connectFailure } from './connect-failure.ts';
import { NativeAcceptor } from './native-acceptor.ts';
import { NativePeek } from './native-peek.ts';
import {
  CLOSE_CODES,
  EVENT,
  EVENT_WORDS,
  EXTRA,
  errnoName,
  FAMILY,
  GENERATION,
  handleOf,
  INDEX,
  LOCAL,
  PEER,
  type RelayOpener,
  type RelayPort,
  TYPE,
  VALUE,
} from './native-port.ts';
import { NativeRelay, type RelayTools } from './native-relay.ts';
import { Routes } from './native-routes.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type {
  Acceptor,
  AcceptorOwner,
  Arrival,
  Peek,
  PeekWatcher,
  Relay,
  RelayContext,
  RelayOwner,
  TcpTransport,
} from './transport.ts';

/** The longest PROXY header and ClientHello that are taken, one behind the other. */
const PEEK_SIZE = V2_MAX + HELLO_MAX;
/** In one call; more of them are several calls. */
const EVENTS_A_BATCH = 256;

/** TCP through the addon: it accepts, connects and moves bytes, and tells of it here, all of a loop's turn in one call. */
export class NativeTransport implements TcpTransport {
  readonly #wheel: TimerWheel;
  readonly #counters: CounterWriter;
  readonly #events = new Int32Array(EVENTS_A_BATCH * EVENT_WORDS);
  readonly #bytes = new Uint8Array(this.#events.buffer);
  readonly #tools: RelayTools;
  readonly #acceptors = new Map<number, NativeAcceptor>();
  /** By the index in their handle; as long as there have been connections at once. */
  readonly #relays: (NativeRelay | undefined)[] = [];
  readonly #peeks = new Map<number, NativePeek>();
  /** What is looked at, for the length of a call. */
  readonly #seen = new Uint8Array(PEEK_SIZE);

  constructor(opener: RelayOpener, wheel: TimerWheel, counters: CounterWriter) {
    this.#wheel = wheel;
    this.#counters = counters;
    const options = { totals: counters.totals, events: this.#events };
    const port = opener.openRelay(options, (count) => this.#receive(count));
    this.#tools = { port, routes: new Routes() };
    port.tick(wheel.now);
  }

  /** The backlog is the one that the supervisor has given the socket. */
  acceptor(endpoint: Endpoint, _backlog: number, owner: AcceptorOwner): Acceptor {
    return new NativeAcceptor(endpoint, owner, this);
  }

  tick(): void {
    this.#tools.port.tick(this.#wheel.now);
  }

  close(): void {
    this.#tools.port.close();
  }

  // for acceptors and arrivals

  get port(): RelayPort {
    return this.#tools.port;
  }

  enter(listener: number, acceptor: NativeAcceptor): void {
    this.#acceptors.set(listener, acceptor);
  }

  leave(listener: number): void {
    this.#acceptors.delete(listener);
  }

  admit(index: number, handle: number, context: RelayContext, owner: RelayOwner): Relay {
    const relay = new NativeRelay(this.#tools, handle, context, owner);
    this.#relays[index] = relay;
    return relay;
  }

  peek(index: number, handle: number, watcher: PeekWatcher): Peek {
    const peek = new NativePeek(this.port, handle, watcher, () => this.#peeks.delete(index));
    this.#peeks.set(index, peek);
    // without memory to watch it nothing is told of it, and the time-out ends it
    this.port.peek(handle);
    return peek;
  }

  // events

  #receive(count: number): void {
    // a loop that is busy with thousands of clients is late for its timers, and yet alive
    this.#counters.progress();
    for (let at = 0; at < count * EVENT_WORDS; at += EVENT_WORDS) {
      const type = this.#word(at + TYPE);
      if (type === EVENT.accepted) this.#accepted(at);
      else if (type === EVENT.acceptFailed) this.#acceptFailed(at);
      else if (type === EVENT.peekable) this.#peekable(at);
      else this.#tell(type, at);
    }
  }

  #word(at: number): number {
    return this.#events[at] ?? 0;
  }

  #peekable(at: number): void {
    const index = this.#word(at + INDEX);
    const peek = this.#peeks.get(index);
    // its time may have run out before this was told
    peek?.peekable(this.#word(at + VALUE), this.#seen, () => this.#peeks.get(index) !== peek);
  }

  #tell(type: number, at: number): void {
    const index = this.#word(at + INDEX);
    const relay = this.#relays[index];
    if (relay === undefined) return;
    const value = this.#word(at + VALUE);
    if (type === EVENT.connected) relay.connected();
    else if (type === EVENT.connectFailed) relay.connectFailed(connectFailure(errnoName(value)));
    else if (type === EVENT.ended) relay.ended();
    else if (type === EVENT.closed) {
      // the index is used again by a client that comes later
      this.#relays[index] = undefined;
      relay.closed(CLOSE_CODES[value] ?? null, this.#word(at + EXTRA) !== 0);
    }
  }

  #accepted(at: number): void {
    const index = this.#word(at + INDEX);
    const handle = handleOf(index, this.#word(at + GENERATION));
    const acceptor = this.#acceptors.get(this.#word(at + VALUE));
    if (acceptor === undefined) {
      this.port.drop(handle); // its listener was closed meanwhile
      return;
    }
    const { endpoint, owner, wildcard } = acceptor;
    const key = {
      source: this.#address(at + PEER, at + FAMILY),
      sourcePort: this.#word(at + EXTRA),
      destination: wildcard ? this.#address(at + LOCAL, at + FAMILY) : endpoint.address,
      destinationPort: endpoint.port,
    };
    owner.accepted(new NativeArrival(this, index, handle, key));
  }

  #address(at: number, family: number): IpAddress {
    const first = at * Int32Array.BYTES_PER_ELEMENT;
    return ipOfPeerBytes(this.#bytes.subarray(first, first + (this.#word(family) === 4 ? 4 : 16)));
  }

  #acceptFailed(at: number): void {
    const acceptor = this.#acceptors.get(this.#word(at + INDEX));
    const error = new Error(`accept ${errnoName(this.#word(at + VALUE))}`);
    acceptor?.owner.acceptFailed(error, acceptor.endpoint);
  }
}

class NativeArrival implements Arrival {
  readonly key: ClientKey;
  readonly #transport: NativeTransport;
  readonly #index: number;
  readonly #handle: number;

  constructor(transport: NativeTransport, index: number, handle: number, key: ClientKey) {
    this.key = key;
    this.#transport = transport;
    this.#index = index;
    this.#handle = handle;
  }

  turnAway(): void {
    this.#transport.port.drop(this.#handle);
  }

  peek(watcher: PeekWatcher): Peek {
    return this.#transport.peek(this.#index, this.#handle, watcher);
  }

  relay(context: RelayContext, owner: RelayOwner): Relay {
    return this.#transport.admit(this.#index, this.#handle, context, owner);
  }
}
