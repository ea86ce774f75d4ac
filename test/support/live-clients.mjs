// Clients of an echo service, until SIGTERM; then a report of one JSON line:
//   node live-clients.mjs HOST PORT KEPT PROBE_MS [REPLY_MS]
// KEPT connections that exchange 16 bytes five times a second, a new connection every 50 ms, a UDP datagram every
// PROBE_MS (0: none). No reply within REPLY_MS, 5000 unless given, is a lost connection.
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';

const host = process.argv[2];
const [port, kept, probeMs, replyMs = 5_000] = process.argv.slice(3).map(Number);
const report = { kept: 0, lost: 0, exchanges: 0, fresh: 0, freshFailed: 0, sent: 0, received: 0, why: [] };
let stopping = false;

function fault(what, error) {
  if (report.why.length < 5) report.why.push(`${what}: ${error.code ?? error.message}`);
}

function keep() {
  const socket = createConnection({ host, port });
  let dead = false;
  const die = (error) => {
    if (dead || stopping) return;
    dead = true;
    report.lost++;
    fault('kept', error);
    socket.destroy();
  };
  socket.on('error', die);
  socket.on('close', () => die(new Error('closed')));
  let got = 0;
  let limit;
  const ask = () => {
    if (dead || stopping) return;
    limit = setTimeout(() => die(new Error('no reply')), replyMs);
    socket.write(Buffer.alloc(16, 0x61));
  };
  socket.on('data', (chunk) => {
    got += chunk.length;
    if (got < 16) return;
    got -= 16;
    clearTimeout(limit);
    report.exchanges++;
    setTimeout(ask, 200);
  });
  socket.once('connect', ask);
}

function fresh() {
  if (stopping) return;
  const socket = createConnection({ host, port });
  let over = false;
  const end = (error) => {
    if (over) return;
    over = true;
    clearTimeout(limit);
    socket.destroy();
    if (error === undefined) report.fresh++;
    else if (!stopping) {
      report.freshFailed++;
      fault('fresh', error);
    }
  };
  const limit = setTimeout(() => end(new Error('no reply')), replyMs);
  socket.on('error', end);
  socket.on('close', () => end(new Error('closed')));
  socket.on('connect', () => socket.write('n'));
  socket.on('data', () => end());
}

let next = 0;
const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
udp.on('message', (message) => {
  report.received++;
  const seq = message.readUInt32BE();
  if (seq > next + 20) report.why.push(`probes ${next} to ${seq} lost at ${new Date().toISOString()}`);
  next = Math.max(next, seq + 1);
});
udp.on('error', (error) => fault('udp', error));
const begin = performance.now();
// a timer that is late sends what it has missed
const probe = () => {
  const due = probeMs === 0 ? 0 : Math.floor((performance.now() - begin) / probeMs);
  for (let n = 0; report.sent < due && n < 20; n++) {
    report.sent++;
    const probe = Buffer.alloc(16);
    probe.writeUInt32BE(report.sent);
    udp.send(probe, port, host);
  }
};

for (let n = 0; n < kept; n++) keep();
const timers = [setInterval(fresh, 50), setInterval(probe, probeMs || 1_000)];
process.stdout.write('started\n');
process.once('SIGTERM', () => {
  for (const timer of timers) clearInterval(timer);
  setTimeout(() => {
    stopping = true;
    report.kept = kept - report.lost;
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
  }, 500);
});
