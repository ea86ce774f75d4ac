// Sends about a thousand bad VRRP frames a second, IPv4 and IPv6 in turn, until it is ended:
//   node junk-frames.mjs <interface> <vrid>
// Each claims priority 255 and is wrong in one way only, but for the random ones.
import { randomBytes } from 'node:crypto';
import { ipFromBytes, parseIp } from '../../dist/lib/ip.js';
import { loadNative } from '../../dist/native/index.js';
import { internetChecksum, pseudoHeaderSum } from '../../dist/vrrp/checksum.js';
import { VRRP_GROUP_4, VRRP_GROUP_6 } from '../../dist/vrrp/packet.js';

const [device, vridText] = process.argv.slice(2);
const vrid = Number(vridText);
const native = loadNative();
const link = native.listLinks().find((candidate) => candidate.name === device);
const socket = native.openPacketSocket(link.index, 0, null);

const FAMILIES = [
  {
    group: VRRP_GROUP_4,
    source: parseIp('10.97.0.66'),
    address: ipFromBytes(Uint8Array.of(10, 97, 0, 100)),
    groupMac: [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12],
  },
  {
    group: VRRP_GROUP_6,
    source: parseIp('fe80::66'),
    address: parseIp('fe80::97:100'),
    groupMac: [0x33, 0x33, 0x00, 0x00, 0x00, 0x12],
  },
];

/** A VRRPv3 message with a right checksum, or one that is off by some bits. */
function message(
  { group, source, address },
  { first = 0x31, id = vrid, count = 1, interval = 10, flip = 0, ...rest },
) {
  const addresses = count === 0 ? [] : (rest.addresses ?? [address]);
  const bytes = Buffer.from([first, id, 255, count, interval >> 8, interval & 0xff, 0, 0]);
  const whole = Buffer.concat([bytes, ...addresses.map((item) => item.bytes)]);
  const start = pseudoHeaderSum(source, group, 112, whole.length);
  whole.writeUInt16BE(internetChecksum(whole, start) ^ flip, 6);
  return whole;
}

function packet4({ source, group }, payload, ttl) {
  const header = Buffer.from([0x45, 0xc0, 0, 20 + payload.length, 0, 0, 0, 0, ttl, 112, 0, 0]);
  const whole = Buffer.concat([header, source.bytes, group.bytes]);
  whole.writeUInt16BE(internetChecksum(whole), 10);
  return Buffer.concat([whole, payload]);
}

function packet6({ source, group }, payload, hopLimit) {
  const header = Buffer.from([0x6c, 0, 0, 0, 0, payload.length, 112, hopLimit]);
  return Buffer.concat([header, source.bytes, group.bytes, payload]);
}

function frame(family, payload, hopLimit = 255) {
  const v4 = family.group.family === 4;
  const ether = Buffer.from([...family.groupMac, ...link.mac, ...(v4 ? [0x08, 0x00] : [0x86, 0xdd])]);
  return Buffer.concat([ether, (v4 ? packet4 : packet6)(family, payload, hopLimit)]);
}

const KINDS = [
  (family) => frame(family, message(family, { flip: 0x5555 })),
  (family) => frame(family, message(family, {}), 64),
  (family) => frame(family, message(family, {}).subarray(0, 7)),
  (family) => frame(family, message(family, { count: 0 })),
  (family) => frame(family, message(family, { interval: 0 })),
  (family) => frame(family, message(family, { first: 0x32 })),
  (family) => frame(family, message(family, { first: 0x41 })),
  (family) => frame(family, Buffer.concat([Buffer.from([0x31, vrid]), randomBytes(30)])),
  (family) => frame(family, randomBytes(Math.floor(Math.random() * 100))),
];

const began = performance.now();
let sent = 0;
setInterval(() => {
  for (const due = performance.now() - began; sent < due; sent++) {
    socket.send(KINDS[(sent >> 1) % KINDS.length](FAMILIES[sent & 1]));
  }
}, 5);
