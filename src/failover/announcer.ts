import type { Clock, Timer } from '../lib/clock.ts';
import { after, type Instant, instant, micros } from '../lib/duration.ts';
import { errnoOf, messageOf } from '../lib/errors.ts';
import type { IpPrefix } from '../lib/ip.ts';
import type { Emit, EventFields } from '../model/event.ts';
import type { AnnounceSpec } from '../model/failover.ts';
import type { Native, NativeHandle, PacketSocket } from '../native/index.ts';
import { ETHERTYPE_ARP, gratuitousArp } from '../vrrp/arp.ts';
import { type AddressClaim, claimOfArp, claimOfNeighbourMessage, isForeign } from '../vrrp/claim.ts';
import {
  ALL_NODES,
  HOP_LIMIT,
  PROTOCOL_ICMPV6,
  TYPE_NEIGHBOUR_ADVERTISEMENT,
  unsolicitedNeighbourAdvertisement,
} from '../vrrp/ndp.ts';
import { Complaint } from './complaint.ts';

export interface AnnouncerOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly fields: EventFields;
  /** Asked before every single announcement: what is no longer held is not announced. */
  readonly isOwner: () => boolean;
  /** Through which timers go, so that a stalled process does not announce what its successor now holds. */
  readonly whenCurrent: (act: () => void) => void;
  /** Another host claimed one of our addresses while we own them. */
  readonly onForeignClaim: (claim: AddressClaim) => void;
}

/** Why the addresses are announced: they are now here, or another router was found Active beside this one. */
export type AnnounceCause = 'active' | 'conflict';

/** What is still to be sent: rounds of this batch, then perhaps a second batch. */
interface Plan {
  readonly left: number;
  readonly second: { readonly at: Instant; readonly rounds: number } | null;
}

