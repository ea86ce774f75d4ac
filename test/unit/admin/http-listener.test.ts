import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HttpListener } from '../../../src/admin/http-listener.ts';
import { pageFiles } from '../../../src/admin/page-files.ts';
import { AdminApi } from '../../../src/admin/routes.ts';
import { MAX_STREAMS } from '../../../src/admin/status-stream.ts';
import { EXIT } from '../../../src/lib/errors.ts';
import { parseEndpoint } from '../../../src/lib/ip.ts';
import type { AdminHttpSpec } from '../../../src/model/config.ts';
import { Timeline } from '../../../src/observability/timeline.ts';
import { SseParser } from '../../../src/page/sse-parser.ts';
import { FakeAdmin, statusOf } from '../../support/fake-admin.ts';
import { freePort } from '../../support/free-port.ts';

const PORT = await freePort();
const OTHER_PORT = await freePort();
const TOKEN = 'a-token-for-tests-0123456789abcdef';
const BEARER = { authorization: `Bearer ${TOKEN}` };

let directory: string;
let tokenFile: string;
let tls: { certificate: string; key: string };
let backend: FakeAdmin;
let timeline: Timeline;
let listener: HttpListener;
let api: AdminApi;
let reported: unknown[];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-http-'));
  tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  tls = { certificate: join(directory, 'crt'), key: join(directory, 'key') };
  const subject = ['-subj', '/CN=lb-a', '-addext', 'subjectAltName=DNS:lb-a.example'];
  const files = ['-keyout', tls.key, '-out', tls.certificate];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', [...kind, ...subject, ...files, '-days', '2'], { stdio: 'pipe' });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeEach(() => {
  backend = new FakeAdmin();
  timeline = new Timeline({ wallMillis: Date.now });
  reported = [];
  api = new AdminApi(backend, timeline);
  // the compiled modules of the page are not needed here
  const page = pageFiles(join(import.meta.dirname, '../../../src/page'));
  listener = new HttpListener({
    route: (url) => page(url) ?? api.route(url),
    emit: timeline.emit,
    report: (error) => reported.push(error),
  });
});
afterEach(async () => {
  api.close();
  await listener.close();
  expect(reported).toEqual([]);
});

