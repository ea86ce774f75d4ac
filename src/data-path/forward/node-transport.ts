import type { Endpoint } from '../../lib/ip.ts';
import { NodeAcceptor } from './node-acceptor.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { Acceptor, AcceptorOwner, TcpTransport } from './transport.ts';

/** TCP over `net`: works wherever Node does. */
export class NodeTransport implements TcpTransport {
  readonly #buffers = new ReadBuffers({ sharedSize: 64 * 1_024, leaseSize: 256 * 1_024, maxLeases: 128 });

  acceptor(endpoint: Endpoint, backlog: number, owner: AcceptorOwner): Acceptor {
    return new NodeAcceptor(endpoint, backlog, this.#buffers, owner);
  }

  /** Its sockets read and close by themselves. */
  tick(): void {}

  /** Its acceptors and relays have been closed by their services. */
  close(): void {}
}
