import { messageOf } from '../lib/errors.ts';
import { type IpAddress, ipFromBytes, prefixContains } from '../lib/ip.ts';
import type { AddressInfo } from '../native/index.ts';
import { AddressLease } from './address-lease.ts';
import { type InterfaceView, isPermanent } from './interface-view.ts';
import { devicesOf, type HeldAddress, routerFields, type VirtualRouterSpec } from './router-spec.ts';
import type { Surroundings } from './surroundings.ts';
import { VirtualMac } from './virtual-mac.ts';
import { VirtualRoutes } from './virtual-routes.ts';

/** What a virtual router has on this host while it is Active: its MAC address, its addresses and its routes. */
export class Holdings {
  readonly #spec: () => VirtualRouterSpec;
  readonly #around: Pick<Surroundings, 'links' | 'emit'>;
  readonly #mac: VirtualMac;
  readonly #lease: AddressLease;
  readonly #routes: VirtualRoutes;

  /** @param onRestored an address that was lost is back: the link should hear of it. */
  constructor(spec: () => VirtualRouterSpec, around: Surroundings, onRestored: () => void) {
    const { native, clock, emit, guard } = around;
    const { held, group, routes } = spec();
    this.#spec = spec;
    this.#around = around;
    const view = (device: string): InterfaceView | null => around.links.view(device);
    this.#mac = new VirtualMac({ native, spec, view });
    const shared = {
      native,
      clock,
      emit,
      fields: routerFields(spec()),
      ifindexOf: (device: string) => this.#mac.indexOf(device) ?? view(device)?.index ?? null,
      whenCurrent: (act: () => void) => guard.run(act),
    };
    this.#lease = new AddressLease(
      {
        ...shared,
        wantsRoute: (held) => this.#wantsRoute(held),
        isPermanent: (ifindex, address) => this.#isPermanent(ifindex, address),
        onRestored: () => {
          // the kernel drops an IPv4 route together with the address that is its source
          this.#routes.verify();
          onRestored();
        },
      },
      held,
      group.lease,
    );
    this.#routes = new VirtualRoutes(shared, routes);
  }

  get lease(): Pick<AddressLease, 'complete' | 'refreshedAt'> {
    return this.#lease;
  }

  routes(): ReturnType<VirtualRoutes['status']> {
    return this.#routes.status();
  }

  /** @throws Error or NativeError when an address cannot be added; nothing is held then. */
  claim(): void {
    this.#mac.up();
    this.#lease.acquire();
    this.#routes.acquire();
  }

  release(): void {
    this.#routes.release();
    this.#lease.release();
    this.#attempt('its interface cannot be taken down', () => this.#mac.down());
  }

  /** The interface with the virtual MAC address. @returns whether it is a new one. @throws as VirtualMac.ensure */
  prepare(lower: InterfaceView): boolean {
    return this.#mac.ensure(lower);
  }

  /** Announcements go out over the group's interface, where a macvlan that is down cannot be in the way. */
  announcedFrom(device: string): InterfaceView | null {
    const { mac, group } = this.#spec();
    const { links } = this.#around;
    if (mac?.device !== device) return links.view(device);
    const view = links.view(group.interface);
    return view && { ...view, mac: mac.address };
  }

  /** Leaves nothing, for good: the daemon stops, or the group is no more. */
  dismantle(): void {
    this.#attempt('its interface cannot be removed', () => this.#mac.remove());
  }

  #attempt(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      const fields = routerFields(this.#spec());
      this.#around.emit({
        level: 'error',
        name: 'failover.error',
        message: `${what}: ${messageOf(error)}`,
        fields,
      });
    }
  }

  /** Leaves everything to a successor, or to the kernel's clock. */
  abandon(): void {
    this.#routes.abandon();
    this.#lease.abandon();
  }

  /** The configuration changed. @returns whether addresses were added, which the link should hear of. */
  update(): boolean {
    const { held, group, routes } = this.#spec();
    const added = this.#lease.update(held, group.lease);
    this.#routes.update(routes);
    return added;
  }

  /** Removes addresses that a predecessor left behind; returns their texts. @throws NativeError */
  removeStale(): string[] {
    return this.#lease.removeStale();
  }

  addressRemoved(ifindex: number, address: IpAddress): void {
    this.#lease.addressRemoved(ifindex, address);
  }

  /** Claimed, but the kernel no longer holds every address. */
  isLost(present: readonly AddressInfo[]): boolean {
    return this.#lease.isLost(present);
  }

  /** After a stall: puts everything again. */
  verify(present: readonly AddressInfo[]): void {
    this.#lease.verify(present);
    this.#routes.verify();
  }

  verifyRoutes(): void {
    this.#routes.verify();
  }

  /** Are all addresses on this host, whoever put them there? */
  holdsAddresses(): boolean {
    if (this.#lease.complete) return true;
    return this.#spec().held.every(({ address, device }) =>
      this.#around.links.view(device)?.addresses.some((info) => isSame(info, address)),
    );
  }

  /** Where the interface below is in the subnet already, a second route to it would only be in the way. */
  #wantsRoute(held: HeldAddress): boolean {
    const { mac, group } = this.#spec();
    if (held.device !== mac?.device) return true;
    const below = this.#around.links.view(group.interface)?.addresses ?? [];
    return !below.some(({ address }) => prefixContains(held, ipFromBytes(address)));
  }

  #isPermanent(ifindex: number, address: IpAddress): boolean {
    return devicesOf(this.#spec())
      .flatMap((device) => this.#around.links.view(device)?.addresses ?? [])
      .some((info) => info.ifindex === ifindex && isPermanent(info) && isSame(info, address));
  }
}

const isSame = (info: AddressInfo, address: IpAddress): boolean =>
  Buffer.compare(info.address, address.bytes) === 0;
