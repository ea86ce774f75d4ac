import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Duration, type Instant, micros, toSeconds } from '../lib/duration.ts';
import { errnoOf, messageOf } from '../lib/errors.ts';
import type { IpAddress, IpPrefix } from '../lib/ip.ts';
import type { Emit, EventFields } from '../model/event.ts';
import type { AddressInfo, Native } from '../native/index.ts';
import { Complaint } from './complaint.ts';
import { EarlyRoutes, removeEarlyRoute } from './early-routes.ts';
import type { HeldAddress } from './router-spec.ts';

/** Refreshes in one lifetime: four may be late or lost. */
const REFRESHES = 5;

export interface LeaseOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** What the events should carry beside the interface. */
  readonly fields: EventFields;
  /** Null when there is no such interface. */
  readonly ifindexOf: (device: string) => number | null;
  /** Does the address bring a route to its subnet? Left out: yes. */
  readonly wantsRoute?: (held: HeldAddress) => boolean;
  /** The host holds this address for good: it is not ours to lease or to remove. */
  readonly isPermanent: (ifindex: number, address: IpAddress) => boolean;
  /** Through which refreshes go, so that a stalled process does not put back what its successor now holds. */
  readonly whenCurrent: (act: () => void) => void;
  /** An address that was lost is back: the link should hear of it. */
  readonly onRestored: () => void;
}

/**
 * Addresses that the kernel itself takes off again when this process no longer refreshes them (valid_lft):
 * a killed, hung or stopped node loses them without anybody's help. Acquire and release are idempotent.
 */
export class AddressLease {
  readonly #options: LeaseOptions;
  readonly #complaint: Complaint;
  readonly #early: EarlyRoutes;
  readonly #held = new Set<string>();
  #addresses: readonly HeldAddress[];
  #lifetime: Duration;
  /** Where the addresses were put, by interface; not null between acquire and release. */
  #places: Map<string, number> | null = null;
  #timer: Timer | null = null;
  #refreshedAt: Instant | null = null;

  constructor(options: LeaseOptions, addresses: readonly HeldAddress[], lifetime: Duration) {
    this.#options = options;
    this.#complaint = new Complaint(options.clock, options.emit);
    this.#early = new EarlyRoutes(options.native, options.clock);
    this.#addresses = addresses;
    this.#lifetime = lifetime;
  }

  /** Claimed, and the kernel is known to hold every address. */
  get complete(): boolean {
    return this.#places !== null && this.#addresses.every((address) => this.#held.has(address.text));
  }

  /** When the kernel last took every address; null when they are not claimed. */
  get refreshedAt(): Instant | null {
    return this.#places === null ? null : this.#refreshedAt;
  }

