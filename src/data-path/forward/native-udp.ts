import { closeSync } from 'node:fs';
import type { Instant } from '../../lib/duration.ts';
import { type Endpoint, formatEndpoint, type IpAddress, ipOfPeerBytes, isUnspecified } from '../../lib/ip.ts';
import type { PoolMember, ServiceSpec } from '../../model/service.ts';
import type { CounterWriter } from '../counters.ts';
import type { ListenerFd } from '../protocol.ts';
import type { ClientKey } from '../scheduler/types.ts';
import {
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
  TYPE,
  type UdpRelayOpener,
  type UdpRelayPort,
  VALUE,
} from './native-port.ts';
import { Routes } from './native-routes.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { Source } from './transport.ts';
import type { UdpFlow, UdpOwner, UdpSockets, UdpTransport } from './udp-transport.ts';

/** In one call; more of them are several calls. */
const EVENTS_A_BATCH = 256;

/**
 * UDP through the addon: it moves the datagrams of known clients, and tells of those that somebody has to decide about.
 * Their datagrams wait in its buffers until the call that tells of them returns.
 */
export class NativeUdpTransport implements UdpTransport {
  readonly port: UdpRelayPort;
  readonly routes = new Routes();
  readonly counters: CounterWriter;
  readonly #wheel: TimerWheel;
  readonly #events = new Int32Array(EVENTS_A_BATCH * EVENT_WORDS);
  readonly #bytes = new Uint8Array(this.#events.buffer);
  readonly #listeners = new Map<number, Listener>();
  /** By the index in their handle; as long as there have been sessions at once. */
  readonly #flows: (NativeUdpFlow | undefined)[] = [];

