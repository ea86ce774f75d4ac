/**
 * Typed face of the native addon (native/): system calls that Node lacks, no policy.
 * Every call throws a NativeError with the errno name in `code` and the failed call in `syscall`.
 * `loadNative()` is the only loader of the addon.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { EXIT, messageOf, TandemError } from '../lib/errors.ts';

/** A system call that failed. */
export interface NativeError extends Error {
  /** The errno's name: "EADDRINUSE". */
  readonly code: string;
  /** Negative, as in Node's own errors. */
  readonly errno: number;
  /** The call that failed: "bind", "RTM_NEWADDR". */
  readonly syscall: string;
}

/** True for what the addon (and Node itself) throws when a system call fails. */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && 'errno' in error && 'syscall' in error;
}

export interface ListenerOptions {
  /** Address to bind, IPv4 or IPv6 text without brackets. */
  readonly address: string;
  /** 0 lets the kernel choose (tests). */
  readonly port: number;
  /** Bind even though this host does not hold the address yet (IP_FREEBIND / IPV6_FREEBIND). */
  readonly freebind: boolean;
  /** Several sockets on one address and port (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

/** One interface as rtnetlink reports it. */
export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  /** Six bytes, or empty for a link without one (lo has zeros). */
  readonly mac: Uint8Array;
  /** IFF_UP */
  readonly up: boolean;
  /** IFF_LOWER_UP: carrier. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** IFLA_LINK: index of the interface below (a macvlan's); 0 for none. */
  readonly lower: number;
  /** IFLA_IFALIAS; empty for none. */
  readonly alias: string;
  /** IFLA_INFO_KIND, "macvlan"; empty for a device of its own. */
  readonly kind: string;
}

/** One address as rtnetlink reports it. */
export interface AddressInfo {
  readonly ifindex: number;
  readonly address: Uint8Array;
  readonly prefixLength: number;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_*. */
  readonly flags: number;
  /** Seconds; 0xffffffff is forever. */
  readonly validLifetime: number;
  readonly preferredLifetime: number;
}

export interface LeaseOptions {
  readonly ifindex: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
  /** valid_lft in whole seconds; 0xffffffff is forever. */
  readonly lifetime: number;
  /** preferred_lft, at most `lifetime`; 0 is deprecated: never chosen as the source of a new connection. */
  readonly preferred: number;
  /** False leaves out the route to the prefix; a prefix of one host never has one. */
  readonly prefixRoute?: boolean;
}

/** What identifies a route of one protocol. */
export interface RouteKey {
  /** 4 or 16 bytes, host bits clear. */
  readonly destination: Uint8Array;
  readonly prefixLength: number;
  readonly table: number;
  /** 0 is the kernel's default (IPv6: 1024). */
  readonly metric: number;
  /** rtm_protocol. */
  readonly protocol: number;
}

/** One unicast route as rtnetlink reports it. */
export interface RouteInfo extends RouteKey {
  /** 0: the one that leads to the gateway. */
  readonly ifindex: number;
  readonly gateway: Uint8Array | null;
  /** Preferred source address. */
  readonly source: Uint8Array | null;
}

/** What delivers an IPv6 address to this host, in the table "local", beside the kernel's own route. */
export interface LocalRoute {
  readonly ifindex: number;
  /** 16 bytes. */
  readonly address: Uint8Array;
  /** rtm_protocol. */
  readonly protocol: number;
}

export type RouteEvent =
  | { readonly type: 'route'; readonly route: RouteInfo; readonly removed: boolean }
  /** The kernel dropped events (ENOBUFS): list again. */
  | { readonly type: 'overrun' };

export interface MacvlanOptions {
  readonly name: string;
  /** Index of the interface below. */
  readonly lower: number;
  readonly mac: Uint8Array;
  /** MACVLAN_MODE_*: 1 private, 2 VEPA, 4 bridge. */
  readonly mode: number;
}

export type NetlinkEvent =
  | { readonly type: 'link'; readonly link: LinkInfo; readonly removed: boolean }
  | { readonly type: 'address'; readonly address: AddressInfo; readonly removed: boolean }
  /** The kernel dropped events (ENOBUFS): list again. */
  | { readonly type: 'overrun' };

/** A callback-driven descriptor on this thread's event loop. `close` is idempotent. */
export interface NativeHandle {
  close(): void;
}

export interface PacketSocket extends NativeHandle {
  /** Sends a whole Ethernet frame; throws on failure. */
  send(frame: Uint8Array): void;
}

/** What recvmsg tells about a raw IPv6 VRRP message. */
export interface Raw6Message {
  /** Without the IPv6 header. */
  readonly payload: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly hopLimit: number;
  readonly ifindex: number;
}

