// The clients of the soak, until SIGTERM; then one JSON line with what they saw.
//   node clients.mjs ADDRESS TCP_PORT UDP_PORT CONCURRENCY SEED
// Each TCP client does one of what real ones do; every byte that comes back is compared. An end or a reset that a fault
// of the run explains is "broken"; a byte that differs, or more bytes than were sent, is "wrong".
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { choices, Stream } from './stream.mjs';

const [address, tcpPort, udpPort, concurrency, seed] = [
  process.argv[2],
  ...process.argv.slice(3).map(Number),
];
const random = choices(seed);
const report = {
  started: 0,
  complete: 0,
  broken: 0,
  abandoned: 0,
  wrong: 0,
  bytes: 0,
  datagrams: 0,
  replies: 0,
  wrongReplies: 0,
  examples: [],
  /** Ends that only the death of a backend explains: when, and what. */
  early: [],
};
let running = true;
/** Nothing takes longer, whatever the fault: a client that hangs is one that was forgotten. */
const PATIENCE_MS = 60_000;

function wrong(what) {
  report.wrong++;
  if (report.examples.length < 5) report.examples.push(what);
}

/** Sends `size` bytes in `chunks`, compares the echo, and ends in `manner`. */
function converse({ size, chunk, manner, slow }) {
  return new Promise((resolve) => {
    const [sent, expected] = [new Stream(report.started), new Stream(report.started)];
    const socket = connect({ host: address, port: tcpPort, allowHalfOpen: true, noDelay: true });
    let [left, got, over] = [size, 0, false];
    const finish = (outcome) => {
      if (over) return;
      over = true;
      clearTimeout(limit);
      socket.destroy();
      report[outcome]++;
      resolve();
    };
    const limit = setTimeout(() => {
      if (manner !== 'idle') wrong(`hung after ${got} of ${size} bytes (${manner})`);
      finish('broken');
    }, PATIENCE_MS);
    const write = () => {
      while (left > 0) {
        const length = Math.min(chunk, left);
        left -= length;
        if (!socket.write(sent.take(length))) return;
      }
      if (manner === 'half-close') socket.end();
    };
    socket.once('connect', () => {
      if (manner === 'vanish') {
        socket.resetAndDestroy();
        finish('abandoned');
        return;
      }
      write();
    });
    socket.on('drain', write);
    socket.on('data', (bytes) => {
      report.bytes += bytes.length;
      got += bytes.length;
      if (got > size) wrong(`${got - size} bytes too many`);
      else if (!bytes.equals(expected.take(bytes.length))) wrong(`other bytes before ${got} of ${size}`);
      if (manner === 'reset' && got * 2 > size) {
        socket.resetAndDestroy();
        finish('abandoned');
      } else if (got === size && manner !== 'half-close') {
        finish('complete');
      } else if (slow) {
        socket.pause();
        setTimeout(() => socket.resume(), slow);
      }
    });
    // A FIN that comes early makes a cut stream look whole: that is a wrong one, unless it was the backend's. The kernel says
    // FIN for a process that is killed with nothing unread; whether one was killed then is known to whoever kills them.
    socket.on('end', () => {
      if (got < size && report.early.length < 10_000)
        report.early.push({ at: Date.now(), what: `FIN after ${got} of ${size} bytes (${manner})` });
      finish(got === size ? 'complete' : 'broken');
    });
    socket.on('error', () => finish('broken'));
    socket.on('close', () => finish('broken'));
  });
}

function conversation() {
  const manner = random.of(['half-close', 'half-close', 'close', 'close', 'close', 'reset', 'vanish']);
  const size = random.of([1, 100, 100, 5_000, 5_000, 200_000, 3_000_000]);
  const slow = random.below(20) === 0 ? 20 : 0;
  return {
    manner,
    size: slow ? Math.min(size, 200_000) : size,
    chunk: random.of([16, 1_000, 65_536]) * (size > 200_000 ? 64 : 1),
    slow,
  };
}

async function loop() {
  while (running) {
    report.started++;
    await converse(conversation());
    if (random.below(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(200)));
  }
}

/** UDP clients come and go, so that sessions do. A lost reply is allowed; somebody else's is not. */
function datagrams() {
  const socket = createSocket('udp4');
  const mark = random.below(2 ** 31);
  let [left, next] = [1 + random.below(40), 0];
  socket.on('error', () => undefined);
  socket.on('message', (message) => {
    report.replies++;
    if (message.length !== 64 || message.readUInt32BE(0) !== mark || message.readUInt32BE(4) >= next)
      report.wrongReplies++;
  });
  const timer = setInterval(() => {
    if (left-- === 0 || !running) {
      clearInterval(timer);
      setTimeout(() => socket.close(), 500);
      if (running) datagrams();
      return;
    }
    const message = Buffer.alloc(64);
    message.writeUInt32BE(mark, 0);
    message.writeUInt32BE(next++, 4);
    report.datagrams++;
    socket.send(message, udpPort, address, () => undefined);
  }, 5);
}

const loops = Array.from({ length: concurrency }, () => loop());
for (let i = 0; i < 8; i++) datagrams();
process.stdout.write('started\n');
process.once('SIGTERM', () => {
  running = false;
  void Promise.all(loops).then(() =>
    setTimeout(() => process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0)), 1_000),
  );
});
