import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { type Endpoint, formatEndpoint, ipOfPeer } from '../../lib/ip.ts';
import type { ServiceSpec } from '../../model/service.ts';
import type { CounterWriter } from '../counters.ts';
import type { ListenerFd } from '../protocol.ts';
import { type FlowOwner, literal, NodeUdpFlow, type OpenTransparent } from './node-udp-flow.ts';
import type { TimerWheel } from './timer-wheel.ts';
import { flowKey, UdpFlowTable } from './udp-flow-table.ts';
import type { UdpFlow, UdpOwner, UdpSockets, UdpTransport } from './udp-transport.ts';

/** UDP over `dgram`: works wherever Node does. */
export class NodeUdpTransport implements UdpTransport {
  readonly #wheel: TimerWheel;
  readonly #counters: CounterWriter;
  readonly #openTransparent: OpenTransparent;

  constructor(wheel: TimerWheel, counters: CounterWriter, openTransparent: OpenTransparent) {
    this.#wheel = wheel;
    this.#counters = counters;
    this.#openTransparent = openTransparent;
  }

  sockets(slot: number, _spec: ServiceSpec, owner: UdpOwner): UdpSockets {
    const context = { wheel: this.#wheel, counters: this.#counters, slot };
    return new NodeUdpSockets(context, owner, this.#openTransparent);
  }

  /** Its sockets receive by themselves. */
  tick(): void {}

  /** Its sockets have been closed by their services. */
  close(): void {}
}

interface Listener {
  readonly socket: Socket;
  readonly endpoint: Endpoint;
  readonly key: string;
  readonly index: number;
}

interface Context {
  readonly wheel: TimerWheel;
  readonly counters: CounterWriter;
  readonly slot: number;
}

class NodeUdpSockets implements UdpSockets, FlowOwner {
  readonly openTransparent: OpenTransparent;
  readonly #context: Context;
  readonly #owner: UdpOwner;
  readonly #flows = new UdpFlowTable<NodeUdpFlow>();
  readonly #listeners = new Map<string, Listener>();
  #listenerIndex = 0;
  /** Grows when every flow is to ask. */
  #epoch = 0;
  readonly #onReplied = (error: Error | null): void => {
    if (error !== null) this.datagramDropped();
  };

  constructor(context: Context, owner: UdpOwner, openTransparent: OpenTransparent) {
    this.#context = context;
    this.#owner = owner;
    this.openTransparent = openTransparent;
  }

  get leastRecent(): UdpFlow | null {
    return this.#flows.leastRecent;
  }

  // from clients

  #receive(listener: Listener, datagram: Buffer, client: RemoteInfo): void {
    const { counters, slot } = this.#context;
    const key = flowKey(listener.index, client.address, client.port);
    const known = this.#flows.find(key);
    const flow = known ?? this.#arrived(key, listener, client);
    if (flow === null || (flow === known && !this.#settle(flow))) return;
    this.#touch(flow);
    counters.datagramIn(slot);
    counters.bytesIn(slot, flow.slot, datagram.length);
    flow.send(datagram);
  }

  #arrived(key: string, { endpoint, key: listener, socket }: Listener, from: RemoteInfo): NodeUdpFlow | null {
    const { address, port } = from;
    const client = {
      source: ipOfPeer(address),
      sourcePort: port,
      destination: endpoint.address,
      destinationPort: endpoint.port,
    };
    const admit = (): UdpFlow => {
      const peer = { socket, address, port };
      const { now } = this.#context.wheel;
      const flow = new NodeUdpFlow({ key, client, listener, peer, now, epoch: this.#epoch }, this);
      this.#flows.add(flow);
      return flow;
    };
    return this.#owner.arrived({ key: client, admit }) ? (this.#flows.find(key) ?? null) : null;
  }

  /** Makes sure that a known flow may go on. */
  #settle(flow: NodeUdpFlow): boolean {
    if (flow.epoch === this.#epoch && !flow.ask) return true;
    flow.epoch = this.#epoch;
    return this.#owner.asked(flow);
  }

  #touch(flow: NodeUdpFlow): void {
    this.#flows.touch(flow);
    flow.lastUse = this.#context.wheel.now;
  }

  // from backends

  reply(flow: NodeUdpFlow, datagram: Buffer): void {
    const { counters, slot } = this.#context;
    if (!flow.answered) {
      flow.answered = true;
      this.#owner.answered(flow);
    }
    this.#touch(flow);
    counters.datagramOut(slot);
    counters.bytesOut(slot, flow.slot, datagram.length);
    const { socket, address, port } = flow.peer;
    socket.send(datagram, 0, datagram.length, port, address, this.#onReplied);
  }

  flowFailed(flow: NodeUdpFlow, error: Error): void {
    flow.ask = true;
    flow.answered = false;
    this.#owner.failed(flow, error);
  }

  datagramDropped(): void {
    this.#context.counters.datagramDropped(this.#context.slot);
  }

  closeFlow(flow: NodeUdpFlow): void {
    this.#flows.delete(flow);
  }

  // what the service says

  addListener({ fd, endpoint }: ListenerFd): boolean {
    const key = formatEndpoint(endpoint);
    if (this.#listeners.has(key)) {
      closeSync(fd);
      return false;
    }
    const socket = createSocket({ type: endpoint.address.family === 6 ? 'udp6' : 'udp4', lookup: literal });
    const listener = { socket, endpoint, key, index: this.#listenerIndex++ };
    socket.on('message', (datagram, client) => this.#receive(listener, datagram, client));
    socket.on('error', (error) => this.#owner.listenerFailed(endpoint, error));
    socket.bind({ fd, exclusive: true });
    this.#listeners.set(key, listener);
    return true;
  }

  closeListener(key: string): boolean {
    this.#listeners.get(key)?.socket.close();
    return this.#listeners.delete(key);
  }

  listeners(): string[] {
    return [...this.#listeners.keys()];
  }

  askAll(): void {
    this.#epoch++;
  }

  /** Its flows and listeners have been closed. */
  close(): void {}
}
