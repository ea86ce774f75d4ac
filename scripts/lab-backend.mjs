/**
 * A backend of the lab that says its name: HTTP on TCP, and an echo on UDP ("<name> <datagram>"), both
 * on one port, IPv4 and IPv6.
 *
 *   node scripts/lab-backend.mjs NAME PORT
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [name = 'backend', port = '8080'] = process.argv.slice(2);

const http = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(request.url === '/health' ? 'ok\n' : `${name}\n`);
});
http.listen({ port: Number(port), host: '::', ipv6Only: false });

const udp = createSocket({ type: 'udp6', ipv6Only: false });
udp.on('message', (message, from) => {
  udp.send(`${name} ${message.toString('latin1')}`, from.port, from.address, () => {
    // the client may have gone: an echo that cannot be delivered is not this program's problem
  });
});
udp.bind({ port: Number(port), address: '::' });