  constructor(opener: UdpRelayOpener, wheel: TimerWheel, counters: CounterWriter) {
    this.#wheel = wheel;
    this.counters = counters;
    const options = { totals: counters.totals, events: this.#events };
    this.port = opener.openUdpRelay(options, (count) => this.#receive(count));
    this.port.tick(wheel.now);
  }

  sockets(slot: number, spec: ServiceSpec, owner: UdpOwner): UdpSockets {
    return new NativeUdpSockets(this, slot, spec, owner);
  }

  tick(): void {
    this.port.tick(this.#wheel.now);
  }

  close(): void {
    this.port.close();
  }

  // for sockets and flows

  flowAt(index: number): NativeUdpFlow | null {
    return this.#flows[index] ?? null;
  }

  enter(flow: NativeUdpFlow): void {
    this.#flows[flow.index] = flow;
  }

  leave(flow: NativeUdpFlow): void {
    if (this.#flows[flow.index] === flow) this.#flows[flow.index] = undefined;
  }

  enterListener(id: number, listener: Listener): void {
    this.#listeners.set(id, listener);
  }

  leaveListener(id: number): void {
    this.#listeners.delete(id);
  }

  // events

  #receive(count: number): void {
    // a loop that is busy with thousands of clients is late for its timers, and yet alive
    this.counters.progress();
    for (let at = 0; at < count * EVENT_WORDS; at += EVENT_WORDS) {
      const handle = handleOf(this.#word(at + INDEX), this.#word(at + GENERATION));
      if (this.#word(at + TYPE) === EVENT.arrived) this.#arrived(at, handle);
      else this.#tell(at, handle);
    }
  }

  #word(at: number): number {
    return this.#events[at] ?? 0;
  }

  #tell(at: number, handle: number): void {
    const flow = this.#flows[this.#word(at + INDEX)];
    // one that has ended since has counted what it lost
    if (flow?.handle !== handle) return;
    const type = this.#word(at + TYPE);
    if (type === EVENT.asked) flow.owner.asked(flow);
    else if (type === EVENT.answered) flow.owner.answered(flow);
    else if (type === EVENT.failed) flow.owner.failed(flow, systemError(this.#word(at + VALUE)));
  }

  #arrived(at: number, handle: number): void {
    const listener = this.#listeners.get(this.#word(at + VALUE));
    // without a decision the addon drops and counts it
    if (listener === undefined) return;
    const { endpoint, wildcard, sockets } = listener;
    const client = {
      source: this.#address(at + PEER, at + FAMILY),
      sourcePort: this.#word(at + EXTRA),
      destination: wildcard ? this.#address(at + LOCAL, at + FAMILY) : endpoint.address,
      destinationPort: endpoint.port,
    };
    const index = this.#word(at + INDEX);
    const admit = (): UdpFlow =>
      new NativeUdpFlow(sockets, { index, handle, client, listener: listener.key });
    if (!sockets.owner.arrived({ key: client, admit })) this.port.drop(handle);
  }

  #address(at: number, family: number): IpAddress {
    const first = at * Int32Array.BYTES_PER_ELEMENT;
    return ipOfPeerBytes(this.#bytes.subarray(first, first + (this.#word(family) === 4 ? 4 : 16)));
  }
}

interface Listener {
  readonly id: number;
  readonly key: string;
  readonly endpoint: Endpoint;
  /** Each client's event has the address that it wrote to. */
  readonly wildcard: boolean;
  readonly sockets: NativeUdpSockets;
}

class NativeUdpSockets implements UdpSockets {
  readonly owner: UdpOwner;
  readonly transport: NativeUdpTransport;
  readonly slot: number;
  readonly spec: ServiceSpec;
  readonly #group: number;
  readonly #listeners = new Map<string, Listener>();

  constructor(transport: NativeUdpTransport, slot: number, spec: ServiceSpec, owner: UdpOwner) {
    this.transport = transport;
    this.slot = slot;
    this.spec = spec;
    this.owner = owner;
    const { datagramsIn, datagramsOut, datagramsDropped } = transport.counters.datagramCells(slot);
    this.#group = transport.port.addGroup(datagramsIn, datagramsOut, datagramsDropped);
  }

  get leastRecent(): UdpFlow | null {
    return this.transport.flowAt(this.transport.port.oldest(this.#group));
  }

  addListener({ fd, endpoint }: ListenerFd): boolean {
    const key = formatEndpoint(endpoint);
    if (this.#listeners.has(key)) {
      closeSync(fd);
      return false;
    }
    const wildcard = isUnspecified(endpoint.address);
    let id: number;
    try {
      id = this.transport.port.addListener(this.#group, fd, wildcard);
    } catch (error) {
      closeSync(fd);
      this.owner.listenerFailed(endpoint, error instanceof Error ? error : new Error(String(error)));
      return false;
    }
    const listener = { id, key, endpoint, wildcard, sockets: this };
    this.#listeners.set(key, listener);
    this.transport.enterListener(id, listener);
    return true;
  }

  closeListener(key: string): boolean {
    const listener = this.#listeners.get(key);
    if (listener === undefined) return false;
    this.#listeners.delete(key);
    this.transport.leaveListener(listener.id);
    return this.transport.port.removeListener(listener.id);
  }

  listeners(): string[] {
    return [...this.#listeners.keys()];
  }

  askAll(): void {
    this.transport.port.askAll(this.#group);
  }

  close(): void {
    this.transport.port.removeGroup(this.#group);
  }
}

class NativeUdpFlow implements UdpFlow {
  readonly index: number;
  readonly handle: number;
  readonly client: ClientKey;
  readonly listener: string;
  readonly #sockets: NativeUdpSockets;

  constructor(
    sockets: NativeUdpSockets,
    options: { index: number; handle: number; client: ClientKey; listener: string },
  ) {
    this.#sockets = sockets;
    this.index = options.index;
    this.handle = options.handle;
    this.client = options.client;
    this.listener = options.listener;
    sockets.transport.enter(this);
  }

  get owner(): UdpOwner {
    return this.#sockets.owner;
  }

  get lastUse(): Instant {
    return this.#sockets.transport.port.activity(this.handle) as Instant;
  }

  connect(member: PoolMember, source: Source | null): void {
    const { transport, spec, slot } = this.#sockets;
    const route = transport.routes.to(member, { spec, counters: transport.counters, slot });
    const bytes = source?.address.bytes ?? null;
    const error = transport.port.connect(this.handle, route, bytes, source?.transparent ?? false);
    if (error !== 0) this.owner.failed(this, systemError(error));
  }

  keep(): boolean {
    return this.#sockets.transport.port.keep(this.handle);
  }

  close(): void {
    const { transport } = this.#sockets;
    transport.leave(this);
    transport.port.drop(this.handle);
  }
}

function systemError(errno: number): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(code), { code });
}
