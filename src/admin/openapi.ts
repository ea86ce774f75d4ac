import { z } from 'zod';
import { VERSION } from '../lib/version.ts';
import * as contract from './contract.ts';
import { type RouteSpec, routeEntries } from './route-table.ts';

/** A document of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0). */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly [key: string]: unknown;
}

type Json = Readonly<Record<string, unknown>>;

/** What `components.schemas` calls the schemas of the contract. */
const NAMED = {
  Status: contract.status,
  ServiceStatus: contract.serviceStatus,
  BackendStatus: contract.backendStatus,
  WorkerStatus: contract.workerStatus,
  LimitStatus: contract.limitStatus,
  RouterStatus: contract.routerStatus,
  TrackStatus: contract.trackStatus,
  DrainStatus: contract.drainStatus,
  Event: contract.eventLine,
  StreamHello: contract.streamHello,
  StreamStatus: contract.streamStatus,
  SetStateRequest: contract.setStateRequest,
  SetWeightRequest: contract.setWeightRequest,
  ReloadResult: contract.reloadResult,
  DiffResult: contract.diffResult,
  RuntimeDifference: contract.runtimeDifference,
  Change: contract.change,
  Persistence: contract.persistence,
  FailoverCommandRequest: contract.failoverCommandRequest,
  CommandResult: contract.commandResult,
  FailoverHistory: contract.failoverHistory,
  DrillReport: contract.drillReport,
  Error: contract.errorBody,
};

const ABOUT = `Everything that the \`tandem\` command can ask of the daemon and tell it.

It is served on the unix socket of \`[admin] socket\`, where whoever may open the socket may do everything, and with
\`[admin] listen\` over HTTP or HTTPS: there GET needs no token on loopback, POST always needs the one of \`token_file\`.

The first segment of a path is the version of the API. Within one version answers, events and lists of values only grow:
ignore what you do not know. Requests are checked strictly; what is not known there is refused.

Errors have a 4xx or 5xx status and an \`Error\` as their body: 400 the request is not understood, 401 and 403 it is not
allowed, 404 there is no such path, service, backend or group, 405 another method, 409 not now, 413 a body above 16 KiB,
422 the configuration or a value is wrong, 429 too many wrong tokens, 500 a fault of the daemon, 503 too many clients or
something is not there.`;

let made: OpenApiDocument | undefined;

/** The admin API as a document, made of the route table and the schemas of the contract. Always the same one. */
export function openApiDocument(): OpenApiDocument {
  made ??= makeDocument();
  return made;
}

function makeDocument(): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tandem admin API',
      version: VERSION,
      description: ABOUT,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The socket of [admin] socket, or the address of [admin] listen.' }],
    paths: Object.fromEntries(
      routeEntries().map(([name, spec]) => [
        spec.path,
        { [spec.method.toLowerCase()]: operation(name, spec) },
      ]),
    ),
    components: {
      schemas: components(),
      responses: {
        Error: {
          description: 'What went wrong, by a stable name and in words.',
          content: { 'application/json': { schema: schemaOf(contract.errorBody) } },
        },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token of [admin] token_file.' },
      },
    },
  };
}

function operation(name: string, spec: RouteSpec): Json {
  const parameters = [...parametersOf('path', spec.params), ...parametersOf('query', spec.query)];
  return {
    operationId: name,
    summary: spec.summary,
    ...(spec.details === undefined ? {} : { description: spec.details }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(spec.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { 'application/json': { schema: schemaOf(spec.body) } } },
        }),
    responses: responsesOf(spec),
    security: securityOf(spec),
  };
}

/** An empty requirement is "or none at all". */
const securityOf = ({ method, guarded }: RouteSpec): Json[] =>
  method === 'GET' && guarded !== true ? [{}, { token: [] }] : [{ token: [] }];

function responsesOf({ answer, alsoAnswers = {} }: RouteSpec): Json {
  const also = Object.entries(alsoAnswers).map(([status, description]) => [
    status,
    { description, content: contentOf(answer) },
  ]);
  return {
    200: { description: ANSWERS[answer.type], content: contentOf(answer) },
    ...Object.fromEntries(also),
    default: { $ref: '#/components/responses/Error' },
  };
}

const ANSWERS = {
  json: 'The answer.',
  lines: 'One JSON value a line.',
  messages: 'Server-sent events; the data of each is JSON.',
  text: 'Text.',
} as const;

function contentOf(answer: RouteSpec['answer']): Json {
  switch (answer.type) {
    case 'json':
      return { 'application/json': { schema: schemaOf(answer.schema) } };
    case 'lines':
      return { 'application/x-ndjson': { schema: { type: 'string' }, 'x-line': schemaOf(answer.schema) } };
    case 'messages': {
      const messages = Object.entries(answer.messages).map(([name, schema]) => [name, schemaOf(schema)]);
      return {
        'text/event-stream': { schema: { type: 'string' }, 'x-messages': Object.fromEntries(messages) },
      };
    }
    case 'text':
      return { [answer.contentType]: { schema: { type: 'string' } } };
  }
}

function parametersOf(place: 'path' | 'query', schema: z.ZodObject | undefined): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, value]) => {
    const { description, ...plain } = schemaOf(value);
    const required = place === 'path' ? { required: true } : {};
    return {
      name,
      in: place,
      ...required,
      ...(description === undefined ? {} : { description }),
      schema: plain,
    };
  });
}

const REGISTRY = z.registry<{ id: string }>();
for (const [id, schema] of Object.entries(NAMED)) REGISTRY.add(schema, { id });

const reference = (id: string): string => `#/components/schemas/${id}`;

/** Objects of answers may get more keys: "input" does not close them; requests are strict by themselves. */
const CONVERSION = { io: 'input', uri: reference } as const;

function components(): Json {
  const { schemas } = z.toJSONSchema(REGISTRY, CONVERSION);
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, plain(schema)]));
}

/** A reference where the contract names the schema, the schema itself elsewhere. */
function schemaOf(schema: z.core.$ZodType): Json {
  const named = REGISTRY.get(schema);
  return named === undefined ? plain(z.toJSONSchema(schema, CONVERSION)) : { $ref: reference(named.id) };
}

/** The document as a whole says which dialect it is in, and where each schema is. */
function plain({ $schema: _dialect, $id: _id, ...rest }: Json): Json {
  return rest;
}

/** docs/admin-api.md's table: method and path, summary, the commands that send it. */
export function routeTable(): string {
  const rows = routeEntries().map(([, { method, path, summary, commands }]) => {
    const names = commands.length === 0 ? '' : commands.map((name) => `\`${name}\``).join(', ');
    return `| \`${method} ${path}\` | ${summary} | ${names} |`;
  });
  return ['| request | what for | sent by `tandem` |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
