import type { Instant } from '../../lib/duration.ts';
import type { Endpoint } from '../../lib/ip.ts';
import type { PoolMember, ServiceSpec } from '../../model/service.ts';
import type { ListenerFd } from '../protocol.ts';
import type { ClientKey } from '../scheduler/types.ts';
import type { Source } from './transport.ts';

/**
 * What a service sees of UDP: datagrams of clients that it does not know, and a flow for each client that it takes.
 * `forward/node-udp*.ts` does it with `dgram`, `forward/native-udp*.ts` with the addon. Both behave alike: the integration
 * tests run over both. They count the datagrams and bytes that pass, and those that they could not send.
 */
export interface UdpTransport {
  sockets(slot: number, spec: ServiceSpec, owner: UdpOwner): UdpSockets;
  /** Every tick of the wheel, after it has advanced. */
  tick(): void;
  /** The worker ends: whatever is still open is closed. */
  close(): void;
}

/** Who decides for one service. What of it does not let a datagram go on counts it as dropped. */
export interface UdpOwner {
  /** A datagram from a client without a flow. True when the client has one now: the datagram goes there. */
  arrived(arrival: UdpArrival): boolean;
  /** A datagram of a flow, the first after `askAll` or a failure. True when it may go on, after `keep` or `connect`. */
  asked(flow: UdpFlow): boolean;
  /** The first datagram from the flow's backend; again after a failure. */
  answered(flow: UdpFlow): void;
  /** One datagram was lost: ICMP told of it, or the socket itself. Also from within `connect`. */
  failed(flow: UdpFlow, error: Error): void;
  listenerFailed(endpoint: Endpoint, error: Error): void;
}

/** A client without a flow. */
export interface UdpArrival {
  readonly key: ClientKey;
  /** Gives it one, which has no backend yet. */
  admit(): UdpFlow;
}

/** One service's listeners and flows. */
export interface UdpSockets {
  /** The flow that was not used for longest. */
  readonly leastRecent: UdpFlow | null;
  /** Becomes the owner of the descriptor. False when it has closed it: it has a listener there, or cannot use this one. */
  addListener(listener: ListenerFd): boolean;
  /** Its flows are for the owner to close, before this. False when there is none. */
  closeListener(key: string): boolean;
  /** `Endpoint`s of the listeners, as formatEndpoint has them. */
  listeners(): string[];
  /** Every flow asks with its next datagram. */
  askAll(): void;
  /** Nothing is open any more; the end of this object. */
  close(): void;
}

/** One client, and a connected socket to one backend at a time. Replies leave from the address that the client wrote to. */
export interface UdpFlow {
  readonly client: ClientKey;
  /** Which listener it came by. */
  readonly listener: string;
  /** When a datagram last passed, good to a tick of the wheel. */
  readonly lastUse: Instant;
  /** Goes on with this backend, over a new socket. */
  connect(member: PoolMember, source: Source | null): void;
  /** Goes on with the one that it has. False when the socket to it could not be made: `connect` again. */
  keep(): boolean;
  close(): void;
}
