import { createServer, type Server } from 'node:http';
import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { AdminBackend } from './contract.ts';
import { closable, dispatcher, HTTP_OPTIONS, MAX_CONNECTIONS, type Report } from './dispatch.ts';
import { type AdminApi, publicRouter, type Router } from './routes.ts';
import { bindUnixSocket } from './unix-socket.ts';

/** A running server; `close` ends every connection within a grace and is idempotent. */
export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Opens the admin API of contract.ts on a unix socket. `report` hears of errors that are the daemon's own.
 * @throws TandemError when the socket cannot be opened or another daemon answers on it.
 */
export async function startAdminServer(options: {
  socket: string;
  group: string | null;
  api: Pick<AdminApi, 'route' | 'close'>;
  report: Report;
}): Promise<AdminServer> {
  const { api } = options;
  // who may open the socket may do everything
  const server = httpServer(api.route, options.report);
  const removeName = await bindUnixSocket(server, options.socket, options.group);
  return closable(server, async () => {
    api.close();
    await removeName();
  });
}

/**
 * Opens `/metrics` and `/healthz` on a TCP address, for scrapers on other hosts; nothing there changes
 * anything. @throws TandemError when the address cannot be bound.
 */
export async function startMetricsServer(options: {
  listen: Endpoint;
  backend: Pick<AdminBackend, 'metrics' | 'healthy'>;
  report: Report;
}): Promise<AdminServer> {
  const { listen, backend } = options;
  const server = httpServer(publicRouter(backend), options.report);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(metricsListenError(error, listen)));
    server.listen({ host: listen.address.text, port: listen.port, ipv6Only: true }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', options.report);
  return closable(server, async () => undefined);
}

function metricsListenError(error: Error, listen: Endpoint): TandemError {
  const denied = errnoOf(error) === 'EACCES';
  return new TandemError(
    'metrics-listen',
    `cannot listen for metrics on ${formatEndpoint(listen)}: ${messageOf(error)}`,
    {
      hint: denied ? 'ports below 1024 need CAP_NET_BIND_SERVICE' : 'change [metrics] listen',
      exitStatus: denied ? EXIT.noPermission : EXIT.osError,
      cause: error,
    },
  );
}

function httpServer(route: Router, report: Report): Server {
  const answer = dispatcher({ route, admit: () => 'open', report });
  const server = createServer(HTTP_OPTIONS, answer);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
