/**
 * So many UDP clients one after the other, each with a socket of its own, of which at most 500 wait at a time: each asks once and
 * asks again after a second without an answer, five times. Prints one JSON line { answered, lost }.
 *
 *   node udp-crowd.mjs HOST PORT CLIENTS
 */
import { createSocket } from 'node:dgram';

const [host, port, clients] = process.argv.slice(2);
const result = { answered: 0, lost: 0 };
let next = 0;

function ask() {
  return new Promise((resolve) => {
    const socket = createSocket({
      type: 'udp4',
      lookup: (address, _options, done) => done(null, address, 4),
    });
    let tries = 0;
    let timer;
    const settle = (key) => {
      clearTimeout(timer);
      result[key]++;
      socket.close(resolve);
    };
    const send = () => {
      if (tries++ === 5) return settle('lost');
      timer = setTimeout(send, 1_000);
      socket.send('x', Number(port), host, () => undefined);
    };
    socket.once('message', () => settle('answered'));
    socket.on('error', () => undefined);
    send();
  });
}

async function loop() {
  while (next < Number(clients)) {
    next++;
    await ask();
  }
}

await Promise.all(Array.from({ length: 500 }, loop));
process.stdout.write(`${JSON.stringify(result)}\n`);
