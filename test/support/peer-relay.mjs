// Between two supervisors, on a third host; both believe that it is the other one:
//   node peer-relay.mjs LISTEN_PORT=HOST:PORT,... [ACTION TYPE] [RECORD_FILE]
// Passes frames on and prints their types. ACTION is done to the first message of this TYPE: "hold" keeps it and
// what follows it back, "repeat" passes it on twice, "flip" changes one bit. What an initiator sent is written to
// RECORD_FILE, as it was.
import { appendFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';

const [routes, action, wanted, record] = process.argv.slice(2);
let done = false;

function typeOf(body) {
  return /^\{"type":"([a-z]+)"/.exec(body.toString('latin1'))?.[1] ?? 'handshake';
}

function carry(from, to, keep) {
  let rest = Buffer.alloc(0);
  let holding = false;
  from.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
      const frame = rest.subarray(0, 2 + rest.readUInt16BE());
      rest = rest.subarray(frame.length);
      pass(frame);
    }
  });
  function pass(frame) {
    const type = typeOf(frame.subarray(2));
    if (holding) return;
    if (keep && record) appendFileSync(record, frame);
    if (type === wanted && !done) {
      done = true;
      process.stdout.write(`${action} ${type}\n`);
      if (action === 'hold') {
        holding = true;
        return;
      }
      if (action === 'flip') frame[10] ^= 1;
      if (action === 'repeat') to.write(frame);
    }
    process.stdout.write(`passed ${type}\n`);
    to.write(frame);
  }
  from.on('end', () => to.end());
  from.on('close', () => to.destroy());
  from.on('error', () => to.destroy());
}

for (const route of routes.split(',')) {
  const [port, target] = route.split('=');
  const [host, targetPort] = target.split(':');
  createServer({ allowHalfOpen: true }, (caller) => {
    const callee = createConnection({ host, port: Number(targetPort), allowHalfOpen: true });
    carry(caller, callee, true);
    carry(callee, caller, false);
  }).listen(Number(port), '0.0.0.0', () => process.stdout.write(`listening on ${port}\n`));
}
