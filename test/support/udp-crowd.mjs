/**
 * So many UDP clients one after the other, of which at most 500 wait at a time, and one that keeps asking all the while. Each has
 * an address and port that no other one has, 127.1.N.1 and 20000 to 29999, asks with bytes of its own, and asks again after
 * a second without an answer, five times. Prints one JSON line { answered, lost, wrong, asked, bytes }: clients, and what they
 * sent.
 *
 *   node udp-crowd.mjs HOST PORT CLIENTS
 */
import { createSocket } from 'node:dgram';

const [host, port, clients] = process.argv.slice(2);
const PORTS = 10_000;
const result = { answered: 0, lost: 0, wrong: 0, asked: 0, bytes: 0 };
let next = 0;

/** 20 to 119 bytes that are this question's alone. */
function question(client, turn) {
  const bytes = Buffer.alloc(20 + (client % 100), client % 256);
  bytes.writeUInt32BE(client);
  bytes.writeUInt32BE(turn, 4);
  return bytes;
}

function open(client) {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: 'udp4',
      lookup: (address, _options, done) => done(null, address, 4),
    });
    socket.once('error', reject);
    const address = `127.1.${Math.floor(client / PORTS)}.1`;
    socket.bind({ address, port: 20_000 + (client % PORTS), exclusive: true }, () => resolve(socket));
  });
}

function ask(socket, bytes) {
  return new Promise((resolve) => {
    let tries = 0;
    let timer;
    const settle = (key) => {
      clearTimeout(timer);
      socket.off('message', answered);
      resolve(key);
    };
    const send = () => {
      if (tries++ === 5) return settle('lost');
      timer = setTimeout(send, 1_000);
      result.asked++;
      result.bytes += bytes.length;
      socket.send(bytes, Number(port), host, () => undefined);
    };
    const answered = (message) => settle(message.equals(bytes) ? 'answered' : 'wrong');
    socket.on('message', answered);
    send();
  });
}

async function one(client) {
  const socket = await open(client);
  result[await ask(socket, question(client, 0))]++;
  await new Promise((closed) => socket.close(closed));
}

async function loop() {
  while (next < Number(clients) - 1) await one(++next);
}

/** Client 0, whose session is used too often to be the one that makes room. */
async function regular() {
  const socket = await open(0);
  let outcome = 'answered';
  for (let turn = 0; next < Number(clients) - 1; turn++) {
    const key = await ask(socket, question(0, turn));
    if (key !== 'answered') outcome = key;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  result[outcome]++;
  socket.close();
}

await Promise.all([regular(), ...Array.from({ length: 500 }, loop)]);
process.stdout.write(`${JSON.stringify(result)}\n`);
