/** A backend that answers each connection's bytes until it is ended: node tcp-echo.mjs HOST PORT... */
import { createServer } from 'node:net';

const [host, ...ports] = process.argv.slice(2);
for (const port of ports) {
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen({ host, port: Number(port), backlog: 4_096 });
}
