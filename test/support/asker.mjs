// Connects COUNT times, one after the other, and prints as JSON what each was greeted with, or "refused":
//   node asker.mjs HOST PORT COUNT [keep]
// With "keep" every connection stays open until all have been made.
import { connect } from 'node:net';

const [host, port, count, keep] = process.argv.slice(2);
const open = [];

const ask = () =>
  new Promise((resolve) => {
    const socket = connect(Number(port), host);
    let text = '';
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
