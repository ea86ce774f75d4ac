import { z } from 'zod';
import {
  backendStatus,
  commandResult,
  diffResult,
  drillReport,
  eventLine,
  failoverCommandRequest,
  failoverHistory,
  reloadResult,
  setStateRequest,
  setWeightRequest,
  status,
  streamHello,
  streamStatus,
} from './contract.ts';

/**
 * Every request of the admin API, once: the server dispatches by this table, the client takes paths and schemas from it,
 * and the OpenAPI document and docs/admin-api.md are made of it.
 */

export type Answer =
  | { readonly type: 'json'; readonly schema: z.ZodType }
  /** One JSON value a line (application/x-ndjson). */
  | { readonly type: 'lines'; readonly schema: z.ZodType }
  /** Server-sent events, by the name of the message; the data of each is JSON. */
  | { readonly type: 'messages'; readonly messages: Readonly<Record<string, z.ZodType>> }
  | { readonly type: 'text'; readonly contentType: string };

export interface RouteSpec {
  /** GET reads; POST changes something, and needs the token over HTTP. */
  readonly method: 'GET' | 'POST';
  /** As OpenAPI writes it: "{service}" is one segment, percent-encoded. */
  readonly path: string;
  readonly summary: string;
  /** More for the reader of the document, in Markdown. */
  readonly details?: string;
  /** Of the braces in `path`. */
  readonly params?: z.ZodObject;
  /** Left out: whatever follows a question mark is ignored, as a scraper may send it. */
  readonly query?: z.ZodObject;
  /** Left out: a body is ignored. */
  readonly body?: z.ZodType;
  readonly answer: Answer;
  /** An answer with another status than 200 that is not an error of the contract. */
  readonly alsoAnswers?: Readonly<Record<number, string>>;
  /** Waits for a peer, a drain or a new agent: up to a minute. */
  readonly slow?: true;
  /** Reading it needs the token over HTTP, too: it tells what the status does not. */
  readonly guarded?: true;
  /** Also on [metrics] listen, for everybody. */
  readonly public?: true;
  /** The commands of `tandem` that send it. */
  readonly commands: readonly string[];
}

const json = <S extends z.ZodType>(schema: S) => ({ type: 'json', schema }) as const;

/** The number of an event, as it stands in a URL. */
const eventNumber = z.preprocess(
  (raw) => (typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw),
  z.number('not the number of an event').int().min(0).max(999_999_999_999_999),
);

const backendParams = z.strictObject({
  service: z.string().describe('The name of a service.'),
  backend: z.string().describe('The id of one of its backends.'),
});

