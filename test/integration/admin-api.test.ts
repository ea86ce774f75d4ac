/**
 * Every route of the admin API against a live daemon, one node of the pair (topology: test/support/pair.ts). What it answers is
 * checked with the document that it serves, by ajv: as somebody would who has nothing else.
 */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiDocument } from '../../src/admin/openapi.ts';
import { pathOf, ROUTES, type RouteName, type RouteSpec, routeEntries } from '../../src/admin/route-table.ts';
import { missing } from '../support/netns.ts';
import { answerCheck, schemaAt } from '../support/openapi.ts';
import { createPair, type Pair, pairToml, webService } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing('ip');
const STATUS_MESSAGE = /event: status\ndata: .*\n\n/;
const BACKEND = { service: 'web', backend: 'be-1' };

interface Sent {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  /** For an answer that does not end: read until this is in it. */
  readonly until?: RegExp;
}

/** One request of every route, and a second one where there are several forms of it. In this order. */
const REQUESTS: readonly (readonly [RouteName, Sent])[] = [
  ['openApi', {}],
  ['status', {}],
  ['events', { query: '?after=0' }],
  ['events', { query: '?follow=1', until: /\n/ }],
  ['stream', { until: STATUS_MESSAGE }],
  ['setBackendState', { params: BACKEND, body: { state: 'draining' } }],
  ['setBackendState', { params: BACKEND, body: { state: 'ready', persist: false } }],
  ['setBackendWeight', { params: BACKEND, body: { weight: 7 } }],
  ['setBackendWeight', { params: BACKEND, body: { weight: null } }],
  ['reload', {}],
  ['diff', {}],
  ['failoverCommand', { body: { command: 'inquire', by: 'a test' } }],
  [
    'drillDone',
    {
      body: {
        kind: 'planned',
        passed: true,
        summary: 'no drill, but a test',
        gapMillis: null,
        targetMillis: 500,
        probesSent: 0,
        probesLost: 0,
        connectionsKept: 0,
        connectionsLost: 0,
        activeBefore: 'lb-a',
        activeAfter: 'lb-a',
        by: 'a test',
      },
    },
  ],
  ['restartAgent', {}],
  ['failoverHistory', {}],
  ['failoverHistory', { query: '?group=vrid-51' }],
  ['metrics', {}],
  ['healthz', {}],
];

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

describe.skipIf(unable !== null)('the admin API of a live daemon', () => {
  let pair: Pair;
  let a: Tandem;

  beforeAll(async () => {
    pair = createPair('api');
    a = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', webService()));
    await a.waitState('Active');
  });
  afterAll(() => pair.lab.destroy());

  function ask(method: string, path: string, { body, until }: Sent = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: a.socket, method, path, timeout: 20_000 }, (response) => {
        let text = '';
        const done = (): void =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            body: text,
          });
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (until === undefined || !until.test(text)) return;
          done();
          response.destroy();
        });
        response.once('end', done);
        response.once('error', reject);
      });
      sent.once('timeout', () => sent.destroy(new Error(`${path}: no answer`)));
      sent.once('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  const call = (name: RouteName, sent: Sent): Promise<Answer> => {
    const spec: RouteSpec = ROUTES[name];
    return ask(spec.method, `${pathOf(spec, sent.params)}${sent.query ?? ''}`, sent);
  };

  test('has a request here for every route', () => {
    const tried = new Set(REQUESTS.map(([name]) => name));
    expect(routeEntries().flatMap(([name]) => (tried.has(name) ? [] : [name]))).toEqual([]);
  });

  test.each(REQUESTS)('%s %j answers what the document says', async (name, sent) => {
    const served = JSON.parse((await call('openApi', {})).body);
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
    const { status, type, body } = await call(name, sent);
    const spec: RouteSpec = ROUTES[name];
    // there are no backends here: it says so
    expect(status).toBe(name === 'healthz' ? 503 : 200);
    const operation = `/paths/${spec.path.replaceAll('/', '~1')}/${spec.method.toLowerCase()}`;
    const content = schemaAt(`${operation}/responses/${status}/content`, served) as object;
    expect(Object.keys(content)).toEqual([
      type.replace('text/event-stream; charset=utf-8', 'text/event-stream'),
    ]);
    const check = answerCheck(name, served);
    expect(body).not.toBe('');
    if (spec.answer.type === 'json') expect(check(JSON.parse(body))).toEqual([]);
    else if (spec.answer.type === 'text') expect(check(body)).toEqual([]);
    else if (spec.answer.type === 'lines') {
      const lines = body.split('\n').slice(0, -1);
      expect(lines.flatMap((line) => check(JSON.parse(line)))).toEqual([]);
      expect(lines.length).toBeGreaterThan(0);
    } else
      expect(messagesOf(body).map(([event]) => event)).toEqual(expect.arrayContaining(['hello', 'status']));
  });

  test('the messages of the stream are what the document says', async () => {
    const served = JSON.parse((await call('openApi', {})).body);
    const { body } = await call('stream', { until: STATUS_MESSAGE });
    const schemas = schemaAt(
      '/paths/~1v1~1stream/get/responses/200/content/text~1event-stream/x-messages',
      served,
    );
    const named = schemas as Record<string, { $ref: string }>;
    const messages = messagesOf(body);
    expect(new Set(messages.map(([event]) => event))).toEqual(new Set(['hello', 'status', 'event']));
    for (const [event, data] of messages) {
      const check = answerCheck('stream', served, named[event]?.$ref.slice(1));
      expect(check(data), event).toEqual([]);
    }
  });

  test.each([
    ['GET', '/v2/status', 404, 'unknown-route'],
    ['GET', '/v1/events?after=yesterday', 400, 'bad-request'],
    ['GET', '/v1/events?after=1&after=2', 400, 'bad-request'],
    ['GET', '/v1/events?since=1', 400, 'bad-request'],
    ['GET', '/v1/failover/history?group=none', 404, 'unknown-group'],
    ['DELETE', '/v1/status', 405, 'wrong-method'],
  ])('%s %s is refused: %i %s, in the form of the document', async (method, path, status, code) => {
    const answer = await ask(method, path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body).error.code).toBe(code);
    expect(
      answerCheck('status', { ...openApiDocument() }, '/components/schemas/Error')(JSON.parse(answer.body)),
    ).toEqual([]);
  });

  test.each([
    [{ service: 'no', backend: 'be-1' }, { state: 'ready' }, 404, 'unknown-service'],
    [{ service: 'web', backend: 'no' }, { state: 'ready' }, 404, 'unknown-backend'],
    [BACKEND, { state: 'gone' }, 400, 'bad-request'],
    [BACKEND, { state: 'draining', force: true }, 400, 'bad-request'],
  ])('a state for %j of %j: %i %s, and nothing has changed', async (params, body, status, code) => {
    const before = (await a.status()).services.map(({ backends }) => backends.map(({ admin }) => admin));
    const answer = await call('setBackendState', { params, body });
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([status, code]);
    const after = (await a.status()).services.map(({ backends }) => backends.map(({ admin }) => admin));
    expect(after).toEqual(before);
  });
});

/** Those that are whole. */
function messagesOf(stream: string): [event: string, data: unknown][] {
  return [...stream.matchAll(/^event: (\w+)\n(?:id: .*\n)?data: (.*)\n\n/gm)].map(
    ([, event = '', data = '']) => [event, JSON.parse(data)],
  );
}
