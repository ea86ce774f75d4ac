// TCP and UDP on one port, IPv4 and IPv6: node echo-server.mjs PORT
// UDP is echoed. TCP is echoed, too, unless the first bytes say otherwise: "push" is answered by a line every 50 ms,
// also after the client's FIN; "sink" by the number of bytes that came after it, when the client's FIN has come.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);

function push(socket) {
  let n = 0;
  const timer = setInterval(() => socket.write(`line ${n++}\n`), 50);
  socket.on('close', () => clearInterval(timer));
}

function sink(socket, first) {
  let bytes = first;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`${bytes}`));
}

createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (chunk) => {
    const word = chunk.subarray(0, 4).toString('latin1');
    if (word === 'push') push(socket.resume());
    else if (word === 'sink') sink(socket, chunk.length - 4);
    else {
      socket.write(chunk);
      socket.pipe(socket);
    }
  });
}).listen({ port, host: '::', backlog: 1024 });
const udp = createSocket({ type: 'udp6', recvBufferSize: 8_388_608 });
udp.on('message', (message, from) => udp.send(message, from.port, from.address));
udp.bind(port, '::', () => process.stdout.write('ready\n'));
