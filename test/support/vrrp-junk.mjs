// Sends about a thousand bad VRRP messages a second for one VRID: node vrrp-junk.mjs <vrid> <own address>.
import { randomBytes } from 'node:crypto';
import raw from 'raw-socket';

const vrid = Number(process.argv[2]);
const source = process.argv[3].split('.').map(Number);
const group = [224, 0, 0, 18];
const socket = raw.createSocket({ protocol: 255, addressFamily: 1 });
const mreqn = Buffer.concat([Buffer.alloc(4), Buffer.from(source), Buffer.alloc(4)]);
socket.setOption(0, 32, mreqn, mreqn.length);

function checksum(bytes) {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function message({ count = 1, bad = false, priority = 254 } = {}) {
  const addresses = Array.from({ length: count }, () => [10, 99, 0, 100]).flat();
  const bytes = Buffer.from([0x31, vrid, priority, count, 0, 10, 0, 0, ...addresses]);
  bytes.writeUInt16BE(checksum(bytes) ^ (bad ? 0x5555 : 0), 6);
  return bytes;
}

const packet = (payload, ttl) =>
  Buffer.concat([
    Buffer.from([0x45, 0xc0, 0, 20 + payload.length, 0, 0, 0, 0, ttl, 112, 0, 0, ...source, ...group]),
    payload,
  ]);

const kinds = [
  () => packet(message({ bad: true }), 255),
  () => packet(message(), 64),
  () => packet(message().subarray(0, 6), 255),
  () => packet(message({ count: 0 }), 255),
  () => packet(Buffer.concat([Buffer.from([0x31, vrid]), randomBytes(18)]), 255),
];

let n = 0;
setInterval(() => {
  for (let i = 0; i < 10; i++) {
    const bytes = kinds[n++ % kinds.length]();
    socket.send(bytes, 0, bytes.length, group.join('.'), () => undefined);
  }
}, 10);
