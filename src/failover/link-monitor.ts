import { type IpAddress, ipFromBytes } from '../lib/ip.ts';
import type { AddressInfo, LinkInfo, Native, NativeHandle, NetlinkEvent } from '../native/index.ts';
import { type InterfaceView, isPermanent } from './interface-view.ts';

export interface LinkListener {
  /** The link or the addresses of this interface changed. */
  interfaceChanged(name: string): void;
  /** An address is gone from an interface, whoever removed it (the kernel, at the end of its lifetime, too). */
  addressRemoved(ifindex: number, address: IpAddress): void;
  /** One that is leased here: that it comes or goes changes nothing about the interface. */
  isVirtual(address: IpAddress): boolean;
}

interface Tables {
  readonly links: Map<number, LinkInfo>;
  /** Keyed by interface and address. */
  readonly addresses: Map<string, AddressInfo>;
}

const addressKey = (info: AddressInfo): string => `${info.ifindex} ${ipFromBytes(info.address).text}`;

/** The host's links and addresses, kept current by the kernel's own notifications. */
export class LinkMonitor {
  readonly #native: Native;
  readonly #listener: LinkListener;
  #handle: NativeHandle | null = null;
  #tables: Tables = { links: new Map(), addresses: new Map() };

  /** @throws NativeError when netlink cannot be opened or read. */
  constructor(native: Native, listener: LinkListener) {
    this.#native = native;
    this.#listener = listener;
    // subscribed before the list is read: what changes in between is told, at worst twice
    this.#handle = native.monitor((event) => this.#handleEvent(event));
    this.#tables = this.#read();
  }

  close(): void {
    this.#handle?.close();
    this.#handle = null;
  }

  /** Null when there is no interface of that name. */
  view(name: string): InterfaceView | null {
    for (const link of this.#tables.links.values()) {
      if (link.name !== name) continue;
      const { index, mac, up, carrier } = link;
      const addresses = [...this.#tables.addresses.values()].filter(({ ifindex }) => ifindex === index);
      return { index, name, mac, up, carrier, addresses };
    }
    return null;
  }

  #read(): Tables {
    return {
      links: new Map(this.#native.listLinks().map((link) => [link.index, link])),
      addresses: new Map(this.#native.listAddresses().map((info) => [addressKey(info), info])),
    };
  }

  #handleEvent(event: NetlinkEvent): void {
    if (event.type === 'overrun') this.#reread();
    else if (event.type === 'link') {
      if (event.removed) this.#linkRemoved(event.link);
      else this.#linkChanged(event.link);
    } else if (event.removed) this.#addressRemoved(event.address);
    else this.#addressChanged(event.address);
  }

  #linkChanged(link: LinkInfo): void {
    const before = this.#tables.links.get(link.index);
    this.#tables.links.set(link.index, link);
    // the kernel also notifies of statistics and of ports that we do not look at
    if (before !== undefined && sameLink(before, link)) return;
    if (before !== undefined && before.name !== link.name) this.#listener.interfaceChanged(before.name);
    this.#listener.interfaceChanged(link.name);
  }

  #linkRemoved({ index, name }: LinkInfo): void {
    this.#tables.links.delete(index);
    for (const [key, info] of this.#tables.addresses) {
      if (info.ifindex === index) this.#tables.addresses.delete(key);
    }
    this.#listener.interfaceChanged(name);
  }

  #addressChanged(info: AddressInfo): void {
    const key = addressKey(info);
    const before = this.#tables.addresses.get(key);
    this.#tables.addresses.set(key, info);
    // refreshing a lease notifies as well
    if (before?.flags === info.flags) return;
    if (before !== undefined && isPermanent(before)) this.#interfaceChanged(info.ifindex);
    else this.#addressMoved(info);
  }

  #addressRemoved(info: AddressInfo): void {
    this.#tables.addresses.delete(addressKey(info));
    this.#listener.addressRemoved(info.ifindex, ipFromBytes(info.address));
    this.#addressMoved(info);
  }

  /** A hundred routers that become Active would otherwise look at their interface once for each of all the addresses. */
  #addressMoved(info: AddressInfo): void {
    if (!isPermanent(info) && this.#listener.isVirtual(ipFromBytes(info.address))) return;
    this.#interfaceChanged(info.ifindex);
  }

  #interfaceChanged(index: number): void {
    const name = this.#tables.links.get(index)?.name;
    if (name !== undefined) this.#listener.interfaceChanged(name);
  }

  /** The kernel dropped notifications: the difference to a new list stands for them. */
  #reread(): void {
    const before = this.#tables;
    this.#tables = this.#read();
    for (const [key, info] of before.addresses) {
      if (!this.#tables.addresses.has(key)) {
        this.#listener.addressRemoved(info.ifindex, ipFromBytes(info.address));
      }
    }
    const names = [...before.links.values(), ...this.#tables.links.values()].map(({ name }) => name);
    for (const name of new Set(names)) this.#listener.interfaceChanged(name);
  }
}

function sameLink(a: LinkInfo, b: LinkInfo): boolean {
  return a.name === b.name && a.up === b.up && a.carrier === b.carrier && Buffer.compare(a.mac, b.mac) === 0;
}
