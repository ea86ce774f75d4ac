import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Duration, type Instant, micros, toSeconds } from '../lib/duration.ts';
import { errnoOf, messageOf } from '../lib/errors.ts';
import type { IpAddress, IpPrefix } from '../lib/ip.ts';
import type { Emit, EventFields } from '../model/event.ts';
import type { Native } from '../native/index.ts';
import { Complaint } from './complaint.ts';

/** Refreshes in one lifetime: four may be late or lost. */
const REFRESHES = 5;

export interface LeaseOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The interface's name and what else the events should carry. */
  readonly fields: EventFields & { readonly interface: string };
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
  readonly #held = new Set<string>();
  #addresses: readonly IpPrefix[];
  #lifetime: Duration;
  /** Not null between acquire and release. */
  #ifindex: number | null = null;
  #timer: Timer | null = null;
  #refreshedAt: Instant | null = null;

  constructor(options: LeaseOptions, addresses: readonly IpPrefix[], lifetime: Duration) {
    this.#options = options;
    this.#complaint = new Complaint(options.clock, options.emit);
    this.#addresses = addresses;
    this.#lifetime = lifetime;
  }

  /** Claimed, and the kernel is known to hold every address. */
  get complete(): boolean {
    return this.#ifindex !== null && this.#addresses.every((address) => this.#held.has(address.text));
  }

  /** When the kernel last took every address; null when they are not claimed. */
  get refreshedAt(): Instant | null {
    return this.#ifindex === null ? null : this.#refreshedAt;
  }

  /** @throws NativeError when an address cannot be added; none of them is held then. */
  acquire(ifindex: number): void {
    if (this.#ifindex === ifindex) return;
    this.release();
    this.#ifindex = ifindex;
    try {
      for (const prefix of this.#addresses) this.#put(ifindex, prefix, 'failover.address-added');
    } catch (error) {
      this.release();
      throw error;
    }
    this.#refreshedAt = this.#options.clock.now();
    this.#armRefresh();
  }

  /** Removes the addresses; a failure is an event, for the kernel's clock removes them anyway. */
  release(): void {
    const ifindex = this.#ifindex;
    this.abandon();
    if (ifindex !== null) for (const prefix of this.#addresses) this.#remove(ifindex, prefix);
    this.#held.clear();
  }

  /** Stops refreshing and leaves the addresses as they are, to a successor or to the kernel's clock. */
  abandon(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#ifindex = null;
  }

  /**
   * A changed configuration: new addresses are added and dropped ones removed while claimed.
   * @returns whether addresses were added, which the link should hear of.
   */
  update(addresses: readonly IpPrefix[], lifetime: Duration): boolean {
    const ifindex = this.#ifindex;
    const kept = new Set(addresses.map(({ text }) => text));
    const dropped = this.#addresses.filter(({ text }) => !kept.has(text));
    this.#addresses = addresses;
    this.#lifetime = lifetime;
    if (ifindex === null) return false;
    for (const prefix of dropped) this.#remove(ifindex, prefix);
    this.#armRefresh();
    const added = addresses.filter(({ text }) => !this.#held.has(text));
    for (const prefix of added) this.#restore(ifindex, prefix, 'failover.address-added');
    return added.length > 0;
  }

  /** Removes what a predecessor left behind; returns the texts of the addresses that were there. */
  removeStale(ifindex: number): string[] {
    return this.#addresses.filter((prefix) => this.#takeOff(ifindex, prefix)).map(({ text }) => text);
  }

  /** Netlink says that an address is gone: back at once when it is claimed. */
  addressRemoved(ifindex: number, address: IpAddress): void {
    if (this.#ifindex !== ifindex) return;
    const prefix = this.#addresses.find((ours) => ours.address.text === address.text);
    // the notification may be older than our own last acquire
    if (prefix === undefined || this.#isPresent(ifindex, prefix)) return;
    this.#held.delete(prefix.text);
    this.#options.whenCurrent(() => {
      if (this.#ifindex === ifindex) this.#restore(ifindex, prefix, 'failover.address-restored');
    });
  }

  /** Claimed, but the kernel no longer holds every address: asked of the kernel, not remembered. */
  isLost(): boolean {
    const ifindex = this.#ifindex;
    return ifindex !== null && this.#addresses.some((prefix) => !this.#isPresent(ifindex, prefix));
  }

  /** Puts every address again: after a stall the kernel may have dropped them. */
  verify(): void {
    const ifindex = this.#ifindex;
    if (ifindex === null) return;
    for (const prefix of this.#addresses) {
      const lost = !this.#isPresent(ifindex, prefix);
      this.#restore(ifindex, prefix, lost ? 'failover.address-restored' : null);
    }
  }

  #armRefresh(): void {
    this.#timer?.cancel();
    const { clock, whenCurrent } = this.#options;
    const at = after(clock.now(), micros(this.#lifetime / REFRESHES));
    this.#timer = clock.timerAt(at, () => whenCurrent(() => this.#refresh()));
  }

  #refresh(): void {
    const ifindex = this.#ifindex;
    if (ifindex === null) return;
    for (const prefix of this.#addresses) {
      this.#restore(ifindex, prefix, this.#held.has(prefix.text) ? null : 'failover.address-restored');
    }
    if (this.complete) this.#refreshedAt = this.#options.clock.now();
    this.#armRefresh();
  }

  #restore(ifindex: number, prefix: IpPrefix, event: LeaseEvent | null): void {
    try {
      this.#put(ifindex, prefix, event);
      this.#complaint.clear(prefix.text);
      if (event === 'failover.address-restored') this.#options.onRestored();
    } catch (error) {
      this.#held.delete(prefix.text);
      this.#complain(`${prefix.text} cannot be kept on ${this.#options.fields.interface}`, prefix, error);
    }
  }

  #put(ifindex: number, prefix: IpPrefix, event: LeaseEvent | null): void {
    const { native, isPermanent, emit, fields } = this.#options;
    if (!isPermanent(ifindex, prefix.address)) {
      const lifetime = Math.ceil(toSeconds(this.#lifetime));
      // An IPv6 host would take its newest address as the source of connections of its own, to backends for
      // one, and they would break when the address moves: deprecated ones are only used by who binds them.
      const preferred = prefix.address.family === 6 ? 0 : lifetime;
      native.putAddress({ ...request(ifindex, prefix), lifetime, preferred });
    }
    this.#held.add(prefix.text);
    if (event === null) return;
    const restored = event === 'failover.address-restored';
    const message = restored
      ? `${prefix.text} was missing on ${fields.interface} and is back`
      : `${prefix.text} is on ${fields.interface}`;
    emit({
      level: restored ? 'warn' : 'info',
      name: event,
      message,
      fields: { ...fields, address: prefix.text },
    });
  }

  #remove(ifindex: number, prefix: IpPrefix): void {
    const { emit, fields } = this.#options;
    this.#held.delete(prefix.text);
    try {
      if (!this.#takeOff(ifindex, prefix)) return;
      const message = `${prefix.text} was removed from ${fields.interface}`;
      emit({
        level: 'info',
        name: 'failover.address-removed',
        message,
        fields: { ...fields, address: prefix.text },
      });
    } catch (error) {
      this.#complain(`${prefix.text} cannot be removed from ${fields.interface}`, prefix, error);
    }
  }

  #takeOff(ifindex: number, prefix: IpPrefix): boolean {
    const { native, isPermanent } = this.#options;
    return takeOff(native, ifindex, prefix, isPermanent);
  }

  #isPresent(ifindex: number, prefix: IpPrefix): boolean {
    return this.#options.native
      .listAddresses()
      .some((info) => info.ifindex === ifindex && Buffer.compare(info.address, prefix.address.bytes) === 0);
  }

  #complain(what: string, prefix: IpPrefix, error: unknown): void {
    this.#complaint.raise(prefix.text, {
      level: 'error',
      name: 'failover.error',
      message: `${what}: ${messageOf(error)}`,
      fields: { ...this.#options.fields, address: prefix.text, errno: errnoOf(error) ?? null },
    });
  }
}

type LeaseEvent = 'failover.address-added' | 'failover.address-restored';

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
    return native.removeAddress(request(ifindex, prefix));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENODEV' || errno === 'ENXIO') return false;
    throw error;
  }
}
