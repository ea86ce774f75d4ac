// TCP and UDP echo on one port, IPv4 and IPv6: node echo-server.mjs PORT
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);
createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}).listen({ port, host: '::', backlog: 1024 });
const udp = createSocket('udp6');
udp.on('message', (message, from) => udp.send(message, from.port, from.address));
udp.bind(port, '::', () => process.stdout.write('ready\n'));
