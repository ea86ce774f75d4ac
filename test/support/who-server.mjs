// Answers everybody with the address that it sees, over TCP and UDP, IPv4 and IPv6: node who-server.mjs PORT
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);
const plain = (address) => address.replace(/^::ffff:/, '');

createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end(plain(socket.remoteAddress ?? 'gone'));
}).listen(port, '::');

const udp = createSocket('udp6');
udp.on('message', (_, from) => udp.send(plain(from.address), from.port, from.address));
udp.bind(port, '::', () => process.stdout.write('ready\n'));