const spec = (changes: Partial<AdminHttpSpec> = {}, port = PORT): AdminHttpSpec => ({
  listen: parseEndpoint(`127.0.0.1:${port}`)!,
  tokenFile,
  tls: null,
  ...changes,
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Asking = RequestOptions & { body?: string; secure?: boolean; rejectUnauthorized?: boolean };

function send(path: string, asking: Asking, answered: (response: IncomingMessage) => void): Promise<Answer> {
  const { body, secure, ...rest } = asking;
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: PORT, path, agent: false, ...rest };
    const sent = (secure === true ? tlsRequest : request)(options, (response) => {
      answered(response);
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const done = (): void =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      response.once('close', done).once('error', done);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const ask = (path: string, asking: Asking = {}): Promise<Answer> => send(path, asking, () => undefined);
const drain = (headers: Record<string, string>): Promise<Answer> =>
  ask('/v1/services/web/backends/10.0.1.11:8080/state', {
    method: 'POST',
    headers,
    body: '{"state":"draining"}',
  });
const codeOf = ({ status, body }: Answer): string => `${status} ${JSON.parse(body).error.code}`;
const named = (name: string): readonly string[] =>
  timeline
    .after(0)
    .filter((event) => event.name === name)
    .map(({ message }) => message);

describe('the page over HTTP', () => {
  it('comes with a strict policy, is not sent twice, and has no other files', async () => {
    await listener.apply(spec());
    const page = await ask('/');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    const again = await ask('/', { headers: { 'if-none-match': String(page.headers.etag) } });
    expect([again.status, again.body]).toEqual([304, '']);
    expect((await ask('/', { method: 'HEAD' })).body).toBe('');
    for (const path of ['/main.ts', '/../package.json', '/%2e%2e/package.json', '/page/style.css'])
      expect((await ask(path)).status, path).toBe(404);
    expect((await ask('/', { method: 'POST', headers: BEARER })).status).toBe(405);
  });

  it('has the same routes as the socket', async () => {
    await listener.apply(spec());
    expect(JSON.parse((await ask('/v1/status')).body).node).toBe('lb-a');
    expect((await ask('/metrics')).body).toContain('x 1');
    expect((await ask('/healthz')).status).toBe(200);
    expect(JSON.parse((await ask('/v1/failover/history')).body).transitions).toHaveLength(1);
    expect(
      JSON.parse((await ask('/v1/reload', { method: 'POST', headers: BEARER })).body).changes,
    ).toHaveLength(1);
  });
});

describe('what the file says', () => {
  it('is told over HTTP with the token alone', async () => {
    await listener.apply(spec());
    expect(codeOf(await ask('/v1/diff'))).toBe('401 no-token');
    expect(JSON.parse((await ask('/v1/diff', { headers: BEARER })).body).same).toBe(true);
    expect(named('admin.action')).toEqual([]);
  });
});

describe('changes over HTTP', () => {
  beforeEach(() => listener.apply(spec()));

  it('need the token, and are told', async () => {
    expect(codeOf(await drain({}))).toBe('401 no-token');
    const wrong = await drain({ authorization: 'Bearer wrong' });
    expect(codeOf(wrong)).toBe('401 wrong-token');
    expect(wrong.headers['www-authenticate']).toBe('Bearer realm="tandem"');
    expect(backend.calls).toEqual([]);
    expect((await drain(BEARER)).status).toBe(200);
    expect(backend.calls).toHaveLength(1);
    expect(named('admin.denied')).toEqual(['127.0.0.1 over HTTP: wrong-token']);
    expect(named('admin.action')).toEqual([
      '127.0.0.1 over HTTP, with the token: POST /v1/services/web/backends/10.0.1.11:8080/state',
    ]);
  });

  it('are refused to pages of others, with the token too', async () => {
    expect(codeOf(await drain({ ...BEARER, origin: 'http://evil.example' }))).toBe('403 foreign-origin');
    expect(codeOf(await drain({ ...BEARER, host: 'evil.example' }))).toBe('403 foreign-host');
    const preflight = await ask('/v1/reload', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(403);
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(backend.calls).toEqual([]);
  });

  it('wait after many wrong tokens, and the log does not fill', async () => {
    for (let i = 0; i < 5; i++) await drain({ authorization: 'Bearer wrong' });
    const held = await drain(BEARER);
    expect(codeOf(held)).toBe('429 throttled');
    expect(Number(held.headers['retry-after'])).toBeGreaterThan(0);
    expect(backend.calls).toEqual([]);
    expect(named('admin.denied')).toEqual([
      '127.0.0.1 over HTTP: wrong-token',
      '127.0.0.1 over HTTP: throttled',
    ]);
  });

  it('are not possible without a token file', async () => {
    await listener.apply(spec({ tokenFile: null }));
    expect((await ask('/v1/status')).status).toBe(200);
    expect(codeOf(await drain(BEARER))).toBe('403 read-only');
  });
});

/** A stream as a client reads it, until `enough`. */
async function stream(
  enough: (events: readonly string[]) => boolean,
  headers: Record<string, string> = {},
): Promise<{ events: string[]; data: unknown[]; ids: string[] }> {
  const [events, data, ids]: [string[], unknown[], string[]] = [[], [], []];
  const parser = new SseParser();
  await send('/v1/stream', { headers }, (response) => {
    expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    response.on('data', (chunk) => {
      for (const message of parser.push(String(chunk))) {
        events.push(message.event);
        data.push(JSON.parse(message.data));
        ids.push(message.id);
      }
      if (enough(events)) response.destroy();
    });
  });
  return { events, data, ids };
}

const emit = (n: number): void =>
  timeline.emit({ level: 'info', name: 'backend.up', message: `event ${n}`, fields: {} });

describe('the stream', () => {
  beforeEach(() => listener.apply(spec()));

  it('says hello, then the events so far, the status, and what happens', async () => {
    emit(1);
    const later = setTimeout(() => emit(2), 200);
    const { events, data } = await stream((seen) => seen.filter((name) => name === 'status').length >= 2);
    clearTimeout(later);
    expect(events.slice(0, 4)).toEqual(['hello', 'event', 'status', 'event']);
    expect(data[0]).toMatchObject({ access: 'token' });
    expect(data[2]).toMatchObject({ time: expect.any(Number), status: { node: 'lb-a' } });
    const { data: trusted } = await stream((seen) => seen.length >= 1, BEARER);
    expect(trusted[0]).toMatchObject({ access: 'open' });
  });

  it('resumes after the last event that was seen, and sends all of another life', async () => {
    for (let n = 1; n <= 5; n++) emit(n);
    const whole = await stream((seen) => seen.includes('status'));
    expect(whole.events.filter((name) => name === 'event')).toHaveLength(5);
    const third = whole.ids[3] ?? '';
    const rest = await stream((seen) => seen.includes('status'), { 'last-event-id': third });
    expect(rest.data.slice(1, 3)).toMatchObject([{ seq: 4 }, { seq: 5 }]);
    const other = await stream((seen) => seen.includes('status'), { 'last-event-id': 'another-4' });
    expect(other.events.filter((name) => name === 'event')).toHaveLength(5);
  });

  it('computes the status once for all clients', async () => {
    let computed = 0;
    const status = backend.status.bind(backend);
    backend.status = () => {
      computed++;
      return status();
    };
    const long = (seen: readonly string[]): boolean => seen.filter((name) => name === 'status').length >= 3;
    await Promise.all(Array.from({ length: 8 }, () => stream(long)));
    // one for each that joins, and one for each second
    expect(computed).toBeLessThanOrEqual(8 + 4);
  });

  it('is for a bounded number of clients', async () => {
    const clients: Socket[] = [];
    for (let i = 0; i < MAX_STREAMS; i++) clients.push(await openStream());
    expect(codeOf(await ask('/v1/stream'))).toBe('503 too-many-streams');
    clients.pop()?.destroy();
    await expect.poll(async () => (await stream(() => true)).events.length).toBeGreaterThan(0);
    for (const client of clients) client.destroy();
  });

  it('drops a client that does not read what it got, instead of keeping it for it', async () => {
    const [first] = statusOf().services;
    if (first === undefined) throw new Error('unreachable');
    // more than the kernel takes for a client
    const backends = Array.from({ length: 40_000 }, () => first.backends[0]!);
    backend.current = statusOf({ services: [{ ...first, backends }] });
    const size = JSON.stringify(backend.current).length;
    const slow = await openStream();
    slow.pause();
    const begun = slow.bytesRead;
    await new Promise((resolve) => setTimeout(resolve, 6_500));
    expect((await ask('/healthz')).status).toBe(200);
    const closed = new Promise((resolve) => slow.once('close', resolve));
    slow.resume();
    await closed;
    expect(slow.bytesRead).toBeGreaterThan(begun);
    expect(slow.bytesRead).toBeLessThan(size);
  }, 20_000);
});

/** A raw client of the stream that has its headers. */
async function openStream(): Promise<Socket> {
  const client = connect(PORT, '127.0.0.1');
  client.on('error', () => undefined);
  client.write('GET /v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  await new Promise((resolve) => client.once('data', resolve));
  return client;
}

describe('the listener', () => {
  it('ends the streams of a token that is no more, and takes the new one', async () => {
    await listener.apply(spec());
    const other = join(directory, 'other');
    writeFileSync(other, `${TOKEN}-new\n`, { mode: 0o600 });
    const ended = stream(() => false, BEARER);
    await expect.poll(() => ask('/v1/status').then(({ status }) => status)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await listener.apply(spec({ tokenFile: other }));
    expect((await ended).data[0]).toMatchObject({ access: 'open' });
    expect(codeOf(await drain(BEARER))).toBe('401 wrong-token');
    expect((await drain({ authorization: `Bearer ${TOKEN}-new` })).status).toBe(200);
  });

  it('moves to another address only when that can be had', async () => {
    await listener.apply(spec());
    const taken = createServer().listen(OTHER_PORT, '127.0.0.1');
    await once(taken, 'listening');
    await expect(listener.apply(spec({}, OTHER_PORT))).rejects.toMatchObject({
      code: 'admin-listen',
      exitStatus: EXIT.osError,
    });
    expect((await ask('/v1/status')).status).toBe(200);
    await new Promise((resolve) => taken.close(resolve));
    await listener.apply(spec({}, OTHER_PORT));
    expect((await ask('/v1/status', { port: OTHER_PORT })).status).toBe(200);
    await expect(ask('/v1/status')).rejects.toThrow('ECONNREFUSED');
    await listener.apply(null);
    await expect(ask('/v1/status', { port: OTHER_PORT })).rejects.toThrow('ECONNREFUSED');
  });

  it('takes TLS up and off on one address, and speaks no plain HTTP then', async () => {
    await listener.apply(spec());
    await listener.apply(spec({ tls }));
    const secure = { secure: true, rejectUnauthorized: false };
    expect((await ask('/v1/status', secure)).status).toBe(200);
    expect((await ask('/v1/status', { ...secure, headers: { host: 'lb-a.example' } })).status).toBe(200);
    expect(codeOf(await ask('/v1/status', { ...secure, headers: { host: 'lb-b.example' } }))).toBe(
      '403 foreign-host',
    );
    await expect(ask('/v1/status')).rejects.toThrow();
    await listener.apply(spec());
    expect((await ask('/v1/status')).status).toBe(200);
  });

  it('stays as it was when a file cannot be used', async () => {
    await listener.apply(spec());
    const missing = join(directory, 'missing');
    await expect(listener.apply(spec({ tokenFile: missing }))).rejects.toMatchObject({
      code: 'admin-token',
      message: `the token file ${missing} does not exist`,
    });
    const odd = join(directory, 'odd');
    writeFileSync(odd, `two words ${'x'.repeat(32)}\n`, { mode: 0o600 });
    await expect(listener.apply(spec({ tokenFile: odd }))).rejects.toThrow('cannot carry');
    await expect(listener.apply(spec({ tls: { ...tls, key: missing } }))).rejects.toMatchObject({
      code: 'admin-tls',
    });
    expect((await drain(BEARER)).status).toBe(200);
  });
});
