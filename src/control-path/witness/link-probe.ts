import { messageOf } from '../../lib/errors.ts';
import { type IpAddress, ipFromBytes, isLinkLocal, prefixContains } from '../../lib/ip.ts';
import type { AddressInfo, LinkInfo, Native, NativeHandle, PacketSocket } from '../../native/index.ts';
import { arpRequest, decodeArp, ETHERTYPE_ARP } from '../../vrrp/arp.ts';
import {
  decodeNeighbourMessage,
  HOP_LIMIT,
  neighbourSolicitation,
  PROTOCOL_ICMPV6,
  TYPE_NEIGHBOUR_ADVERTISEMENT,
} from '../../vrrp/ndp.ts';
import { failed, type ProbeOutcome, passed } from '../health/probe.ts';
import type { WitnessProbe } from './probe.ts';

/** ifa_flags: without this one an address has a lifetime, as virtual addresses do. */
const IFA_F_PERMANENT = 0x80;

/** Asks a neighbour for its MAC address: works without an IP route, and answers what no firewall drops. */
export class LinkProbe implements WitnessProbe {
  readonly #native: Native;
  readonly #device: string;
  readonly #target: IpAddress;
  /** They stay open while the interface is there, for the kernel takes milliseconds to close one. */
  #sockets: { readonly ifindex: number; readonly packet: PacketSocket; readonly ear: NativeHandle } | null =
    null;
  #answered: () => void = () => undefined;

  constructor(native: Native, device: string, target: IpAddress) {
    this.#native = native;
    this.#device = device;
    this.#target = target;
  }

  ask(signal: AbortSignal): Promise<ProbeOutcome> {
    return new Promise((resolve) => {
      const device = this.#device;
      signal.addEventListener('abort', () => resolve(failed('timeout', `no answer on ${device}`)), {
        once: true,
      });
      this.#answered = () => resolve(passed(`answers on ${device}`));
      try {
        const link = this.#native.listLinks().find(({ name }) => name === device);
        if (link === undefined) resolve(failed('unreachable', `there is no interface ${device}`));
        else if (!link.up || !link.carrier) resolve(failed('unreachable', `${device} has no carrier`));
        else this.#send(link);
      } catch (error) {
        resolve(failed('local', messageOf(error)));
      }
    });
  }

  close(): void {
    this.#sockets?.packet.close();
    this.#sockets?.ear.close();
    this.#sockets = null;
  }

  #send(link: LinkInfo): void {
    const source = this.#sourceOn(link.index);
    const { mac } = link;
    const target = this.#target;
    if (target.family === 6 && source === null) throw new Error(`${link.name} has no link-local address`);
    const frame =
      target.family === 6 && source !== null
        ? neighbourSolicitation(mac, source, target)
        : arpRequest(mac, source, target);
    this.#open(link.index).send(frame);
  }

  #open(ifindex: number): PacketSocket {
    if (this.#sockets?.ifindex === ifindex) return this.#sockets.packet;
    this.close();
    const packet =
      this.#target.family === 4 ? this.#openArp(ifindex) : this.#native.openPacketSocket(ifindex, 0, null);
    try {
      const ear = this.#target.family === 4 ? packet : this.#openNdp(ifindex);
      this.#sockets = { ifindex, packet, ear };
    } catch (error) {
      packet.close();
      throw error;
    }
    return packet;
  }

  #openArp(ifindex: number): PacketSocket {
    return this.#native.openPacketSocket(ifindex, ETHERTYPE_ARP, (frame) => {
      if (decodeArp(frame)?.senderIp.text === this.#target.text) this.#answered();
    });
  }

  #openNdp(ifindex: number): NativeHandle {
    const options = {
      protocol: PROTOCOL_ICMPV6,
      icmpType: TYPE_NEIGHBOUR_ADVERTISEMENT,
      ifindex,
      group: null,
    };
    return this.#native.openRaw6Receiver(options, ({ payload, hopLimit }) => {
      const told = hopLimit === HOP_LIMIT ? decodeNeighbourMessage(payload) : null;
      if (told?.target.text === this.#target.text) this.#answered();
    });
  }

  /** An address of this node's own, never a virtual one: a request teaches its sender to everyone who hears it. */
  #sourceOn(ifindex: number): IpAddress | null {
    const target = this.#target;
    const fits = (info: AddressInfo): boolean => {
      const own = ipFromBytes(info.address);
      if (info.ifindex !== ifindex || own.family !== target.family) return false;
      if (own.family === 6) return isLinkLocal(own) && (info.flags & IFA_F_PERMANENT) !== 0;
      const prefix = { address: own, length: info.prefixLength, text: own.text };
      return (info.flags & IFA_F_PERMANENT) !== 0 && prefixContains(prefix, target);
    };
    const found = this.#native.listAddresses().find(fits);
    return found === undefined ? null : ipFromBytes(found.address);
  }
}