export const ROUTES = {
  status: {
    method: 'GET',
    path: '/v1/status',
    summary: 'The whole node: workers, services with their backends, limits, failover',
    answer: json(status),
    commands: [
      'status',
      'top',
      'backends',
      'drain',
      'ready',
      'maintenance',
      'weight',
      'backends drain',
      'backends ready',
      'backends maintenance',
      'backends weight',
      'failover',
      'failover status',
      'failover explain',
      'failover handover',
      'failover drill',
      'doctor',
      'version',
      'upgrade',
    ],
  },
  events: {
    method: 'GET',
    path: '/v1/events',
    summary: 'What has happened, oldest first',
    details:
      'The last events are kept. One JSON object a line, each an `Event`. A client that reads too slowly misses some, which shows as a gap in `seq`; at most 16 clients follow at once.',
    query: z.strictObject({
      after: eventNumber.optional().describe('Only events after this number; 0 when left out.'),
      follow: z.enum(['0', '1']).optional().describe('1: go on with new ones as they happen.'),
    }),
    answer: { type: 'lines', schema: eventLine },
    commands: ['events', 'top', 'failover handover'],
  },
  stream: {
    method: 'GET',
    path: '/v1/stream',
    summary: 'Status and events as they change, as server-sent events',
    details:
      'Messages, their data in JSON: `hello` (`StreamHello`) first; `status` (`StreamStatus`) about once a second; `event` (`Event`) as it happens, with an id that `Last-Event-ID` resumes after. A client that does not read for five seconds is dropped; at most 16 at once.',
    answer: {
      type: 'messages',
      messages: { hello: streamHello, status: streamStatus, event: eventLine },
    },
    commands: [],
  },
  setBackendState: {
    method: 'POST',
    path: '/v1/services/{service}/backends/{backend}/state',
    summary: "Set the operator's word on a backend: ready, draining or maintenance",
    details:
      'The last word counts, and with it whether it is kept (`persist`). Draining gives it no new clients and lets those finish that it has; maintenance moves UDP sessions away, and with `on_down = "close"` cuts connections.',
    params: backendParams,
    body: setStateRequest,
    answer: json(backendStatus),
    commands: [
      'drain',
      'ready',
      'maintenance',
      'backends drain',
      'backends ready',
      'backends maintenance',
      'top',
    ],
  },
  setBackendWeight: {
    method: 'POST',
    path: '/v1/services/{service}/backends/{backend}/weight',
    summary: 'Set the weight of a backend, 0 to 256',
    params: backendParams,
    body: setWeightRequest,
    answer: json(backendStatus),
    commands: ['weight', 'backends weight', 'top'],
  },
  reload: {
    method: 'POST',
    path: '/v1/reload',
    summary: 'Read the configuration again and apply what differs',
    details: 'A file with an error changes nothing: 422 `config-invalid`, with place and line in `message`.',
    answer: json(reloadResult),
    slow: true,
    commands: ['reload'],
  },
  diff: {
    method: 'GET',
    path: '/v1/diff',
    summary: 'What was set at run time, and what the file on disk has otherwise than what runs',
    details:
      'It shows what is written in the file, which users of the host may not be allowed to read: over HTTP it needs the token.',
    answer: json(diffResult),
    guarded: true,
    commands: ['diff'],
  },
  failoverHistory: {
    method: 'GET',
    path: '/v1/failover/history',
    summary: 'The last transitions of every virtual router and the last drills, oldest first',
    query: z.strictObject({
      group: z.string().optional().describe('One failover group alone.'),
    }),
    answer: json(failoverHistory),
    commands: ['failover history', 'failover explain', 'failover record'],
  },
  failoverCommand: {
    method: 'POST',
    path: '/v1/failover/command',
    summary: 'Hand over, take over, ask the peer, or kill for a drill',
    details: 'What could not be done is answered with `ok` false and the reason, not with an error.',
    body: failoverCommandRequest,
    answer: json(commandResult),
    slow: true,
    commands: ['failover handover', 'failover takeover', 'failover drill', 'top', 'upgrade'],
  },
  drillDone: {
    method: 'POST',
    path: '/v1/failover/drill',
    summary: 'Keep what a drill has measured, for the history and the metrics',
    body: drillReport,
    answer: json(commandResult),
    commands: ['failover drill'],
  },
  restartAgent: {
    method: 'POST',
    path: '/v1/failover/restart-agent',
    summary: 'Replace the failover agent; the role stays',
    answer: json(commandResult),
    slow: true,
    commands: ['failover restart-agent'],
  },
  openApi: {
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This document',
    answer: json(z.looseObject({ openapi: z.string() })),
    commands: [],
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    answer: { type: 'text', contentType: 'text/plain; version=0.0.4; charset=utf-8' },
    public: true,
    commands: [],
  },
  healthz: {
    method: 'GET',
    path: '/healthz',
    summary: 'Can the node do its job?',
    answer: { type: 'text', contentType: 'text/plain; charset=utf-8' },
    alsoAnswers: { 503: 'It cannot: one reason a line.' },
    public: true,
    commands: [],
  },
} as const satisfies Readonly<Record<string, RouteSpec>>;

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
/** The routes that answer with one JSON value. */
export type JsonRouteName = {
  [Name in RouteName]: Routes[Name]['answer']['type'] extends 'json' ? Name : never;
}[RouteName];

type Parsed<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;
type Part<Spec, Key extends string> = Spec extends { readonly [K in Key]: infer Schema }
  ? Parsed<Schema>
  : undefined;

/** What a request says, checked. */
export interface Input<Name extends RouteName> {
  readonly params: Part<Routes[Name], 'params'>;
  readonly query: Part<Routes[Name], 'query'>;
  readonly body: Part<Routes[Name], 'body'>;
}

/** What a JSON route answers. */
export type Output<Name extends JsonRouteName> = Routes[Name]['answer'] extends {
  readonly schema: infer Schema;
}
  ? Parsed<Schema>
  : never;

/** The path of a request, its parameters filled in and encoded. @throws RangeError when one is missing */
export function pathOf(spec: RouteSpec, params: Readonly<Record<string, string>> = {}): string {
  return spec.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new RangeError(`${spec.path}: no ${name}`);
    return encodeURIComponent(value);
  });
}

/**
 * The route of a path and its parameters, still encoded; undefined when there is none. Fixed paths come before those
 * with parameters.
 */
export function findRoute(
  pathname: string,
): { readonly name: RouteName; readonly params: Record<string, string> } | undefined {
  for (const { name, pattern } of PATTERNS) {
    const match = pattern.exec(pathname);
    if (match !== null) return { name, params: { ...match.groups } };
  }
  return undefined;
}

export const routeEntries = (): [RouteName, RouteSpec][] =>
  Object.entries(ROUTES) as [RouteName, RouteSpec][];

const PATTERNS = routeEntries()
  .map(([name, { path }]) => ({
    name,
    fixed: !path.includes('{'),
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }))
  .sort((a, b) => Number(b.fixed) - Number(a.fixed));
