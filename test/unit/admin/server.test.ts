import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminClient } from '../../../src/admin/client.ts';
import { AdminApi } from '../../../src/admin/routes.ts';
import { type AdminServer, startAdminServer, startMetricsServer } from '../../../src/admin/server.ts';
import { EXIT, TandemError } from '../../../src/lib/errors.ts';
import { parseEndpoint } from '../../../src/lib/ip.ts';
import type { EventInput, TandemEvent } from '../../../src/model/event.ts';
import { Timeline } from '../../../src/observability/timeline.ts';
import { FakeAdmin } from '../../support/fake-admin.ts';
import { freePort } from '../../support/free-port.ts';

const run = promisify(execFile);
const B = '10.0.1.11:8080';

let directory: string;
let socket: string;
let backend: FakeAdmin;
let timeline: Timeline;
let reported: unknown[];
let owned: (() => Promise<unknown> | unknown)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-admin-'));
  socket = join(directory, 'admin.sock');
  backend = new FakeAdmin();
  timeline = new Timeline({ capacity: 50, wallMillis: Date.now });
  reported = [];
  owned = [];
});

afterEach(async () => {
  for (const release of owned.reverse()) await release();
  rmSync(directory, { recursive: true, force: true });
});

async function start(options: { group?: string | null; socket?: string } = {}): Promise<AdminServer> {
  const server = await startAdminServer({
    socket: options.socket ?? socket,
    group: options.group ?? null,
    api: new AdminApi(backend, timeline),
    report: (error) => reported.push(error),
  });
  owned.push(() => server.close());
  return server;
}

