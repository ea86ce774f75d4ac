/**
 * Typed face of the native addon (native/): system calls that Node lacks, no policy.
 * Every call throws a NativeError with the errno name in `code` and the failed call in `syscall`.
 * `loadNative()` is the only loader of the addon.
 */

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
  /** valid_lft and preferred_lft in whole seconds; 0xffffffff is forever. */
  readonly lifetime: number;
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

export interface Native {
  /** A listening TCP socket (IPV6_V6ONLY on IPv6); returns its descriptor. */
  openTcpListener(options: ListenerOptions & { readonly backlog: number }): number;
  /** A bound UDP socket with the given buffer sizes in bytes (0 keeps the default); returns its descriptor. */
  openUdpSocket(options: ListenerOptions & { readonly bufferSize: number }): number;
  closeFd(fd: number): void;
  /** getsockname of a descriptor: for port 0. */
  localPort(fd: number): number;

  /** Adds the address or refreshes its lifetimes (RTM_NEWADDR with NLM_F_REPLACE, IFA_F_NODAD, noprefixroute off). */
  putAddress(lease: LeaseOptions): void;
  /** Removes it; returns false when it was not there. */
  removeAddress(lease: Omit<LeaseOptions, 'lifetime'>): boolean;
  listAddresses(): AddressInfo[];
  listLinks(): LinkInfo[];
  /** Link and address changes (RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR). */
  monitor(listener: (event: NetlinkEvent) => void): NativeHandle;

  /** AF_PACKET/SOCK_RAW on one interface and EtherType; 0 sends only. `listener` gets whole frames. */
  openPacketSocket(
    ifindex: number,
    etherType: number,
    listener: ((frame: Uint8Array) => void) | null,
  ): PacketSocket;

  /**
   * Receives raw IPv6 messages of one protocol with their hop limit (IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO);
   * joins `group` on the interface when given. Sending stays with raw-socket.
   */
  openRaw6Receiver(
    options: { readonly protocol: number; readonly ifindex: number; readonly group: Uint8Array | null },
    listener: (message: Raw6Message) => void,
  ): NativeHandle;

  /** SCHED_FIFO with this priority (1 to 99) for the calling process's main thread, or SCHED_OTHER with 0. */
  setRealtime(priority: number): void;
  /** Soft and hard RLIMIT_NOFILE. */
  getFdLimit(): { soft: number; hard: number };
  /** Raises the soft limit up to the hard one; returns what is now in force. */
  raiseFdLimit(wanted: number): { soft: number; hard: number };
}
