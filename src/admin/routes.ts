import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Timeline } from '../observability/timeline.ts';
import {
  type Access,
  type AdminBackend,
  drillReport,
  failoverCommandRequest,
  setStateRequest,
  setWeightRequest,
} from './contract.ts';
import { EventStream } from './event-stream.ts';
import { HttpError, readJson, sendJson, sendText } from './http.ts';
import { StatusStreams } from './status-stream.ts';

const MAX_BODY = 16 * 1_024;
const MAX_FOLLOWERS = 16;

/** A request on its way through the routes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly access: Access;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly handle: (exchange: Exchange) => Promise<void> | void;
  /** The same for everybody and no secret: the files of the status page. */
  readonly open?: boolean;
}

/** What answers a path; undefined when nothing does. */
export type Router = (url: URL) => Route | undefined;

/** The routes of contract.ts, the same on the socket and over HTTP, and the streams that they have open. */
export class AdminApi {
  readonly route: Router;
  readonly #followers = new Set<EventStream>();
  readonly #streams: StatusStreams;

  constructor(backend: AdminBackend, timeline: Timeline) {
    this.#streams = new StatusStreams({ status: () => backend.status(), timeline });
    this.route = adminRoutes(backend, timeline, this.#followers, this.#streams);
  }

  /** Ends every stream; idempotent. */
  close(): void {
    for (const follower of this.#followers) follower.close();
    this.#streams.close();
  }
}

/** What the metrics listener answers as well. */
export function publicRoute(
  backend: Pick<AdminBackend, 'metrics' | 'healthy'>,
  path: string,
): Route | undefined {
  switch (path) {
    case '/metrics':
      return get(async ({ response }) => {
        sendText(response, 200, await backend.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
      });
    case '/healthz':
      return get(({ response }) => {
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
  streams: StatusStreams,
): Router {
  const fixed: Readonly<Record<string, Route>> = {
    '/v1/status': get(({ response }) => sendJson(response, 200, backend.status())),
    '/v1/events': get(({ response, url }) => streamEvents(timeline, followers, response, url)),
    '/v1/stream': get((exchange) => streams.open(exchange)),
    '/v1/reload': post(async ({ response }) => sendJson(response, 200, await backend.reload())),
    '/v1/failover/history': get(({ response, url }) =>
      sendJson(response, 200, backend.failoverHistory(url.searchParams.get('group'))),
    ),
    '/v1/failover/command': post(async ({ request, response }) => {
      const command = await readJson(request, failoverCommandRequest, MAX_BODY);
      sendJson(response, 200, await backend.failoverCommand(command));
    }),
    '/v1/failover/drill': post(async ({ request, response }) =>
      sendJson(response, 200, backend.drillDone(await readJson(request, drillReport, MAX_BODY))),
    ),
    '/v1/failover/restart-agent': post(async ({ response }) =>
      sendJson(response, 200, await backend.restartAgent()),
    ),
  };
  return (url) =>
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
    return post(async ({ request, response }) => {
      const body = await readJson(request, setStateRequest, MAX_BODY);
      sendJson(response, 200, backend.setState(service, id, body));
    });
  }
  return post(async ({ request, response }) => {
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

const get = (handle: Route['handle']): Route => ({ method: 'GET', handle });
const post = (handle: Route['handle']): Route => ({ method: 'POST', handle });