  /** @throws Error or NativeError when an address cannot be added; none of them is held then. */
  acquire(): void {
    const places = this.#resolve(this.#addresses);
    if (this.#places !== null && sameEntries(this.#places, places)) return;
    this.release();
    this.#places = places;
    try {
      for (const held of this.#addresses) this.#put(this.#placeOf(held), held, 'failover.address-added');
    } catch (error) {
      this.release();
      throw error;
    }
    this.#refreshedAt = this.#options.clock.now();
    this.#armRefresh();
  }

  /** Removes the addresses; a failure is an event, for the kernel's clock removes them anyway. */
  release(): void {
    const places = this.#places;
    this.abandon();
    if (places !== null) for (const held of this.#addresses) this.#remove(places.get(held.device), held);
    this.#held.clear();
  }

  /** Stops refreshing and leaves the addresses as they are, to a successor or to the kernel's clock. */
  abandon(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#early.abandon();
    this.#places = null;
  }

  /**
   * A changed configuration: new addresses are added and dropped ones removed while claimed.
   * @returns whether addresses were added, which the link should hear of.
   */
  update(addresses: readonly HeldAddress[], lifetime: Duration): boolean {
    const before = this.#addresses;
    const key = ({ text, device }: HeldAddress): string => `${text} ${device}`;
    const kept = new Set(addresses.map(key));
    const known = new Set(before.map(key));
    this.#addresses = addresses;
    this.#lifetime = lifetime;
    const places = this.#places;
    if (places === null) return false;
    for (const held of before) if (!kept.has(key(held))) this.#remove(places.get(held.device), held);
    for (const device of addresses.map((held) => held.device)) {
      const index = this.#options.ifindexOf(device);
      if (!places.has(device) && index !== null) places.set(device, index);
    }
    this.#armRefresh();
    const added = addresses.filter((held) => !known.has(key(held)) || !this.#held.has(held.text));
    for (const held of added) this.#restore(held, 'failover.address-added');
    return added.length > 0;
  }

  /** Removes what a predecessor left behind; returns the texts of the addresses that were there. */
  removeStale(): string[] {
    const { ifindexOf } = this.#options;
    return this.#addresses
      .filter((held) => this.#takeOff(ifindexOf(held.device), held))
      .map(({ text }) => text);
  }

  /** Netlink says that an address is gone: back at once when it is claimed. */
  addressRemoved(ifindex: number, address: IpAddress): void {
    const held = this.#addresses.find(
      (ours) => ours.address.text === address.text && this.#places?.get(ours.device) === ifindex,
    );
    // the notification may be older than our own last acquire
    if (held === undefined || this.#isAmong(this.#options.native.listAddresses(), held)) return;
    this.#held.delete(held.text);
    this.#options.whenCurrent(() => {
      if (this.#places?.get(held.device) === ifindex) this.#restore(held, 'failover.address-restored');
    });
  }

  /** Claimed, but the kernel no longer holds every address. @param present what it holds now */
  isLost(present: readonly AddressInfo[]): boolean {
    return this.#places !== null && this.#addresses.some((held) => !this.#isAmong(present, held));
  }

  /** Puts every address again: after a stall the kernel may have dropped them. @param present what it holds now */
  verify(present: readonly AddressInfo[]): void {
    if (this.#places === null) return;
    for (const held of this.#addresses) {
      this.#restore(held, this.#isAmong(present, held) ? null : 'failover.address-restored');
    }
  }

  #armRefresh(): void {
    this.#timer?.cancel();
    const { clock, whenCurrent } = this.#options;
    const at = after(clock.now(), micros(this.#lifetime / REFRESHES));
    this.#timer = clock.timerAt(at, () => whenCurrent(() => this.#refresh()));
  }

  #refresh(): void {
    if (this.#places === null) return;
    for (const held of this.#addresses) {
      this.#restore(held, this.#held.has(held.text) ? null : 'failover.address-restored');
    }
    if (this.complete) this.#refreshedAt = this.#options.clock.now();
    this.#armRefresh();
  }

  #restore(held: HeldAddress, event: LeaseEvent | null): void {
    try {
      this.#put(this.#placeOf(held), held, event);
      this.#complaint.clear(held.text);
      if (event === 'failover.address-restored') this.#options.onRestored();
    } catch (error) {
      this.#held.delete(held.text);
      this.#complain(`${held.text} cannot be kept on ${held.device}`, held, error);
    }
  }

  #resolve(addresses: readonly HeldAddress[]): Map<string, number> {
    return new Map(
      addresses.map(({ device }) => {
        const index = this.#options.ifindexOf(device);
        if (index === null) throw new Error(`no interface ${device}`);
        return [device, index];
      }),
    );
  }

  #placeOf({ device }: HeldAddress): number {
    const index = this.#places?.get(device);
    if (index === undefined) throw new Error(`no interface ${device}`);
    return index;
  }

  #put(ifindex: number, held: HeldAddress, event: LeaseEvent | null): void {
    const { native, isPermanent, wantsRoute, emit } = this.#options;
    if (!isPermanent(ifindex, held.address)) {
      const lifetime = Math.ceil(toSeconds(this.#lifetime));
      // An IPv6 host would take its newest address as the source of connections of its own, to backends for
      // one, and they would break when the address moves: deprecated ones are only used by who binds them.
      const preferred = held.address.family === 6 ? 0 : lifetime;
      native.putAddress({
        ...request(ifindex, held),
        lifetime,
        preferred,
        prefixRoute: wantsRoute?.(held) ?? true,
      });
    }
    this.#held.add(held.text);
    if (event === null) return;
    this.#route(ifindex, held);
    const restored = event === 'failover.address-restored';
    const message = restored
      ? `${held.text} was missing on ${held.device} and is back`
      : `${held.text} is on ${held.device}`;
    emit({ level: restored ? 'warn' : 'info', name: event, message, fields: this.#fields(held) });
  }

  /** Without it the first packets may be lost, and no more: that does not cost the claim. */
  #route(ifindex: number, held: HeldAddress): void {
    if (held.address.family === 4 || this.#options.isPermanent(ifindex, held.address)) return;
    const key = `${held.text} early`;
    try {
      this.#early.put(ifindex, held.address, this.#lifetime);
      this.#complaint.clear(key);
    } catch (error) {
      this.#complaint.raise(key, {
        level: 'warn',
        name: 'failover.error',
        message: `${held.text}: its route on ${held.device} is left to the kernel, which may be late: ${messageOf(error)}`,
        fields: { ...this.#fields(held), errno: errnoOf(error) ?? null },
      });
    }
  }

  #remove(ifindex: number | undefined, held: HeldAddress): void {
    this.#held.delete(held.text);
    try {
      if (!this.#takeOff(ifindex ?? null, held)) return;
      const message = `${held.text} was removed from ${held.device}`;
      this.#options.emit({
        level: 'info',
        name: 'failover.address-removed',
        message,
        fields: this.#fields(held),
      });
    } catch (error) {
      this.#complain(`${held.text} cannot be removed from ${held.device}`, held, error);
    }
  }

  #takeOff(ifindex: number | null, held: HeldAddress): boolean {
    const { native, isPermanent } = this.#options;
    return ifindex !== null && takeOff(native, ifindex, held, isPermanent);
  }

  #isAmong(present: readonly AddressInfo[], { address, device }: HeldAddress): boolean {
    const index = this.#places?.get(device);
    return present.some(
      (info) => info.ifindex === index && Buffer.compare(info.address, address.bytes) === 0,
    );
  }

  #fields({ device, text }: HeldAddress): EventFields {
    return { ...this.#options.fields, interface: device, address: text };
  }

  #complain(what: string, held: HeldAddress, error: unknown): void {
    this.#complaint.raise(held.text, {
      level: 'error',
      name: 'failover.error',
      message: `${what}: ${messageOf(error)}`,
      fields: { ...this.#fields(held), errno: errnoOf(error) ?? null },
    });
  }
}

type LeaseEvent = 'failover.address-added' | 'failover.address-restored';

function sameEntries(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([device, index]) => b.get(device) === index);
}

function request(ifindex: number, { address, length }: IpPrefix) {
  return { ifindex, address: address.bytes, prefixLength: length };
}

/** Removes a leased address; false when it was not there, is the host's own, or the interface is gone. */
export function takeOff(
  native: Native,
  ifindex: number,
  prefix: IpPrefix,
  isPermanent: (ifindex: number, address: IpAddress) => boolean,
): boolean {
  if (isPermanent(ifindex, prefix.address)) return false;
  try {
    if (prefix.address.family === 6) removeEarlyRoute(native, ifindex, prefix.address);
    return native.removeAddress(request(ifindex, prefix));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENODEV' || errno === 'ENXIO') return false;
    throw error;
  }
}