/**
 * Tells the link where the addresses now are: gratuitous ARP and unsolicited neighbour advertisements. Hears when
 * another host says that they are with it: any ARP, and advertisements to all nodes.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #complaint: Complaint;
  #addresses: readonly IpPrefix[];
  #spec: AnnounceSpec;
  #socket: PacketSocket | null = null;
  #ear: NativeHandle | null = null;
  #ifindex: number | null = null;
  #mac: Uint8Array = new Uint8Array(0);
  /** There are addresses of another family since the sockets were opened. */
  #outdated = false;
  #timer: Timer | null = null;
  #pacer: Timer | null = null;

  constructor(options: AnnouncerOptions, addresses: readonly IpPrefix[], spec: AnnounceSpec) {
    this.#options = options;
    this.#complaint = new Complaint(options.clock, options.emit);
    this.#addresses = addresses;
    this.#spec = spec;
  }

  /**
   * Opens the packet socket, once. It stays open while the interface is there, for the kernel takes
   * milliseconds to close one.
   * @returns whether the interface, its MAC address or the families of the addresses are others than before.
   * @throws NativeError without CAP_NET_RAW.
   */
  attach(ifindex: number, mac: Uint8Array): boolean {
    const isKnown = this.#ifindex === ifindex && Buffer.compare(this.#mac, mac) === 0;
    if (isKnown && !this.#outdated) return false;
    this.detach();
    // loopback and tunnels have no neighbours to tell
    if (!mac.every((byte) => byte === 0)) this.#open(ifindex);
    this.#mac = Uint8Array.from(mac);
    this.#ifindex = ifindex;
    return true;
  }

  #open(ifindex: number): void {
    const { native } = this.#options;
    this.#socket = has(this.#addresses, 4)
      ? native.openPacketSocket(ifindex, ETHERTYPE_ARP, (frame) => this.#heard(claimOfArp(frame)))
      : native.openPacketSocket(ifindex, 0, null);
    if (!has(this.#addresses, 6)) return;
    // not by a packet socket: that one would see all IPv6 traffic of the host
    const options = { protocol: PROTOCOL_ICMPV6, icmpType: TYPE_NEIGHBOUR_ADVERTISEMENT, ifindex };
    this.#ear = native.openRaw6Receiver({ ...options, group: ALL_NODES.bytes }, ({ payload, hopLimit }) => {
      if (hopLimit === HOP_LIMIT) this.#heard(claimOfNeighbourMessage(payload));
    });
  }

  detach(): void {
    this.stop();
    this.#socket?.close();
    this.#socket = null;
    this.#ear?.close();
    this.#ear = null;
    this.#ifindex = null;
    this.#outdated = false;
  }

  /** A family that is new, or gone, is listened for after the next `attach`. */
  update(addresses: readonly IpPrefix[], spec: AnnounceSpec): void {
    const differs = (family: 4 | 6): boolean => has(addresses, family) !== has(this.#addresses, family);
    if (this.#ifindex !== null && (differs(4) || differs(6))) this.#outdated = true;
    this.#addresses = addresses;
    this.#spec = spec;
  }

  /** Now, `repeat` times in all, once more after `delay`, and then every `refresh` until `stop`. */
  announce(cause: AnnounceCause): void {
    this.stop();
    const { repeat, delay, conflictRepeat, conflictDelay } = this.#spec;
    const [rounds, again] = cause === 'active' ? [repeat, delay] : [conflictRepeat, conflictDelay];
    const now = this.#options.clock.now();
    const left = Math.max(1, rounds);
    this.#round({ left, second: again > 0 ? { at: after(now, again), rounds: left } : null }, now);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#pacer?.cancel();
    this.#pacer = null;
  }

  #round(plan: Plan, at: Instant): void {
    this.#pacer?.cancel();
    this.#sendFrom(0, at);
    const next = this.#next(plan, at);
    this.#timer = next === null ? null : this.#timerAt(next.at, () => this.#round(next.plan, next.at));
  }

  /** What is stopped while it waits for the end of a stall does not happen. */
  #timerAt(at: Instant, act: () => void): Timer {
    const timer = this.#options.clock.timerAt(at, () =>
      this.#options.whenCurrent(() => {
        if (this.#timer === timer || this.#pacer === timer) act();
      }),
    );
    return timer;
  }

  #next({ left, second }: Plan, at: Instant): { readonly plan: Plan; readonly at: Instant } | null {
    const { interval, pace, refresh, refreshRepeat } = this.#spec;
    // a round of many addresses may take longer than the interval
    const soonest = after(at, micros(Math.max(interval, pace * this.#addresses.length)));
    if (left > 1) return { plan: { left: left - 1, second }, at: soonest };
    if (second !== null) {
      return { plan: { left: second.rounds, second: null }, at: instant(Math.max(second.at, soonest)) };
    }
    if (refresh <= 0) return null;
    return {
      plan: { left: refreshRepeat, second: null },
      at: instant(Math.max(after(at, refresh), soonest)),
    };
  }

  /** Every address from this one on, `pace` apart. */
  #sendFrom(index: number, at: Instant): void {
    const { pace } = this.#spec;
    for (let i = index; i < this.#addresses.length; i++) {
      if (pace > 0 && i > index) {
        const next = after(at, pace);
        this.#pacer = this.#timerAt(next, () => this.#sendFrom(i, next));
        return;
      }
      this.#send(i);
    }
  }

  #send(index: number): void {
    const address = this.#addresses[index]?.address;
    if (this.#socket === null || address === undefined || !this.#options.isOwner()) return;
    const frame =
      address.family === 4
        ? gratuitousArp(this.#mac, address)
        : unsolicitedNeighbourAdvertisement(this.#mac, address);
    try {
      this.#socket.send(frame);
      this.#complaint.clear(address.text);
    } catch (error) {
      this.#complaint.raise(address.text, {
        level: 'warn',
        name: 'failover.error',
        message: `${address.text} cannot be announced: ${messageOf(error)}`,
        fields: { ...this.#options.fields, address: address.text, errno: errnoOf(error) ?? null },
      });
    }
  }

  #heard(claim: AddressClaim | null): void {
    if (claim === null || !this.#options.isOwner()) return;
    const foreign = this.#addresses.some(({ address }) => isForeign(claim, address, this.#mac));
    if (foreign) this.#options.onForeignClaim(claim);
  }
}

const has = (addresses: readonly IpPrefix[], family: 4 | 6): boolean =>
  addresses.some(({ address }) => address.family === family);
