import { type Duration, toSeconds } from '../../lib/duration.ts';
import type { IpPrefix } from '../../lib/ip.ts';
import type { Native } from '../../native/index.ts';
import { isPermanent } from '../interface-view.ts';

export const LOOPBACK = 'lo';

/** Addresses on lo for the length of a drain; the kernel's clock removes them in any case. */
export class Loopback {
  readonly #native: Native;

  constructor(native: Native) {
    this.#native = native;
  }

  /** A second beyond the drain: normally we remove it ourselves. @throws NativeError */
  add({ address }: IpPrefix, drain: Duration): void {
    const lifetime = Math.ceil(toSeconds(drain)) + 1;
    this.#native.putAddress({
      ifindex: this.#ifindex(),
      address: address.bytes,
      prefixLength: address.bytes.byteLength * 8,
      lifetime,
      preferred: address.family === 6 ? 0 : lifetime,
    });
  }

  /** @returns false when it is not there, or there for good: then it is not ours. @throws NativeError */
  remove({ address }: IpPrefix): boolean {
    const ifindex = this.#ifindex();
    const prefixLength = address.bytes.byteLength * 8;
    const found = this.#native
      .listAddresses()
      .find(
        (info) =>
          info.ifindex === ifindex &&
          info.prefixLength === prefixLength &&
          Buffer.compare(info.address, address.bytes) === 0,
      );
    if (found === undefined || isPermanent(found)) return false;
    return this.#native.removeAddress({ ifindex, address: address.bytes, prefixLength });
  }

  #ifindex(): number {
    const link = this.#native.listLinks().find(({ name }) => name === LOOPBACK);
    if (link === undefined) throw new Error(`there is no interface ${LOOPBACK}`);
    return link.index;
  }
}
