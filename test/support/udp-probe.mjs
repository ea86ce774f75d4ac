// UDP probes to an echo service until SIGTERM, then a report of one JSON line:
//   node udp-probe.mjs HOST PORT EVERY_MS
import { createSocket } from 'node:dgram';

const [host, port, everyMs] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const report = { sent: 0, received: 0, lost: [] };
const answered = new Set();
const udp = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 8_388_608 });
udp.on('message', (message) => answered.add(message.readUInt32BE()));
udp.on('error', (error) => report.lost.push(error.message));
const begin = performance.now();
const at = [];
// a timer that is late sends what it has missed, but no burst that no buffer could take
const timer = setInterval(() => {
  const due = Math.floor((performance.now() - begin) / everyMs);
  for (let n = 0; report.sent < due && n < 20; n++) {
    const probe = Buffer.alloc(16);
    probe.writeUInt32BE(report.sent);
    at.push(new Date().toISOString().slice(11, 23));
    report.sent++;
    udp.send(probe, port, host);
  }
}, everyMs);
process.stdout.write('started\n');
process.once('SIGTERM', () => {
  clearInterval(timer);
  setTimeout(() => {
    report.received = answered.size;
    for (let n = 0; n < report.sent && report.lost.length < 20; n++) {
      if (!answered.has(n)) report.lost.push(`${n} at ${at[n]}`);
    }
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
  }, 1_500);
});
