import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../lib/ip.ts';
import type { Timeline } from '../observability/timeline.ts';
import {
  type AdminBackend,
  drillReport,
  failoverCommandRequest,
  setStateRequest,
  setWeightRequest,
} from './contract.ts';
import { EventStream } from './event-stream.ts';
import { HttpError, readJson, sendError, sendJson, sendText } from './http.ts';
import { bindUnixSocket } from './unix-socket.ts';

/** A running server; `close` ends every connection within `CLOSE_GRACE_MS` and is idempotent. */
export interface AdminServer {
  close(): Promise<void>;
}

const MAX_BODY = 16 * 1_024;
const MAX_CONNECTIONS = 64;
const MAX_FOLLOWERS = 16;
const CLOSE_GRACE_MS = 500;
const HTTP_OPTIONS = {
  maxHeaderSize: 8 * 1_024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};

type Report = (error: unknown) => void;
type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void> | void;

/**
 * Opens the admin API of contract.ts on a unix socket. `report` hears of errors that are the daemon's own.
 * @throws TandemError when the socket cannot be opened or another daemon answers on it.
 */
export async function startAdminServer(options: {
  socket: string;
  group: string | null;
  backend: AdminBackend;
  timeline: Timeline;
  report: Report;
}): Promise<AdminServer> {
  const followers = new Set<EventStream>();
  const route = adminRoutes(options.backend, options.timeline, followers);
  const server = httpServer(route, options.report);
  const removeName = await bindUnixSocket(server, options.socket, options.group);
  return closable(server, async () => {
    for (const follower of followers) follower.close();
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
  const server = httpServer((_, url) => publicRoute(backend, url.pathname), options.report);
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

function httpServer(route: (method: string, url: URL) => Route | undefined, report: Report): Server {
  const server = createServer(HTTP_OPTIONS, (request, response) => {
    void answer(route, request, response, report);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly handle: Handler;
}

async function answer(
  route: (method: string, url: URL) => Route | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  report: Report,
): Promise<void> {
  // A client that goes away in the middle of an answer is nobody's error.
  response.on('error', () => response.destroy());
  try {
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
    const url = parseTarget(request.url ?? '/');
    const found = route(method, url);
    if (found === undefined) {
      throw new HttpError(404, 'unknown-route', `there is no ${url.pathname} here`);
    }
    if (found.method !== method) {
      response.setHeader('allow', found.method);
      throw new HttpError(405, 'wrong-method', `${url.pathname} takes ${found.method}`);
    }
    await found.handle(request, response, url);
  } catch (error) {
    // What is left of a refused body is not read: the connection ends with the answer.
    if (!request.complete) response.setHeader('connection', 'close');
    sendError(response, error, report);
  }
}

function parseTarget(target: string): URL {
  // An absolute base, and a leading slash only: "//host/..." would be taken for another host.
  if (!target.startsWith('/') || target.startsWith('//') || !URL.canParse(target, 'http://tandem')) {
    throw new HttpError(400, 'bad-target', 'the request target is not a path');
  }
  return new URL(target, 'http://tandem');
}

function publicRoute(backend: Pick<AdminBackend, 'metrics' | 'healthy'>, path: string): Route | undefined {
  switch (path) {
    case '/metrics':
      return get(async (_request, response) => {
        sendText(response, 200, await backend.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
      });
    case '/healthz':
      return get((_request, response) => {
        const { healthy, reasons } = backend.healthy();
        sendText(response, healthy ? 200 : 503, healthy ? 'ok\n' : `${reasons.join('\n')}\n`);
      });
    default:
      return undefined;
  }
}

function adminRoutes(
  backend: AdminBackend,
  timeline: Timeline,
  followers: Set<EventStream>,
): (method: string, url: URL) => Route | undefined {
  const fixed: Readonly<Record<string, Route>> = {
    '/v1/status': get((_request, response) => sendJson(response, 200, backend.status())),
    '/v1/events': get((_request, response, url) => streamEvents(timeline, followers, response, url)),
    '/v1/reload': post(async (_request, response) => sendJson(response, 200, await backend.reload())),
    '/v1/failover/history': get((_request, response, url) =>
      sendJson(response, 200, backend.failoverHistory(url.searchParams.get('group'))),
    ),
    '/v1/failover/command': post(async (request, response) => {
      const command = await readJson(request, failoverCommandRequest, MAX_BODY);
      sendJson(response, 200, await backend.failoverCommand(command));
    }),
    '/v1/failover/drill': post(async (request, response) =>
      sendJson(response, 200, backend.drillDone(await readJson(request, drillReport, MAX_BODY))),
    ),
    '/v1/failover/restart-agent': post(async (_request, response) =>
      sendJson(response, 200, await backend.restartAgent()),
    ),
  };
  return (_method, url) =>
    (Object.hasOwn(fixed, url.pathname) ? fixed[url.pathname] : undefined) ??
    backendRoute(backend, url.pathname) ??
    publicRoute(backend, url.pathname);
}

/** /v1/services/:service/backends/:backend/(state|weight) */
function backendRoute(backend: AdminBackend, path: string): Route | undefined {
  const match = /^\/v1\/services\/([^/]+)\/backends\/([^/]+)\/(state|weight)$/.exec(path);
  if (match === null) return undefined;
  const service = decodeSegment(match[1] ?? '');
  const id = decodeSegment(match[2] ?? '');
  if (match[3] === 'state') {
    return post(async (request, response) => {
      const body = await readJson(request, setStateRequest, MAX_BODY);
      sendJson(response, 200, backend.setState(service, id, body));
    });
  }
  return post(async (request, response) => {
    const body = await readJson(request, setWeightRequest, MAX_BODY);
    sendJson(response, 200, backend.setWeight(service, id, body));
  });
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, 'bad-target', 'the request target has a broken percent-encoding');
  }
}

function streamEvents(
  timeline: Timeline,
  followers: Set<EventStream>,
  response: ServerResponse,
  url: URL,
): void {
  const after = url.searchParams.get('after') ?? '0';
  if (!/^\d{1,15}$/.test(after)) throw new HttpError(400, 'bad-request', 'after: not the number of an event');
  const follow = url.searchParams.get('follow') === '1';
  if (follow && followers.size >= MAX_FOLLOWERS) {
    throw new HttpError(503, 'too-many-followers', `${MAX_FOLLOWERS} clients follow the events already`);
  }
  const stream = new EventStream(timeline, response, {
    after: Number(after),
    follow,
    onClose: () => followers.delete(stream),
  });
  followers.add(stream);
}

const get = (handle: Handler): Route => ({ method: 'GET', handle });
const post = (handle: Handler): Route => ({ method: 'POST', handle });

function closable(server: Server, before: () => Promise<void>): AdminServer {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await before();
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    server.closeIdleConnections();
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
  };
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}
