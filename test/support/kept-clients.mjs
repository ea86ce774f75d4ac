// Clients of echo-server.mjs, until SIGTERM; then a report of one JSON line:
//   node kept-clients.mjs HOST PORT KEPT [PACE]
// KEPT connections of every kind in turn, and a new connection every PACE ms, 50 unless given:
//   talk    16 bytes there and back five times a second
//   silent  one exchange at the beginning and one at the end, nothing in between
//   push    the server sends all the time, the client nothing
//   half    the same after the client's FIN
//   upload  the client sends all the time, and learns at the end how much arrived
import { createConnection } from 'node:net';

const host = process.argv[2];
const [port, kept, pace = 50] = process.argv.slice(3).map(Number);
/** Where the pace is slow, so are the machines. */
const REPLY_LIMIT = Math.max(5_000, pace * 20);
const KINDS = ['talk', 'silent', 'push', 'talk', 'half', 'upload', 'talk'];
const report = { kept: 0, lost: 0, exchanges: 0, pushed: 0, uploaded: 0, fresh: 0, freshFailed: 0, why: [] };
let stopping = false;

function fault(what, error) {
  if (report.why.length < 5) report.why.push(`${what}: ${error.code ?? error.message}`);
}

/** A connection that must not end, and what it must still do when everything is over: reject, or it lives. */
class Kept {
  constructor(kind) {
    this.kind = kind;
    this.dead = false;
    this.socket = createConnection({ host, port, allowHalfOpen: true });
    this.socket.on('error', (error) => this.die(error));
    this.socket.on('close', () => this.die(new Error('closed')));
    this.socket.on('data', (chunk) => this.heard?.(chunk));
    this.ready = new Promise((resolve) => this.socket.once('connect', resolve));
    this.ready.then(() => this[kind]());
  }

  die(error) {
    if (this.dead || this.over) return;
    this.dead = true;
    report.lost++;
    fault(this.kind, error);
    this.socket.destroy();
  }

  /** Sends 16 bytes and waits for them. */
  async exchange() {
    const reply = new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('no reply')), REPLY_LIMIT);
      let got = 0;
      this.heard = (chunk) => {
        got += chunk.length;
        if (got < 16) return;
        clearTimeout(limit);
        report.exchanges++;
        resolve();
      };
    });
    this.socket.write(Buffer.alloc(16, 0x61));
    await reply.catch((error) => this.die(error));
  }

  async talk() {
    while (!this.dead && !stopping) {
      await this.exchange();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    this.finish = () => this.exchange();
  }

  async silent() {
    await this.exchange();
    this.finish = () => this.exchange();
  }

  push() {
    this.socket.write('push');
    let lines = 0;
    this.heard = (chunk) => {
      lines += chunk.toString('latin1').split('\n').length - 1;
      report.pushed++;
    };
    // it must go on sending
    this.finish = async () => {
      const before = lines;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      if (lines === before) this.die(new Error('nothing comes any more'));
    };
  }

  half() {
    this.push();
    this.socket.end();
  }

  upload() {
    this.socket.write('sink');
    let sent = 0;
    const timer = setInterval(() => {
      if (this.dead || this.socket.writableLength > 262_144) return;
      this.socket.write(Buffer.alloc(2_048, 0x62));
      sent += 2_048;
    }, pace / 5);
    this.finish = async () => {
      clearInterval(timer);
      const said = new Promise((resolve) => {
        this.heard = (chunk) => resolve(Number(chunk.toString('latin1')));
        setTimeout(resolve, REPLY_LIMIT, null);
      });
      this.over = true;
      this.socket.end();
      const arrived = await said;
      this.over = false;
      if (arrived !== sent) this.die(new Error(`${arrived} of ${sent} bytes arrived`));
      report.uploaded += sent;
      this.over = true;
    };
  }
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
    else {
      report.freshFailed++;
      fault('fresh', error);
    }
  };
  const limit = setTimeout(() => end(new Error('no reply')), REPLY_LIMIT);
  socket.on('error', end);
  socket.on('close', () => end(new Error('closed')));
  socket.on('connect', () => socket.write('n'));
  socket.on('data', () => end());
}

const all = Array.from({ length: kept }, (_, n) => new Kept(KINDS[n % KINDS.length]));
const timer = setInterval(fresh, pace);
await Promise.all(all.map(({ ready }) => ready));
process.stdout.write('started\n');
process.once('SIGTERM', async () => {
  clearInterval(timer);
  stopping = true;
  // a conversation that is under way comes to its end first
  await new Promise((resolve) => setTimeout(resolve, 600));
  await Promise.all(all.map((one) => (one.dead ? undefined : one.finish?.())));
  for (const one of all) one.over = true;
  report.kept = kept - report.lost;
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
});
