import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Timeline } from '../observability/timeline.ts';
import type { Access, AdminBackend } from './contract.ts';
import { EventStream } from './event-stream.ts';
import { HttpError, readJson, requireValid, sendJson, sendText } from './http.ts';
import { openApiDocument } from './openapi.ts';
import {
  findRoute,
  type Input,
  type JsonRouteName,
  type Output,
  ROUTES,
  type RouteName,
  type RouteSpec,
} from './route-table.ts';
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
  /** Needs the token over HTTP although it changes nothing. */
  readonly guarded?: boolean;
}

/** What answers a path; undefined when nothing does. */
export type Router = (url: URL) => Route | undefined;

/** How each route of the table is answered: with a value, or by writing to the response. */
type Handlers<Names extends RouteName = RouteName> = {
  readonly [Name in Names]: Name extends JsonRouteName
    ? (input: Input<Name>) => Output<Name> | Promise<Output<Name>>
    : (input: Input<Name>, exchange: Exchange) => Promise<void> | void;
};

/** The routes of the table, the same on the socket and over HTTP, and the streams that they have open. */
export class AdminApi {
  readonly route: Router;
  readonly #followers = new Set<EventStream>();
  readonly #streams: StatusStreams;

  constructor(backend: AdminBackend, timeline: Timeline) {
    this.#streams = new StatusStreams({ status: () => backend.status(), timeline });
    const handlers = { ...jsonHandlers(backend), ...publicHandlers(backend), ...this.#streaming(timeline) };
    this.route = routerOf(handlers);
  }

  /** Ends every stream; idempotent. */
  close(): void {
    for (const follower of this.#followers) follower.close();
    this.#streams.close();
  }

  #streaming(timeline: Timeline): Handlers<'events' | 'stream'> {
    return {
      events: ({ query }, { response }) => this.#follow(timeline, query, response),
      stream: (_, exchange) => this.#streams.open(exchange),
    };
  }

  #follow(
    timeline: Timeline,
    { after = 0, follow = '0' }: Input<'events'>['query'],
    response: ServerResponse,
  ): void {
    const followers = this.#followers;
    if (follow === '1' && followers.size >= MAX_FOLLOWERS) {
      throw new HttpError(503, 'too-many-followers', `${MAX_FOLLOWERS} clients follow the events already`);
    }
    const stream = new EventStream(timeline, response, {
      after,
      follow: follow === '1',
      onClose: () => followers.delete(stream),
    });
    followers.add(stream);
  }
}

/** What the metrics listener answers as well: the routes that are public. */
export const publicRouter = (backend: Pick<AdminBackend, 'metrics' | 'healthy'>): Router =>
  routerOf(publicHandlers(backend));

function publicHandlers(backend: Pick<AdminBackend, 'metrics' | 'healthy'>): Handlers<'metrics' | 'healthz'> {
  return {
    metrics: async (_, { response }) =>
      sendText(response, 200, await backend.metrics(), ROUTES.metrics.answer.contentType),
    healthz: (_, { response }) => {
      const { healthy, reasons } = backend.healthy();
      const text = healthy ? 'ok\n' : `${reasons.join('\n')}\n`;
      sendText(response, healthy ? 200 : 503, text, ROUTES.healthz.answer.contentType);
    },
  };
}

function jsonHandlers(backend: AdminBackend): Handlers<JsonRouteName> {
  return {
    status: () => backend.status(),
    setBackendState: ({ params, body }) => backend.setState(params.service, params.backend, body),
    setBackendWeight: ({ params, body }) => backend.setWeight(params.service, params.backend, body),
    reload: () => backend.reload(),
    diff: () => backend.diff(),
    failoverHistory: ({ query }) => backend.failoverHistory(query.group ?? null),
    failoverCommand: ({ body }) => backend.failoverCommand(body),
    drillDone: ({ body }) => backend.drillDone(body),
    restartAgent: () => backend.restartAgent(),
    openApi: () => openApiDocument(),
  };
}

function routerOf<Names extends RouteName>(handlers: Handlers<Names>): Router {
  // the table's types say which input goes with which handler; here they have become strings
  const known: Readonly<Record<string, unknown>> = handlers;
  return (url) => {
    const found = findRoute(url.pathname);
    const handler = found === undefined ? undefined : known[found.name];
    if (found === undefined || !isHandler(handler)) return undefined;
    const spec: RouteSpec = ROUTES[found.name];
    const params = decoded(found.params);
    const { method, guarded = false } = spec;
    return { method, guarded, handle: (exchange) => answer(spec, handler, params, exchange) };
  };
}

type AnyHandler = (input: unknown, exchange: Exchange) => unknown;
const isHandler = (value: unknown): value is AnyHandler => typeof value === 'function';

async function answer(
  spec: RouteSpec,
  handler: AnyHandler,
  params: Readonly<Record<string, string>>,
  exchange: Exchange,
): Promise<void> {
  const { request, response, url } = exchange;
  const input = {
    params: spec.params && requireValid(params, spec.params),
    query: spec.query && requireValid(queryOf(url), spec.query),
    body: spec.body && (await readJson(request, spec.body, MAX_BODY)),
  };
  const value = await handler(input, exchange);
  if (spec.answer.type === 'json') sendJson(response, 200, value);
}

/** @throws HttpError for a broken percent-encoding */
function decoded(segments: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(segments).map(([name, text]) => [name, decodeSegment(text)]));
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, 'bad-target', 'the request target has a broken percent-encoding');
  }
}

/** @throws HttpError for a parameter that is there twice */
function queryOf({ searchParams }: URL): Record<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of searchParams) {
    if (query.has(name)) throw new HttpError(400, 'bad-request', `${name}: it is there twice`);
    query.set(name, value);
  }
  return Object.fromEntries(query);
}