/** Sends bytes as they are and resolves with all that comes back until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const client = connect(socket, () => client.write(text));
    client.on('data', (chunk) => chunks.push(chunk));
    client.on('error', () => undefined);
    client.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

function post(path: string, body: string, headers = ''): Promise<string> {
  const length = Buffer.byteLength(body);
  return raw(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${length}\r\n${headers}\r\n${body}`,
  );
}

const get = (path: string): Promise<string> =>
  raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);

const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));

async function failure(promise: Promise<unknown>): Promise<TandemError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof TandemError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const event = (n: number, message = `event ${n}`): EventInput => ({
  level: 'info',
  name: 'backend.up',
  message,
  fields: { n },
});

describe('the admin socket', () => {
  it('is for its owner alone, whatever the umask', async () => {
    const before = process.umask(0);
    owned.push(() => process.umask(before));
    await start();
    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });

  it('is for the group too when one is named', async () => {
    await start({ group: String(process.getgid?.()) });
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect(statSync(socket).gid).toBe(process.getgid?.());
  });

  it('refuses a group that does not exist', async () => {
    const error = await failure(start({ group: 'no-such-group' }));
    expect(error).toMatchObject({ code: 'unknown-group', exitStatus: EXIT.usage });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('leaves nothing beside itself, and nothing at all once closed', async () => {
    const server = await start();
    expect(readdirSync(directory)).toEqual(['admin.sock']);
    await server.close();
    await server.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('makes its directory', async () => {
    await start({ socket: join(directory, 'a', 'b.sock') });
    expect(existsSync(join(directory, 'a', 'b.sock'))).toBe(true);
  });

  it('refuses a second daemon, and the first one is not disturbed', async () => {
    await start();
    const error = await failure(start());
    expect(error.code).toBe('already-running');
    expect(error.message).toContain(`pid ${process.pid}`);
    expect(error.exitStatus).toBe(EXIT.osError);
    expect(readdirSync(directory)).toEqual(['admin.sock']);
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
  });

  it('refuses a second daemon when the first one hangs', async () => {
    await impostor((peer) => peer.resume());
    expect(await failure(start())).toMatchObject({ code: 'already-running' });
  });

  it('lets one of many win that start at once over a stale socket', async () => {
    await leaveStale(socket);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => start()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
  });

  it('takes the place of one that a killed daemon left', async () => {
    await leaveStale(socket);
    expect(await failure(new AdminClient(socket).status())).toMatchObject({ code: 'unreachable' });
    await start();
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
    expect(readdirSync(directory)).toEqual(['admin.sock']);
  });

  it('does not overwrite what is not a socket', async () => {
    writeFileSync(socket, 'precious');
    expect(await failure(start())).toMatchObject({ code: 'not-a-socket' });
    expect(readdirSync(directory)).toEqual(['admin.sock']);
  });

  it('tells when the path is too long for a socket', async () => {
    const error = await failure(start({ socket: join(directory, `${'x'.repeat(120)}.sock`) }));
    expect(error).toMatchObject({ code: 'socket-path-too-long', exitStatus: EXIT.usage });
  });

  it('does not remove the socket of a successor', async () => {
    const server = await start();
    rmSync(socket);
    await start();
    await server.close();
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
  });
});

/** Something else than Tandem on the socket. */
async function impostor(talk: (peer: Socket) => void): Promise<void> {
  const peers: Socket[] = [];
  const server = createServer((peer) => {
    peers.push(peer);
    peer.on('error', () => undefined);
    talk(peer);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  owned.push(() => {
    for (const peer of peers) peer.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
}

/** A socket whose process was killed: the file stays, nobody listens. */
async function leaveStale(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(existsSync(path)).toBe(true);
}

describe('the admin API', () => {
  beforeEach(async () => {
    await start();
  });

  it('passes every call to the daemon and its answer back', async () => {
    const client = new AdminClient(socket);
    expect(await client.status()).toEqual(backend.current);
    expect(await client.setState('web', B, { state: 'draining', persist: true })).toMatchObject({
      admin: 'draining',
    });
    expect(await client.setWeight('web', B, { weight: null })).toMatchObject({ weight: 10 });
    expect((await client.reload()).changes).toHaveLength(1);
    expect(await client.failoverCommand({ command: 'handover' })).toEqual({
      ok: true,
      message: 'handover done',
    });
    backend.willing = false;
    expect(await client.failoverCommand({ command: 'takeover', group: 'main' })).toMatchObject({ ok: false });
    expect(await failure(client.failoverCommand({ command: 'takeover', group: 'mian' }))).toMatchObject({
      code: 'unknown-group',
      exitStatus: EXIT.usage,
      hint: 'did you mean "main"? There is: main',
    });
    expect(await client.restartAgent()).toMatchObject({ ok: true });
    expect(backend.calls.slice(0, 2)).toEqual([
      ['setState', ['web', B, { state: 'draining', persist: true }]],
      ['setWeight', ['web', B, { weight: null }]],
    ]);
  });

  it('takes names that need escaping as they are', async () => {
    const client = new AdminClient(socket);
    const odd = '[2001:db8::1]:80/../?%#';
    expect(await failure(client.setWeight('web', odd, { weight: 1 }))).toMatchObject({
      code: 'unknown-backend',
    });
    expect(backend.calls).toEqual([['setWeight', ['web', odd, { weight: 1 }]]]);
  });

  it('hands errors for people through, with hint and exit status', async () => {
    backend.failure = new TandemError('config-invalid', 'line 3 is wrong', {
      hint: 'write it right',
      exitStatus: EXIT.usage,
    });
    expect(await failure(new AdminClient(socket).reload())).toMatchObject({
      code: 'config-invalid',
      message: 'line 3 is wrong',
      hint: 'write it right',
      exitStatus: EXIT.usage,
    });
  });

  it('keeps its own faults to its log', async () => {
    backend.failure = new Error('secret detail');
    const error = await failure(new AdminClient(socket).reload());
    expect(error.code).toBe('internal');
    expect(error.message).not.toContain('secret');
    expect(reported).toEqual([expect.objectContaining({ message: 'secret detail' })]);
  });

  it.each([
    ['no JSON', '{"state":', 400, 'bad-json'],
    ['no body', '', 400, 'bad-json'],
    ['a wrong value', '{"state":"gone"}', 400, 'bad-request'],
    ['an unknown key', '{"state":"ready","force":true}', 400, 'bad-request'],
    ['no object', '[]', 400, 'bad-request'],
    ['too much', `{"state":"${'x'.repeat(20_000)}"}`, 413, 'body-too-large'],
  ])('refuses a body with %s', async (_, body, status, code) => {
    const answer = await post('/v1/services/web/backends/b/state', body);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(bodyOf(answer)).toMatchObject({ error: { code } });
    expect(backend.calls).toEqual([]);
  });

  it.each([-1, 257, 1.5, '5', undefined])('refuses the weight %s', async (weight) => {
    const answer = await post('/v1/services/web/backends/b/weight', JSON.stringify({ weight }));
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(backend.calls).toEqual([]);
  });

  it('refuses a chunked body without end at the limit', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const head = 'POST /v1/failover/command HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(await raw(head + chunk + chunk)).toMatch(/^HTTP\/1.1 413 /);
  });

  it.each([
    ['/v1/nothing', 404],
    ['/v1/services/web/backends/b', 404],
    ['/constructor', 404],
    ['//evil/v1/status', 400],
    ['/v1/services/%zz/backends/b/state', 400],
    ['/v1/reload', 405],
    ['/v1/events?after=x', 400],
    ['/v1/events?after=-1', 400],
  ])('answers GET %s with %i', async (path, status) => {
    const answer = await get(path);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(bodyOf(answer)).toMatchObject({ error: { code: expect.any(String) } });
  });

  it('does not take POST for GET', async () => {
    expect(await post('/v1/status', '')).toMatch(/^HTTP\/1.1 405 [\s\S]*allow: GET/i);
  });

  it('ends a connection that says something else than HTTP', async () => {
    expect(await raw('\u0000\u0001\u0002 junk\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
  });

  it('cuts off a client that does not finish its request', async () => {
    const begun = Date.now();
    await raw('GET /v1/status HTTP/1.1\r\nhost');
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
  });

  it('serves curl', async () => {
    const { stdout } = await run('curl', ['-s', '--unix-socket', socket, 'http://tandem/v1/status']);
    expect(JSON.parse(stdout).node).toBe('lb-a');
  });
});

async function collect(
  events: AsyncIterable<TandemEvent>,
  count = Number.POSITIVE_INFINITY,
): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of events) {
    seqs.push(seq);
    if (seqs.length >= count) break;
  }
  return seqs;
}

describe('events', () => {
  it('are the ones kept, after a number when given', async () => {
    await start();
    for (let n = 1; n <= 60; n++) timeline.emit(event(n));
    const client = new AdminClient(socket);
    expect(await collect(client.events({ after: 0, follow: false }))).toHaveLength(50);
    expect(await collect(client.events({ after: 58, follow: false }))).toEqual([59, 60]);
    expect(await collect(client.events({ after: 60, follow: false }))).toEqual([]);
  });

  it('are followed without a gap, and the daemon forgets a follower that leaves', async () => {
    await start();
    timeline.emit(event(1));
    const controller = new AbortController();
    const followed: number[] = [];
    for await (const { seq } of new AdminClient(socket).events({
      after: 0,
      follow: true,
      signal: controller.signal,
    })) {
      followed.push(seq);
      if (seq === 30) controller.abort();
      else timeline.emit(event(seq + 1));
    }
    expect(followed).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    // All places are free again: the limit on followers counts only those that are there.
    for (let round = 0; round < 40; round++) {
      expect(await collect(new AdminClient(socket).events({ after: 0, follow: true }), 1)).toEqual([1]);
    }
  });

  it('end with an error when the daemon closes', async () => {
    const server = await start();
    timeline.emit(event(1));
    const stream = new AdminClient(socket).events({ after: 0, follow: true });
    expect((await stream.next()).value).toMatchObject({ seq: 1 });
    const rest = failure(stream.next());
    await server.close();
    expect(await rest).toMatchObject({ code: 'connection-lost', exitStatus: EXIT.unavailable });
  });

  it('survive a follower that does not read: bounded, and the loss shows as a gap', async () => {
    await start();
    const slow = await openSlow();
    for (let n = 1; n <= 400; n++) {
      timeline.emit(event(n, 'x'.repeat(10_000)));
      if (n % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await new AdminClient(socket).status()).node).toBe('lb-a');
    const seqs = await readUntil(slow, 400);
    expect(seqs.length).toBeLessThan(400);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(seqs.slice(-50)).toEqual(Array.from({ length: 50 }, (_, i) => 351 + i));
  });

  it('are for a bounded number of followers', async () => {
    await start();
    const clients: Socket[] = [];
    owned.push(() => clients.forEach((client) => void client.destroy()));
    for (let i = 0; i < 16; i++) clients.push(await openSlow());
    expect(await failure(new AdminClient(socket).events({ after: 0, follow: true }).next())).toMatchObject({
      code: 'too-many-followers',
    });
    clients.pop()?.destroy();
    await expect.poll(() => get('/v1/events?after=0')).toMatch(/^HTTP\/1.1 200/);
  });
});

/** A follower that has its headers and reads nothing more. */
async function openSlow(): Promise<Socket> {
  const client = connect(socket);
  client.write('GET /v1/events?follow=1 HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((resolve) => client.once('readable', resolve));
  owned.push(() => client.destroy());
  return client;
}

function readUntil(client: Socket, last: number): Promise<number[]> {
  return new Promise((resolve) => {
    let text = '';
    client.on('data', (chunk) => {
      text += chunk.toString();
      if (!text.includes(`"seq":${last}`)) return;
      resolve([...text.matchAll(/"seq":(\d+)/g)].map((match) => Number(match[1])));
    });
  });
}

const METRICS_PORT = await freePort();

describe('the metrics listener', () => {
  const LISTEN = parseEndpoint(`127.0.0.1:${METRICS_PORT}`)!;
  const url = `http://127.0.0.1:${METRICS_PORT}`;

  async function startMetrics(): Promise<void> {
    const server = await startMetricsServer({ listen: LISTEN, backend, report: (e) => reported.push(e) });
    owned.push(() => server.close());
  }

  it('answers /metrics and /healthz, and nothing that changes or tells more', async () => {
    await startMetrics();
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('x 1\n');
    expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(`${url}/v1/status`)).status).toBe(404);
    expect((await fetch(`${url}/v1/reload`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  it('tells why the node is not healthy', async () => {
    await startMetrics();
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
    backend.health = { healthy: false, reasons: ['service web has no eligible backend'] };
    const answer = await fetch(`${url}/healthz`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toBe('service web has no eligible backend\n');
  });

  it('tells when the address is taken', async () => {
    const other = createServer().listen(METRICS_PORT, '127.0.0.1');
    await once(other, 'listening');
    owned.push(() => new Promise((resolve) => other.close(resolve)));
    expect(await failure(startMetrics())).toMatchObject({ code: 'metrics-listen', exitStatus: EXIT.osError });
  });
});

describe('the client', () => {
  it('tells the causes apart', async () => {
    expect(await failure(new AdminClient(socket).status())).toMatchObject({
      code: 'unreachable',
      exitStatus: EXIT.unavailable,
    });
  });

  it.each([
    ['a file', () => join(directory, 'file'), 'not-a-socket', /file is a file, not a socket$/],
    ['a directory', () => directory, 'not-a-socket', /is a directory, not a socket$/],
    ['a device', () => '/dev/null', 'not-a-socket', /is a device or a pipe, not a socket$/],
    ['below a file', () => join(directory, 'file', 'x'), 'not-a-socket', /file is not a directory$/],
    ['a circle', () => join(directory, 'circle'), 'not-a-socket', /round in circles$/],
    ['too long', () => join(directory, 'a'.repeat(120)), 'not-a-socket', /at most 107 bytes$/],
    [
      'in no directory',
      () => join(directory, 'no', 'x'),
      'unreachable',
      /there is no directory .*no either$/,
    ],
    ['in a directory', () => join(directory, 'x'), 'unreachable', /no such socket$/],
  ])('tells what is there instead of a socket: %s', async (_name, path, code, message) => {
    writeFileSync(join(directory, 'file'), '');
    symlinkSync('circle', join(directory, 'circle'));
    const error = await failure(new AdminClient(path()).status());
    expect(error).toMatchObject({
      code,
      message: expect.stringMatching(message),
      exitStatus: code === 'unreachable' ? EXIT.unavailable : EXIT.usage,
    });
    expect(error.hint).toContain('--socket');
  });

  it.runIf(process.geteuid?.() === 0)('tells when it may not use the socket', async () => {
    await start();
    chmodSync(directory, 0o755);
    process.seteuid?.(65_534);
    owned.push(() => process.seteuid?.(0));
    expect(await failure(new AdminClient(socket).status())).toMatchObject({
      code: 'forbidden-socket',
      exitStatus: EXIT.noPermission,
    });
    expect(await failure(start({ socket: join(directory, 'mine.sock') }))).toMatchObject({
      code: 'admin-socket',
      exitStatus: EXIT.noPermission,
    });
  });

  it.each([
    ['not JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'],
    ['another version', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['an error of no form', 'HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}'],
  ])('does not trust an answer that is %s', async (_, answer) => {
    await impostor((peer) => peer.once('data', () => peer.end(answer)));
    expect(await failure(new AdminClient(socket).status())).toMatchObject({ code: 'bad-answer' });
  });

  it('tells a daemon that goes away in the middle', async () => {
    const half = 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{';
    await impostor((peer) => peer.once('data', () => peer.write(half, () => peer.destroy())));
    expect(await failure(new AdminClient(socket).status())).toMatchObject({
      code: 'connection-lost',
      exitStatus: EXIT.unavailable,
    });
  });
});

describe('the directory of the socket', () => {
  it('is made when only its last step is missing', async () => {
    await start({ socket: join(directory, 'run', 'admin.sock') });
    expect(statSync(join(directory, 'run')).mode & 0o777).toBe(0o755);
  });

  it('is not made up from a wrong path', async () => {
    const error = await failure(start({ socket: join(directory, 'no', 'such', 'admin.sock') }));
    expect(error.code).toBe('admin-socket');
    expect(error.exitStatus).toBe(71);
    expect(existsSync(join(directory, 'no'))).toBe(false);
  });
});
