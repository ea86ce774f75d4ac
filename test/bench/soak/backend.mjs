// A backend of the soak: echoes TCP with half-close, and UDP, until SIGTERM.
//   node backend.mjs ADDRESS TCP_PORT UDP_PORT
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [address, tcpPort, udpPort] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(tcpPort), address);

const udp = createSocket('udp4');
udp.on('error', () => undefined);
udp.on('message', (message, from) => udp.send(message, from.port, from.address));
udp.bind(Number(udpPort), address);

process.once('SIGTERM', () => process.exit(0));
