import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { Protocol, ServiceSpec } from '../model/service.ts';
import type { ListenerFd } from './protocol.ts';

/** The system calls for listening sockets; the native addon has them. */
export interface SocketOpener {
  openTcpListener(options: SocketOptions & { readonly backlog: number }): number;
  openUdpSocket(options: SocketOptions & { readonly bufferSize: number }): number;
  setTcpOptions(fd: number, options: { readonly noDelay: boolean; readonly keepAlive: boolean }): void;
  dupFd(fd: number): number;
  closeFd(fd: number): void;
}

interface SocketOptions {
  readonly address: string;
  readonly port: number;
  readonly freebind: boolean;
  readonly reusePort: boolean;
}

/** A socket that a service needs. */
export interface WantedSocket {
  readonly service: string;
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
  /** TCP's accept backlog. */
  readonly backlog: number;
}

/** For bursts while the worker is busy: some 2,000 small datagrams, or 60 of the largest. */
const UDP_BUFFER_SIZE = 4 * 1_024 * 1_024;

/** All sockets of `spec`, as `reserve` takes them. */
export function socketsOf(spec: ServiceSpec): WantedSocket[] {
  const { name: service, protocol, backlog } = spec;
  return spec.listen.map((endpoint) => ({ service, protocol, endpoint, backlog }));
}

/**
 * The supervisor's own listening sockets: on each address a group of them (SO_REUSEPORT), one for each worker. It keeps
 * all open as long as their service has them and hands out duplicates, so that the kernel's backlog outlives a worker that
 * died or does not accept for a while, and that the group's order, which says where a UDP client's datagrams go, stays.
 */
export class ListeningSockets {
  readonly #opener: SocketOpener;
  readonly #workers: number;
  readonly #held = new Map<string, readonly number[]>();

  constructor(opener: SocketOpener, workers: number) {
    this.#opener = opener;
    this.#workers = workers;
  }

  /**
   * Makes sure that nobody else has any of these: SO_REUSEPORT would let a second daemon of the same user take half of
   * the clients without a word. For the start alone; later our own sockets may still be draining there.
   * @throws TandemError 'listener.failed'
   */
  requireUnused(wanted: readonly WantedSocket[]): void {
    for (const socket of wanted) {
      try {
        this.#opener.closeFd(this.#open(socket, false));
      } catch (error) {
        throw listenerFailed(socket, error);
      }
    }
  }

  /**
   * Opens those of `wanted` that are not open yet: all or none.
   * @returns undoes it
   * @throws TandemError 'listener.failed'
   */
  reserve(wanted: readonly WantedSocket[]): () => void {
    const opened: WantedSocket[] = [];
    const undo = (): void => {
      for (const socket of opened) this.release(socket.service, socket.endpoint);
    };
    for (const socket of wanted) {
      const key = keyOf(socket.service, socket.endpoint);
      if (this.#held.has(key)) continue;
      try {
        this.#held.set(key, this.#openGroup(socket));
      } catch (error) {
        undo();
        throw listenerFailed(socket, error);
      }
      opened.push(socket);
    }
    return undo;
  }

  /** Sets on a TCP service's sockets what accepted ones inherit: cheaper than doing it to each of those. */
  configure({ name, protocol, listen, noDelay, keepAlive }: ServiceSpec): void {
    if (protocol !== 'tcp') return;
    for (const endpoint of listen) {
      for (const fd of this.#held.get(keyOf(name, endpoint)) ?? []) {
        this.#opener.setTcpOptions(fd, { noDelay, keepAlive });
      }
    }
  }

  /** A duplicate of a worker's socket, or null when the service has no such socket. */
  duplicate(service: string, endpoint: Endpoint, place: number): ListenerFd | null {
    const fd = this.#held.get(keyOf(service, endpoint))?.[place];
    return fd === undefined ? null : { fd: this.#opener.dupFd(fd), endpoint, place };
  }

  release(service: string, endpoint: Endpoint): void {
    const key = keyOf(service, endpoint);
    const group = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const fd of group) this.#opener.closeFd(fd);
  }

  #openGroup(socket: WantedSocket): readonly number[] {
    const group: number[] = [];
    try {
      while (group.length < this.#workers) group.push(this.#open(socket, true));
    } catch (error) {
      for (const fd of group) this.#opener.closeFd(fd);
      throw error;
    }
    return group;
  }

  #open({ protocol, endpoint, backlog }: WantedSocket, reusePort: boolean): number {
    const options = { address: endpoint.address.text, port: endpoint.port, freebind: true, reusePort };
    return protocol === 'tcp'
      ? this.#opener.openTcpListener({ ...options, backlog })
      : this.#opener.openUdpSocket({ ...options, bufferSize: UDP_BUFFER_SIZE });
  }
}

const keyOf = (service: string, endpoint: Endpoint): string => `${service} ${formatEndpoint(endpoint)}`;

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has this address and port: "ss -lntup" shows which',
  EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE',
  EPERM: 'the process lacks a capability: CAP_NET_BIND_SERVICE, or CAP_NET_RAW for IP_FREEBIND',
  EADDRNOTAVAIL: 'the address is not one that this kernel can bind (no IPv6?)',
  EMFILE: 'raise the limit of open files (LimitNOFILE, ulimit -n)',
};

function listenerFailed({ service, protocol, endpoint }: WantedSocket, cause: unknown): TandemError {
  const errno = errnoOf(cause) ?? '';
  const hint = HINTS[errno];
  const where = `${protocol} ${formatEndpoint(endpoint)}`;
  return new TandemError(
    'listener.failed',
    `service ${service} cannot listen on ${where}: ${messageOf(cause)}`,
    {
      ...(hint === undefined ? {} : { hint }),
      exitStatus: errno === 'EACCES' || errno === 'EPERM' ? EXIT.noPermission : EXIT.osError,
      cause,
    },
  );
}
