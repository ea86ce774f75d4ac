/** The part of the native addon that the failover agent's units use, with a kernel made of maps. */
import { type IpPrefix, ipFromBytes } from '../../src/lib/ip.ts';
import type {
  AddressInfo,
  LeaseOptions,
  LinkInfo,
  LocalRoute,
  Native,
  NativeHandle,
  NetlinkEvent,
  PacketSocket,
  Raw6Message,
  RouteInfo,
  RouteKey,
} from '../../src/native/index.ts';

export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;

export class FakeKernel {
  readonly addresses = new Map<string, AddressInfo>();
  readonly links = new Map<number, LinkInfo>();
  readonly frames: Uint8Array[] = [];
  /** Of every protocol. */
  routes: RouteInfo[] = [];
  /** The routes that deliver addresses to this host: seconds by address. */
  readonly localRoutes = new Map<string, number>();
  /** Thrown by the next calls that change local routes. */
  refuseLocal: { code: string } | null = null;
  /** Every putAddress and removeAddress, in words. */
  readonly calls: string[] = [];
  /** Thrown by the next calls that change addresses. */
  refuse: { code: string } | null = null;
  #monitor: ((event: NetlinkEvent) => void) | null = null;
  #arp: ((frame: Uint8Array) => void) | null = null;
  #icmp: ((message: Raw6Message) => void) | null = null;

  /** Typed as the whole addon: a unit that calls anything else fails loudly. */
  get native(): Native {
    return {
      putAddress: (lease: LeaseOptions) => this.#put(lease),
      removeAddress: (lease: Pick<LeaseOptions, 'ifindex' | 'address' | 'prefixLength'>) =>
        this.#remove(lease),
      listAddresses: () => [...this.addresses.values()],
      listLinks: () => [...this.links.values()],
      monitor: (listener: (event: NetlinkEvent) => void) => this.#watch(listener),
      addRoute: (route: RouteInfo) => this.#addRoute(route),
      removeRoute: (route: RouteKey) => this.#removeRoute(route),
      putLocalRoute: (route: LocalRoute & { lifetime: number }) => this.#putLocal(route),
      removeLocalRoute: ({ address }: LocalRoute) => this.localRoutes.delete(ipFromBytes(address).text),
      listRoutes: (family: 4 | 6, protocol: number) =>
        this.routes.filter(
          (route) => route.protocol === protocol && (route.destination.length === 4) === (family === 4),
        ),
      openPacketSocket: (_: number, etherType: number, listener: ((frame: Uint8Array) => void) | null) =>
        this.#packet(etherType, listener),
      openRaw6Receiver: (options: { protocol: number }, listener: (message: Raw6Message) => void) =>
        this.#raw6(options.protocol, listener),
    } as unknown as Native;
  }

  tell(event: NetlinkEvent): void {
    this.#monitor?.(event);
  }

  /** An ARP frame arrives. */
  arp(frame: Uint8Array): void {
    this.#arp?.(frame);
  }

  /** An ICMPv6 message arrives, without its IPv6 header. */
  icmp(payload: Uint8Array, hopLimit = 255): void {
    const [source, destination] = [new Uint8Array(16), new Uint8Array(16)];
    this.#icmp?.({ payload, source, destination, hopLimit, ifindex: 7 });
  }

  has(prefix: IpPrefix): boolean {
    return this.addresses.has(prefix.address.text);
  }

  #put({ ifindex, address, prefixLength, lifetime, preferred }: LeaseOptions): void {
    const { text } = ipFromBytes(address);
    this.calls.push(`put ${text} ${lifetime}/${preferred}`);
    this.#check('RTM_NEWADDR');
    const times = { validLifetime: lifetime, preferredLifetime: preferred };
    this.addresses.set(text, { ifindex, address, prefixLength, scope: 0, flags: 0, ...times });
  }

  #remove({ address }: Pick<LeaseOptions, 'address'>): boolean {
    const { text } = ipFromBytes(address);
    this.calls.push(`remove ${text}`);
    this.#check('RTM_DELADDR');
    return this.addresses.delete(text);
  }

  #addRoute(route: RouteInfo): boolean {
    this.#check('RTM_NEWROUTE');
    if (this.routes.some((other) => routeKey(other) === routeKey(route))) return false;
    this.routes.push(route);
    return true;
  }

  #removeRoute(route: RouteKey): boolean {
    this.#check('RTM_DELROUTE');
    const isIt = (other: RouteInfo): boolean =>
      other.protocol === route.protocol && routeKey(other) === routeKey(route);
    const found = this.routes.some(isIt);
    this.routes = this.routes.filter((other) => !isIt(other));
    return found;
  }

  #putLocal({ address, lifetime }: LocalRoute & { lifetime: number }): void {
    const { refuseLocal } = this;
    if (refuseLocal !== null)
      throw Object.assign(new Error(refuseLocal.code), {
        ...refuseLocal,
        errno: -1,
        syscall: 'RTM_NEWROUTE',
      });
    this.localRoutes.set(ipFromBytes(address).text, lifetime);
  }

  #check(syscall: string): void {
    if (this.refuse !== null)
      throw Object.assign(new Error(this.refuse.code), { ...this.refuse, errno: -1, syscall });
  }

  #watch(listener: (event: NetlinkEvent) => void): NativeHandle {
    this.#monitor = listener;
    return {
      close: () => {
        this.#monitor = null;
      },
    };
  }

  #raw6(protocol: number, listener: (message: Raw6Message) => void): NativeHandle {
    if (protocol === 58) this.#icmp = listener;
    return {
      close: () => {
        this.#icmp = null;
      },
    };
  }

  #packet(etherType: number, listener: ((frame: Uint8Array) => void) | null): PacketSocket {
    if (etherType !== 0) this.#arp = listener;
    return {
      send: (frame) => void this.frames.push(frame),
      close: () => {
        this.#arp = null;
      },
    };
  }
}

const routeKey = ({ destination, prefixLength, table, metric }: RouteKey): string =>
  `${destination.join('.')}/${prefixLength} ${table} ${metric}`;
