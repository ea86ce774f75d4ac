import type { Timer } from '../lib/clock.ts';
import { seconds } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Envelope } from '../vrrp/packet.ts';
import type { Announcers } from './announcers.ts';
import { type InterfaceView, type Readiness, readiness } from './interface-view.ts';
import type { RouterEvents } from './router-events.ts';
import { RouterPort } from './router-port.ts';
import { devicesOf, type VirtualRouterSpec } from './router-spec.ts';
import type { Surroundings } from './surroundings.ts';

/** Before sockets that could not be opened are tried again. */
const RETRY = seconds(2);

export interface AttachmentOptions {
  readonly spec: () => VirtualRouterSpec;
  readonly around: Surroundings;
  readonly announcers: Announcers;
  readonly events: RouterEvents;
  /** Makes what the addresses are to be held on. @throws Error or NativeError */
  readonly prepare: (view: InterfaceView) => void;
  readonly onMessage: (message: Uint8Array, envelope: Envelope) => void;
  /** New sockets, which send from this address. */
  readonly onSource: (source: IpAddress) => void;
  /** The interface can be used, or not; told again whenever it was looked at. */
  readonly onLink: (up: boolean) => void;
  /** The interface has another MAC address (bonding): the link still knows the old one. */
  readonly onMacChanged: () => void;
}

type Ready = Extract<Readiness, { ready: true }>;

/** A virtual router's hold on its interface: sockets are open while it can be used, and opened again. */
export class Attachment {
  readonly #options: AttachmentOptions;
  #port: RouterPort | null = null;
  #blocked: string | null = null;
  #retry: Timer | null = null;
  #closed = false;

  constructor(options: AttachmentOptions) {
    this.#options = options;
  }

  get port(): RouterPort | null {
    return this.#port;
  }

  /** Why the interface cannot be used; null when it can. */
  get blocked(): string | null {
    return this.#blocked;
  }

  view(): InterfaceView | null {
    return this.#options.around.links.view(this.#options.spec().group.interface);
  }

  /** The interface or the configuration may have changed; also opens what could not be opened before. */
  check(): void {
    if (this.#closed) return;
    const { around, spec, events, onLink } = this.#options;
    const found = readiness(spec(), this.view(), around.isVirtual);
    if (!found.ready) {
      this.#block(found.why);
      return;
    }
    const missing = this.#missingDevice();
    if (missing !== null) {
      this.#block(missing);
      return;
    }
    const open = this.#port?.serves(spec(), found.view, found.source) === true || this.#open(found);
    if (!open || !this.#prepare(found) || !this.#attachAnnouncers()) return;
    if (this.#blocked !== null) events.link('info', `can use ${found.view.name} again`);
    this.#blocked = null;
    onLink(true);
  }

  /** Addresses elsewhere need their interface; whether it has carrier is for a tracker to say. */
  #missingDevice(): string | null {
    const { spec, around } = this.#options;
    for (const device of devicesOf(spec())) {
      if (device === spec().mac?.device) continue;
      const view = around.links.view(device);
      if (view === null) return `interface ${device} does not exist`;
      if (!view.up) return `interface ${device} is down`;
    }
    return null;
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#options.announcers.detach();
    this.#closePort();
  }

  #closePort(): void {
    this.#port?.close();
    this.#port = null;
  }

  /** Sockets survive a loss of carrier; they do not survive their interface. */
  #block(why: string): void {
    const { announcers, events, onLink } = this.#options;
    if (this.#blocked !== why) events.link('warn', `waits: ${why}`);
    this.#blocked = why;
    onLink(false);
    if (this.view() !== null) return;
    announcers.detach();
    this.#closePort();
  }

  #open({ view, source }: Ready): boolean {
    const { around, spec, events, onMessage, onSource } = this.#options;
    this.#closePort();
    try {
      this.#port = new RouterPort({
        native: around.native,
        spec: spec(),
        view,
        source,
        onMessage,
        onSendError: (error) => events.error('an advertisement cannot be sent', error),
        onDead: (error) => this.#portDied(error),
      });
    } catch (error) {
      return this.#failed('the sockets cannot be opened', error);
    }
    onSource(source);
    return true;
  }

  #prepare({ view }: Ready): boolean {
    const { prepare } = this.#options;
    try {
      prepare(view);
      return true;
    } catch (error) {
      return this.#failed('the interface with the virtual MAC address cannot be made', error);
    }
  }

  #attachAnnouncers(): boolean {
    const { announcers, onMacChanged } = this.#options;
    try {
      if (announcers.attach()) onMacChanged();
      return true;
    } catch (error) {
      return this.#failed('the packet socket cannot be opened', error);
    }
  }

  #failed(what: string, error: unknown): false {
    this.#options.events.error(what, error);
    this.#block(messageOf(error));
    this.#retryLater();
    return false;
  }

  #portDied(error: Error): void {
    this.#options.events.error('a socket failed', error);
    this.#closePort();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#options.around.clock.timerAfter(RETRY, () => this.check());
  }
}
