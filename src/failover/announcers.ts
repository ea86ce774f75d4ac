import type { AnnounceSpec } from '../model/failover.ts';
import { type AnnounceCause, Announcer, type AnnouncerOptions } from './announcer.ts';
import type { InterfaceView } from './interface-view.ts';
import type { HeldAddress } from './router-spec.ts';

export interface AnnouncersOptions extends AnnouncerOptions {
  /** Null when there is no such interface. */
  readonly view: (device: string) => InterfaceView | null;
}

/** One announcer for each interface that carries addresses of a virtual router. */
export class Announcers {
  readonly #options: AnnouncersOptions;
  readonly #byDevice = new Map<string, Announcer>();

  constructor(options: AnnouncersOptions, addresses: readonly HeldAddress[], spec: AnnounceSpec) {
    this.#options = options;
    this.update(addresses, spec);
  }

  /**
   * Opens what can be opened; an interface that is not there has nobody to tell.
   * @returns whether an interface or its MAC address is another than before.
   * @throws NativeError without CAP_NET_RAW.
   */
  attach(): boolean {
    let changed = false;
    for (const [device, announcer] of this.#byDevice) {
      const view = this.#options.view(device);
      if (view === null) announcer.detach();
      else if (announcer.attach(view.index, view.mac)) changed = true;
    }
    return changed;
  }

  detach(): void {
    for (const announcer of this.#byDevice.values()) announcer.detach();
  }

  /** Addresses on an interface that is new here are announced after the next `attach`. */
  update(addresses: readonly HeldAddress[], spec: AnnounceSpec): void {
    const devices = new Set(addresses.map(({ device }) => device));
    for (const [device, announcer] of this.#byDevice) {
      if (devices.has(device)) continue;
      announcer.detach();
      this.#byDevice.delete(device);
    }
    for (const device of devices) {
      const own = addresses.filter((held) => held.device === device);
      const known = this.#byDevice.get(device);
      if (known !== undefined) known.update(own, spec);
      else this.#byDevice.set(device, new Announcer(this.#options, own, spec));
    }
  }

  announce(cause: AnnounceCause): void {
    for (const announcer of this.#byDevice.values()) announcer.announce(cause);
  }

  stop(): void {
    for (const announcer of this.#byDevice.values()) announcer.stop();
  }
}
