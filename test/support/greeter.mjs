// Greets every client with its name and the PROXY header that it got, and keeps the connection:
//   node greeter.mjs PORT NAME
import { createServer } from 'node:net';

const [port, name] = process.argv.slice(2);

createServer((socket) => {
  let head = '';
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  socket.setEncoding('latin1').on('data', (text) => {
    if (head.includes('\r\n')) return;
    head += text;
    if (head.includes('\r\n')) socket.write(`${name} ${head.slice(0, head.indexOf('\r\n'))}\n`);
  });
}).listen(Number(port), '0.0.0.0', () => process.stdout.write('ready\n'));
