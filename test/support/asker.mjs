// Connects COUNT times, one after the other, and prints as JSON what each was greeted with, or "refused":
//   node asker.mjs HOST PORT COUNT [keep] [SERVER-NAME]
// With "keep" every connection stays open until all have been made; with a name each begins with a TLS greeting.
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as secure } from 'node:tls';

const [host, port, count, ...rest] = process.argv.slice(2);
const keep = rest.find((word) => word === 'keep');
const serverName = rest.find((word) => word !== 'keep');
const open = [];

/** A ClientHello as TLS writes it. */
const hello = (servername) =>
  new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    secure({ socket, servername }).on('error', () => undefined);
  });

const greeting = serverName === undefined ? '' : await hello(serverName);

const ask = () =>
  new Promise((resolve) => {
    const socket = connect(Number(port), host);
    let text = '';
    if (greeting !== '') socket.write(greeting);
    const done = (answer) => {
      if (keep === undefined) socket.destroy();
      else open.push(socket);
      resolve(answer);
    };
    socket.setTimeout(5_000, () => done('silence'));
    socket.on('error', () => done('refused'));
    socket.on('close', () => done('refused'));
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) done(text.trimEnd());
    });
  });

const answers = [];
for (let index = 0; index < Number(count); index++) answers.push(await ask());
for (const socket of open) socket.destroy();
process.stdout.write(JSON.stringify(answers));
