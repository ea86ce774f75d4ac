import { ByteWriter } from '../lib/bytes.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Native, PacketSocket } from '../native/index.ts';
import { internetChecksum } from '../vrrp/checksum.ts';
import { type Sender, withHeader } from './vrrp-socket.ts';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const IPV4_HEADER = 20;
const IPV4_CHECKSUM = 10;

/**
 * Sends multicast advertisements from the virtual MAC address (RFC 9568, 7.3), as whole frames over the group's
 * interface: the macvlan need not be up for it, and no route or filter has a say.
 */
export class MacSender implements Sender {
  readonly #socket: PacketSocket;
  readonly #mac: Uint8Array;
  readonly #onError: (error: Error) => void;

  /** @throws NativeError without CAP_NET_RAW, or when the interface is gone. */
  constructor(native: Native, ifindex: number, mac: Uint8Array, onError: (error: Error) => void) {
    this.#socket = native.openPacketSocket(ifindex, 0, null);
    this.#mac = mac;
    this.#onError = onError;
  }

  send(message: Uint8Array, source: IpAddress, destination: IpAddress): void {
    try {
      this.#socket.send(multicastFrame(this.#mac, message, source, destination));
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The kernel has every frame when `send` returns. */
  async flush(): Promise<void> {}

  close(): void {
    this.#socket.close();
  }
}

/** RFC 1112, 6.4 and RFC 2464, 7: the group's MAC address has the last bits of its IP address. */
export function multicastFrame(
  mac: Uint8Array,
  message: Uint8Array,
  source: IpAddress,
  destination: IpAddress,
): Uint8Array {
  const packet = Uint8Array.from(withHeader(message, source, destination));
  const { family, bytes } = destination;
  const writer = new ByteWriter(14 + packet.length);
  if (family === 4) {
    const sum = internetChecksum(packet.subarray(0, IPV4_HEADER));
    packet.set([sum >> 8, sum & 0xff], IPV4_CHECKSUM);
    writer.bytes(Uint8Array.of(0x01, 0x00, 0x5e, (bytes[1] ?? 0) & 0x7f, bytes[2] ?? 0, bytes[3] ?? 0));
  } else {
    writer.bytes(Uint8Array.of(0x33, 0x33)).bytes(bytes.subarray(12));
  }
  return writer
    .bytes(mac)
    .u16(family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6)
    .bytes(packet)
    .finish();
}
