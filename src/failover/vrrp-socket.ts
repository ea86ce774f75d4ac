import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import type { Socket } from 'raw-socket';
import { ByteWriter } from '../lib/bytes.ts';
import { EXIT, messageOf, TandemError } from '../lib/errors.ts';
import { type IpAddress, type IpFamily, ipFromBytes, isLinkLocal } from '../lib/ip.ts';
import type { Native, NativeHandle } from '../native/index.ts';
import { VRRP_PROTOCOL } from '../vrrp/checksum.ts';
import { type Envelope, VRRP_GROUP_4, VRRP_GROUP_6, VRRP_HOP_LIMIT } from '../vrrp/packet.ts';

/** Linux's numbers of the options, from <asm/socket.h>, <linux/in.h>, <linux/in6.h>. */
const SOL_SOCKET = 1;
const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IP_MULTICAST_ALL = 49;
const IPPROTO_IPV6 = 41;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_LOOP = 19;

/** Send only, with the IP header made by the sender: it alone chooses source address and TTL exactly. */
const IPPROTO_RAW = 255;
/** Internetwork control (CS6), as routing protocols are marked. */
const TRAFFIC_CLASS = 0xc0;
/** TC_PRIO_CONTROL: past the bulk traffic in the host's own queue. */
const PRIORITY_CONTROL = 7;
const RECEIVE_BUFFER = 4_096;
/** Messages that the kernel has not taken yet; more means that the device is stuck. */
const MAX_UNSENT = 64;

export interface Place {
  readonly family: IpFamily;
  readonly interface: string;
  readonly ifindex: number;
}

type RawSocketModule = typeof import('raw-socket');

function openRaw(protocol: number, family: IpFamily): Socket {
  let library: RawSocketModule;
  try {
    // when it is needed, for a balancer without failover must run where raw-socket did not build
    library = createRequire(import.meta.url)('raw-socket') as RawSocketModule;
  } catch (cause) {
    throw new TandemError('raw-socket.missing', `raw-socket cannot be loaded: ${messageOf(cause)}`, {
      hint: 'build it with "npm rebuild raw-socket"',
      exitStatus: EXIT.osError,
      cause,
    });
  }
  try {
    return library.createSocket({
      protocol,
      addressFamily: family === 4 ? 1 : 2,
      bufferSize: RECEIVE_BUFFER,
    });
  } catch (cause) {
    throw new TandemError('failover.no-raw-socket', `no raw socket: ${messageOf(cause)}`, {
      hint: 'the failover agent needs CAP_NET_RAW and CAP_NET_ADMIN',
      exitStatus: EXIT.noPermission,
      cause,
    });
  }
}

/** An `int` (or `ifindex`) as setsockopt wants it: in the machine's byte order. */
const native32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);

function bindToDevice(socket: Socket, name: string): void {
  const device = Buffer.from(`${name}\0`);
  socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, device, device.length);
}

/** struct ip_mreqn: group, local address, interface. */
function mreqn(group: Uint8Array, ifindex: number): Buffer {
  return Buffer.concat([group, new Uint8Array(4), native32(ifindex)]);
}

/**
 * raw-socket asks Node of every destination whether it is an address; for IPv6 that is a regular expression that takes
 * milliseconds to compile, which are not there when the first advertisement is that of a takeover. It is compiled to
 * bytecode when it is first used, and to machine code at the second time.
 */
function rehearse(family: IpFamily): void {
  const group = family === 4 ? VRRP_GROUP_4 : VRRP_GROUP_6;
  for (let uses = 0; uses < 2; uses++) isIP(group.text);
}

/** Where advertisements go. */
export interface Sender {
  send(message: Uint8Array, source: IpAddress, destination: IpAddress): void;
  /** Resolves when everything was handed to the kernel, or after `limitMs`. */
  flush(limitMs: number): Promise<void>;
  close(): void;
}

/** Sends advertisements: multicast does not come back to this host, and a datagram has the source it is given. */
export class VrrpSender implements Sender {
  readonly #socket: Socket;
  readonly #place: Place;
  readonly #onError: (error: Error) => void;
  #unsent = 0;
  #closed = false;
  #onEmpty: (() => void) | null = null;

