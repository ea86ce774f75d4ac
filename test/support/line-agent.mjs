/** An agent for agent checks, which says what is in a file: node line-agent.mjs FILE HOST PORT... */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const [file, host, ...ports] = process.argv.slice(2);
for (const port of ports) {
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(readFileSync(file));
  }).listen({ host, port: Number(port) });
}
