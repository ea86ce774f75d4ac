// One end of many idle connections, in a process of its own because of its own file descriptors.
//   idle-peer.mjs serve HOST PORT          accepts and says nothing
//   idle-peer.mjs hold HOST PORT COUNT     opens COUNT connections; "more" on stdin tries one more
// Answers are JSON lines on stdout.
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [role, host, port, count] = process.argv.slice(2);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

function serve() {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  server.listen({ host, port: Number(port), backlog: 16_384 }, () => say({ ready: true }));
}

/** Resolves when connected; `lost` is called if the connection ends later. */
function open(lost) {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    socket.once('connect', () => resolve(true));
    socket.on('error', (error) => {
      lost(error.code);
      resolve(false);
    });
    socket.on('end', () => lost('end'));
    socket.resume();
  });
}

async function hold() {
  let lost = 0;
  for (let opened = 0; opened < Number(count); opened += 100) {
    const batch = Math.min(100, Number(count) - opened);
    await Promise.all(Array.from({ length: batch }, () => open(() => lost++)));
  }
  say({ held: Number(count) - lost });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'more') await open((how) => say({ refused: how, lost }));
  }
}

if (role === 'serve') serve();
else await hold();