  /**
   * @param onError one message was not sent
   * @param onDead the socket is of no use any more
   * @throws TandemError without CAP_NET_RAW, or when the interface is gone.
   */
  constructor(place: Place, onError: (error: Error) => void, onDead: (error: Error) => void) {
    this.#place = place;
    this.#onError = onError;
    this.#socket = openRaw(IPPROTO_RAW, place.family);
    // raw-socket closes itself after an error of the descriptor
    this.#socket.on('error', (error) => {
      if (!this.#closed) onDead(error);
    });
    try {
      this.#configure();
    } catch (cause) {
      this.close();
      throw socketError(place, cause);
    }
    rehearse(place.family);
  }

  #configure(): void {
    const { family, ifindex } = this.#place;
    const socket = this.#socket;
    bindToDevice(socket, this.#place.interface);
    socket.setOption(SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL);
    if (family === 4) {
      const request = mreqn(new Uint8Array(4), ifindex);
      socket.setOption(IPPROTO_IP, IP_MULTICAST_IF, request, request.length);
      socket.setOption(IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    } else {
      socket.setOption(IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex);
      socket.setOption(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
    }
  }

  /** Hands one VRRP message to the kernel at the next turn of the loop; failures go to `onError`. */
  send(message: Uint8Array, source: IpAddress, destination: IpAddress): void {
    if (this.#closed) return;
    if (this.#unsent >= MAX_UNSENT) {
      this.#onError(new Error(`${this.#place.interface} takes no packets: ${MAX_UNSENT} are waiting`));
      return;
    }
    const packet = Buffer.from(withHeader(message, source, destination));
    const zone = isLinkLocal(destination) || destination.text === VRRP_GROUP_6.text;
    const target = zone && destination.family === 6 ? `%${this.#place.interface}` : '';
    this.#unsent++;
    this.#socket.send(packet, 0, packet.length, `${destination.text}${target}`, (error) => {
      this.#unsent--;
      if (error !== null && !this.#closed) this.#onError(error);
      if (this.#unsent === 0) this.#onEmpty?.();
    });
  }

  /** Resolves when everything was handed to the kernel, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    if (this.#unsent === 0) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#onEmpty = () => {
        clearTimeout(limit);
        resolve();
      };
    });
    this.#onEmpty = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

/** The IP header in front of a message; the kernel fills in IPv4's identification and checksum. */
export function withHeader(message: Uint8Array, source: IpAddress, destination: IpAddress): Uint8Array {
  const writer = new ByteWriter(40 + message.length);
  if (source.family === 4) {
    writer
      .u8(0x45)
      .u8(TRAFFIC_CLASS)
      .u16(20 + message.length);
    writer.u32(0).u8(VRRP_HOP_LIMIT).u8(VRRP_PROTOCOL).u16(0);
  } else {
    writer.u32(0x6000_0000 | (TRAFFIC_CLASS << 20)).u16(message.length);
    writer.u8(VRRP_PROTOCOL).u8(VRRP_HOP_LIMIT);
  }
  return writer.bytes(source.bytes).bytes(destination.bytes).bytes(message).finish();
}

export interface ReceiverOptions extends Place {
  readonly unicast: boolean;
  readonly onMessage: (message: Uint8Array, envelope: Envelope) => void;
  /** The socket is of no use any more. */
  readonly onError: (error: Error) => void;
}

/**
 * Receives VRRP messages of one interface with what their IP header says.
 * @throws TandemError or NativeError without CAP_NET_RAW, or when the interface is gone.
 */
export function openReceiver(native: Native, options: ReceiverOptions): NativeHandle {
  return options.family === 4 ? openReceiver4(options) : openReceiver6(native, options);
}

function openReceiver4(options: ReceiverOptions): NativeHandle {
  const socket = openRaw(VRRP_PROTOCOL, 4);
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    socket.close();
  };
  socket.on('error', (error) => {
    if (!closed) options.onError(error);
  });
  socket.on('message', (packet) => {
    const read = readPacket4(packet);
    if (read !== null && !closed)
      options.onMessage(read.message, { ...read.envelope, unicast: options.unicast });
  });
  try {
    bindToDevice(socket, options.interface);
    socket.setOption(IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (!options.unicast) {
      const request = mreqn(VRRP_GROUP_4.bytes, options.ifindex);
      socket.setOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, request, request.length);
    }
  } catch (cause) {
    close();
    throw socketError(options, cause);
  }
  return { close };
}

/** Linux hands raw IPv4 sockets the whole packet; null when it is not what its own header says. */
export function readPacket4(packet: Uint8Array): { message: Uint8Array; envelope: Envelope } | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length < 20 || packet[0] === undefined || packet[0] >> 4 !== 4) return null;
  const header = (packet[0] & 0x0f) * 4;
  const total = view.getUint16(2);
  if (header < 20 || total < header || total > packet.length) return null;
  return {
    // a copy: raw-socket reads the next packet into the same buffer
    message: Uint8Array.from(packet.subarray(header, total)),
    envelope: {
      family: 4,
      source: ipFromBytes(packet.subarray(12, 16)),
      destination: ipFromBytes(packet.subarray(16, 20)),
      hopLimit: view.getUint8(8),
    },
  };
}

function openReceiver6(native: Native, options: ReceiverOptions): NativeHandle {
  const group = options.unicast ? null : VRRP_GROUP_6.bytes;
  return native.openRaw6Receiver({ protocol: VRRP_PROTOCOL, ifindex: options.ifindex, group }, (received) => {
    const envelope: Envelope = {
      family: 6,
      source: ipFromBytes(received.source),
      destination: ipFromBytes(received.destination),
      hopLimit: received.hopLimit,
      unicast: options.unicast,
    };
    // an IPv4-mapped source is nobody's
    if (envelope.source.family === 6) options.onMessage(received.payload, envelope);
  });
}

function socketError(place: Place, cause: unknown): TandemError {
  return new TandemError(
    'failover.socket',
    `the VRRP socket for IPv${place.family} on ${place.interface} cannot be set up: ${messageOf(cause)}`,
    { exitStatus: EXIT.osError, cause },
  );
}