/**
 * The TCP relay on this thread's event loop (native/src/relay.h): moves bytes and tells what happened. A connection's
 * handle is `generation * 2^22 + index`; one that is stale makes a call answer false and is never an error.
 */
export interface NativeRelayLoop {
  /** Becomes the owner of a listening socket; returns its number. Throws when it is none, and then takes nothing. */
  addListener(fd: number, wantLocal: boolean): number;
  /** Clients who come while it does not accept wait in the kernel's backlog. */
  setAccepting(listener: number, accepting: boolean): boolean;
  removeListener(listener: number): boolean;
  /** Events tell of what a client without a backend sends, and that it ends. */
  peek(handle: number): boolean;
  /** Copies the first bytes it has sent: how many, 0 at its end, or a negative errno. */
  look(handle: number, into: Uint8Array): number;
  /** The end of peeking; the first `length` bytes, which were seen, are gone. */
  take(handle: number, length: number): boolean;
  /**
   * One attempt for a client without a backend; an event says how it ended, never this call. `head`, at most 64 KiB,
   * goes to the backend before the client's bytes. `source`, an address of the backend's family, is where it leaves from,
   * also one that this host does not have when `transparent` (CAP_NET_ADMIN or CAP_NET_RAW).
   */
  connect(
    handle: number,
    route: Uint32Array,
    head: Uint8Array | null,
    source: Uint8Array | null,
    transparent: boolean,
  ): boolean;
  /** Gives up a connect attempt; no event follows. */
  abandon(handle: number): boolean;
  /** Both ends, by FIN or by RST; an event follows. */
  closeConnection(handle: number, reset: boolean): boolean;
  /** RST to the client; no event follows. */
  drop(handle: number): boolean;
  /** The `now` of the last `tick` before a byte moved; NaN for a stale handle. */
  activity(handle: number): number;
  tick(now: number): void;
  /** Resets what is open. Idempotent. */
  close(): void;
}

/**
 * The UDP relay on this thread's event loop (native/src/udp-relay.h): moves the datagrams of known clients and tells of those
 * that somebody has to decide about. Handles are as those of {@link NativeRelayLoop}.
 */
export interface NativeUdpRelayLoop {
  /** A service, with the cells of the totals that its datagrams are counted in; returns its number. */
  addGroup(datagramsIn: number, datagramsOut: number, datagramsDropped: number): number;
  /** Ends its sessions and closes its listeners. */
  removeGroup(group: number): boolean;
  /** Every session of the group asks with its next datagram. */
  askAll(group: number): boolean;
  /** The index of the session not used for longest; -1 for none. */
  oldest(group: number): number;
  /**
   * Becomes the owner of a bound UDP socket; returns its number. Throws when it is none, and then takes nothing.
   * With `wildcard` clients are told apart by the address that they wrote to, and answered from it.
   */
  addListener(group: number, fd: number, wildcard: boolean): number;
  removeListener(listener: number): boolean;
  /**
   * Gives the session a new socket to a backend; a datagram that waits goes there. Returns 0 or an errno. `source` and
   * `transparent` as for TCP.
   */
  connect(handle: number, route: Uint32Array, source: Uint8Array | null, transparent: boolean): number;
  /** The session goes on as it is; false when it has no socket to a backend. */
  keep(handle: number): boolean;
  /** Ends it; no event follows. */
  drop(handle: number): boolean;
  /** The `now` of the last `tick` before a datagram passed; NaN for a stale handle. */
  activity(handle: number): number;
  tick(now: number): void;
  /** Closes what is open. Idempotent. */
  close(): void;
}

export interface Native {
  /**
   * `totals`, on a SharedArrayBuffer, has the cells that bytes are added to. `listener` is called once a turn of the loop
   * in which something happened, with the number of events in `events`, of 16 words each.
   */
  openRelay(
    options: { readonly totals: Float64Array; readonly events: Int32Array },
    listener: (count: number) => void,
  ): NativeRelayLoop;
  /** The same for UDP. */
  openUdpRelay(
    options: { readonly totals: Float64Array; readonly events: Int32Array },
    listener: (count: number) => void,
  ): NativeUdpRelayLoop;

  /** A listening TCP socket (IPV6_V6ONLY on IPv6); returns its descriptor. */
  openTcpListener(options: ListenerOptions & { readonly backlog: number }): number;
  /** A bound UDP socket with the given buffer sizes in bytes (0 keeps the default); returns its descriptor. */
  openUdpSocket(
    options: ListenerOptions & { readonly bufferSize: number; readonly transparent?: boolean },
  ): number;
  /** Sets both for a TCP socket; what a listening socket has, the accepted ones begin with. */
  setTcpOptions(fd: number, options: { readonly noDelay: boolean; readonly keepAlive: boolean }): void;
  closeFd(fd: number): void;
  /** A second descriptor (close-on-exec) of the same open socket: it stays open until both are closed. */
  dupFd(fd: number): number;
  /** getsockname of a descriptor: for port 0. */
  localPort(fd: number): number;

