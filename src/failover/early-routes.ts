import type { Clock, Timer } from '../lib/clock.ts';
import { type Duration, micros, seconds, toSeconds } from '../lib/duration.ts';
import { errnoOf } from '../lib/errors.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Native } from '../native/index.ts';
import { ROUTE_PROTOCOL } from './virtual-routes.ts';

/** For the kernel to make its own; never longer than the lease, so that what a dead node leaves is no more than that. */
const LONGEST = seconds(3);

/**
 * Has a new IPv6 address delivered to this host from the first packet on. The kernel makes the route to one in a work
 * item (addrconf_dad_work), also without duplicate address detection; on a host whose processors are busy with programs
 * of higher priority that comes late, and until then packets to the address are dropped while neighbours are told and
 * answered already. This route is there at once and goes when it has expired.
 */
export class EarlyRoutes {
  readonly #native: Native;
  readonly #clock: Clock;
  readonly #routes = new Map<string, { readonly ifindex: number; readonly address: IpAddress }>();
  #timer: Timer | null = null;

  constructor(native: Native, clock: Clock) {
    this.#native = native;
    this.#clock = clock;
  }

  /** @param lease how long the address itself stays when nobody refreshes it. @throws NativeError */
  put(ifindex: number, address: IpAddress, lease: Duration): void {
    const lifetime = Math.ceil(toSeconds(micros(Math.min(lease, LONGEST))));
    const route = { ifindex, address: address.bytes, protocol: ROUTE_PROTOCOL };
    this.#native.putLocalRoute({ ...route, lifetime });
    this.#routes.set(`${address.text} ${ifindex}`, { ifindex, address });
    // the kernel keeps expired ones in the table for a while, where they would only be puzzling
    this.#timer?.cancel();
    this.#timer = this.#clock.timerAfter(seconds(lifetime), () => this.#sweep());
  }

  /** Leaves them to the kernel's clock. */
  abandon(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#routes.clear();
  }

  #sweep(): void {
    const routes = [...this.#routes.values()];
    this.abandon();
    for (const { ifindex, address } of routes) removeEarlyRoute(this.#native, ifindex, address);
  }
}

/** It has an end of its own: whatever is in the way of removing it leaves nothing that stays. */
export function removeEarlyRoute(native: Native, ifindex: number, address: IpAddress): void {
  try {
    native.removeLocalRoute({ ifindex, address: address.bytes, protocol: ROUTE_PROTOCOL });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
