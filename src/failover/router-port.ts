import { compareIp, type IpAddress } from '../lib/ip.ts';
import type { Native, NativeHandle } from '../native/index.ts';
import { type Envelope, encodeAdvertisement, passData, VRRP_GROUP_4, VRRP_GROUP_6 } from '../vrrp/packet.ts';
import type { InterfaceView } from './interface-view.ts';
import { MacSender } from './mac-sender.ts';
import { unicastPeers, type VirtualRouterSpec } from './router-spec.ts';
import { openReceiver, type Sender, VrrpSender } from './vrrp-socket.ts';

export interface PortOptions {
  readonly native: Native;
  readonly spec: VirtualRouterSpec;
  readonly view: InterfaceView;
  readonly source: IpAddress;
  readonly onMessage: (message: Uint8Array, envelope: Envelope) => void;
  readonly onSendError: (error: Error) => void;
  /** A socket is dead: open another port. */
  readonly onDead: (error: Error) => void;
}

/** The sockets of one virtual router on one interface, sending from one address. */
export class RouterPort {
  readonly view: InterfaceView;
  readonly source: IpAddress;
  readonly #unicast: string;
  readonly #sender: Sender;
  readonly #receiver: NativeHandle;

  /** @throws TandemError or NativeError without privileges, or when the interface is gone. */
  constructor({ native, spec, view, source, onMessage, onSendError, onDead }: PortOptions) {
    const place = { family: spec.family, interface: view.name, ifindex: view.index };
    this.view = view;
    this.source = source;
    this.#unicast = unicastKey(spec);
    this.#sender = openSender(native, spec, view, onSendError, onDead);
    try {
      const unicast = unicastPeers(spec) !== null;
      this.#receiver = openReceiver(native, { ...place, unicast, onMessage, onError: onDead });
    } catch (error) {
      this.#sender.close();
      throw error;
    }
  }

  /** May it go on serving this configuration on this interface? */
  serves(spec: VirtualRouterSpec, view: InterfaceView, source: IpAddress): boolean {
    return (
      this.view.index === view.index &&
      this.view.name === view.name &&
      compareIp(this.source, source) === 0 &&
      this.#unicast === unicastKey(spec)
    );
  }

  /** To the group, or to every unicast peer; returns how many messages were handed on. */
  advertise(spec: VirtualRouterSpec, priority: number): number {
    return sendAdvertisement(this.#sender, spec, this.source, priority);
  }

  flush(limitMs: number): Promise<void> {
    return this.#sender.flush(limitMs);
  }

  close(): void {
    this.#receiver.close();
    this.#sender.close();
  }
}

/**
 * From the virtual MAC address where the group has one, but not to unicast peers: those would take it for the
 * MAC address of this host's own IP address.
 * @throws TandemError or NativeError without privileges, or when the interface is gone.
 */
export function openSender(
  native: Native,
  spec: VirtualRouterSpec,
  { name, index }: Pick<InterfaceView, 'name' | 'index'>,
  onError: (error: Error) => void,
  onDead: (error: Error) => void,
): Sender {
  if (spec.mac !== null && unicastPeers(spec) === null) {
    return new MacSender(native, index, spec.mac.address, onError);
  }
  return new VrrpSender({ family: spec.family, interface: name, ifindex: index }, onError, onDead);
}

/** Encodes for each destination (it is part of the pseudo-header) and sends. */
export function sendAdvertisement(
  sender: Sender,
  spec: VirtualRouterSpec,
  source: IpAddress,
  priority: number,
): number {
  const { family, group, addresses } = spec;
  const destinations = unicastPeers(spec)?.peers ?? [family === 4 ? VRRP_GROUP_4 : VRRP_GROUP_6];
  const advertisement = {
    version: group.version,
    family,
    vrid: group.vrid,
    priority,
    addresses: addresses.map(({ address }) => address),
    interval: group.advertiseInterval,
    authentication:
      group.authPass === null
        ? ({ type: 'none' } as const)
        : ({ type: 'pass', data: passData(group.authPass) } as const),
  };
  for (const destination of destinations) {
    const options = { source, destination, checksumStyle: group.checksum };
    sender.send(encodeAdvertisement(advertisement, options), source, destination);
  }
  return destinations.length;
}

function unicastKey(spec: VirtualRouterSpec): string {
  return unicastPeers(spec) === null ? 'multicast' : 'unicast';
}