  /** Adds the address or refreshes its lifetimes (RTM_NEWADDR with NLM_F_REPLACE, IFA_F_NODAD, noprefixroute off). */
  putAddress(lease: LeaseOptions): void;
  /** Removes it; returns false when it was not there. */
  removeAddress(lease: Pick<LeaseOptions, 'ifindex' | 'address' | 'prefixLength'>): boolean;
  listAddresses(): AddressInfo[];
  listLinks(): LinkInfo[];
  /** Link and address changes (RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR). */
  monitor(listener: (event: NetlinkEvent) => void): NativeHandle;

  /** Adds a unicast route (NLM_F_EXCL); false when there is one with the same destination, table and metric. */
  addRoute(route: RouteInfo): boolean;
  /** Removes a route of that protocol; false when there is none. */
  removeRoute(route: RouteKey): boolean;
  /** Adds or renews a local route, at once; packets no longer find it after `lifetime` whole seconds. */
  putLocalRoute(route: LocalRoute & { readonly lifetime: number }): void;
  /** Removes it; false when it was not there. The kernel's own route stays. */
  removeLocalRoute(route: LocalRoute): boolean;
  /** The unicast routes of one rtm_protocol, in every table. */
  listRoutes(family: 4 | 6, protocol: number): RouteInfo[];
  /** Changes of them (RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE), where the kernel tells of them. */
  monitorRoutes(protocol: number, listener: (event: RouteEvent) => void): NativeHandle;

  /** RTM_NEWLINK with kind macvlan; it is down at first. */
  createMacvlan(options: MacvlanOptions): void;
  setLink(ifindex: number, changes: { readonly up?: boolean; readonly alias?: string }): void;
  /** RTM_DELLINK; false when it was gone. */
  removeLink(ifindex: number): boolean;

  /** AF_PACKET/SOCK_RAW on one interface and EtherType; 0 sends only. `listener` gets whole frames. */
  openPacketSocket(
    ifindex: number,
    etherType: number,
    listener: ((frame: Uint8Array) => void) | null,
  ): PacketSocket;

  /**
   * Receives raw IPv6 messages of one protocol with their hop limit (IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO);
   * joins `group` on the interface when given. With `icmpType` (protocol 58 alone) messages of that type only.
   * Sending stays with raw-socket.
   */
  openRaw6Receiver(
    options: {
      readonly protocol: number;
      readonly ifindex: number;
      readonly group: Uint8Array | null;
      readonly icmpType?: number;
    },
    listener: (message: Raw6Message) => void,
  ): NativeHandle;

  /**
   * SCHED_FIFO with this priority (1 to 99) for the calling process's main thread, or SCHED_OTHER with 0. With
   * SCHED_FIFO the kernel ends the process when the thread uses a CPU for 2 s without once going to sleep
   * (RLIMIT_RTTIME).
   */
  setRealtime(priority: number): void;
  /** malloc keeps up to so many freed bytes instead of giving them back to the kernel (mallopt M_TRIM_THRESHOLD). */
  keepFreedMemory(bytes: number): void;
  /** Soft and hard RLIMIT_NOFILE. */
  getFdLimit(): { soft: number; hard: number };
  /** Raises the soft limit up to the hard one; returns what is now in force. */
  raiseFdLimit(wanted: number): { soft: number; hard: number };

  /**
   * Sends one datagram to the unix socket at "/path", or "@name" in the abstract namespace, as sd_notify(3) does. Never
   * waits: EAGAIN when the receiver's queue is full.
   */
  sendUnixDatagram(path: string, message: Uint8Array): void;
}

/** Both src/native (tests) and dist/native lie two folders below the package's root. */
const ADDON = fileURLToPath(new URL('../../native/build/Release/tandem_native.node', import.meta.url));

let loaded: Native | undefined;

/**
 * Loads the addon, once a thread. Works in the main thread, in worker threads and in child processes.
 * @throws TandemError "native.missing" when it was not built or does not fit this Node or machine.
 */
export function loadNative(): Native {
  loaded ??= requireAddon(ADDON);
  return loaded;
}

/** @internal with the path as an argument for the test of the error. */
export function requireAddon(path: string): Native {
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw new TandemError('native.missing', `the native addon cannot be loaded: ${firstLine(cause)}`, {
      hint: 'build it with "npm rebuild" ("npm run build:native" in a checkout); it needs python3, make and a C++ compiler',
      exitStatus: EXIT.osError,
      cause,
    });
  }
}

// Node appends the list of requirers to the message
const firstLine = (error: unknown): string => messageOf(error).split('\n', 1)[0] ?? '';
