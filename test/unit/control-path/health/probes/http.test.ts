import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_BODY } from '../../../../../src/control-path/health/probes/http.ts';
import { httpProbe } from '../../../../support/specs.ts';
import { closedPort, listen, type Opened, probe, selfSigned, tcpServer } from './support.ts';

const opened: Opened[] = [];
const own = async (server: Promise<Opened>): Promise<Opened> => {
  opened.push(await server);
  return server;
};
const serve = (listener: RequestListener, host?: string): Promise<Opened> =>
  own(listen(createServer(listener), host));
/** A server that says this, whatever it is asked, and then does as told with the connection. */
const raw = (text: string, then: (socket: Socket) => void = (s) => s.end()): Promise<Opened> =>
  own(tcpServer((socket) => socket.once('data', () => socket.write(text, () => then(socket)))));
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

describe('the http probe', () => {
  it.each(['127.0.0.1', '::1'])('asks once, on a connection of its own (%s)', async (host) => {
    const requests: { method?: string | undefined; url?: string | undefined; headers: unknown }[] = [];
    const { target } = await serve((request, response) => {
      requests.push({ method: request.method, url: request.url, headers: request.headers });
      response.end('fine');
    }, host);
    expect(await probe(httpProbe({ path: '/health?deep=1' }), target)).toEqual({
      ok: true,
      detail: 'HTTP 200',
      aborted: false,
    });
    expect(requests).toHaveLength(1);
    const name = host === '::1' ? '[::1]' : host;
    expect(requests[0]).toMatchObject({
      method: 'GET',
      url: '/health?deep=1',
      headers: { host: `${name}:${target.port}`, connection: 'close', 'user-agent': 'tandem-health' },
    });
  });

  it('sends the method and the host that are configured', async () => {
    const seen: unknown[] = [];
    const { target } = await serve((request, response) => {
      seen.push(request.method, request.headers.host);
      response.writeHead(204).end();
    });
    const spec = httpProbe({ method: 'HEAD', host: 'app.example.org', expectStatus: [200, 204] });
    expect(await probe(spec, target)).toMatchObject({ ok: true, detail: 'HTTP 204' });
    expect(seen).toEqual(['HEAD', 'app.example.org']);
  });

  it('fails with any other status, and follows no redirect', async () => {
    const { target } = await serve((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
      else response.writeHead(request.url === '/' ? 200 : 503).end();
    });
    const moved = await probe(httpProbe({ path: '/moved' }), target);
    expect(moved).toMatchObject({ ok: false, reason: 'status', detail: 'HTTP 302' });
    expect(await probe(httpProbe({ path: '/x' }), target)).toMatchObject({
      reason: 'status',
      detail: 'HTTP 503',
    });
    expect(await probe(httpProbe({ path: '/x', expectStatus: [503] }), target)).toMatchObject({ ok: true });
  });

  it('looks into the body: an application that says it is broken is broken', async () => {
    const { target } = await serve((_request, response) => {
      response.setHeader('content-type', 'application/json').end('{"status":"degraded","database":"down"}');
    });
    expect(await probe(httpProbe(), target)).toMatchObject({ ok: true });
    expect(await probe(httpProbe({ expectJson: { '/database': 'up' } }), target)).toMatchObject({
      ok: false,
      reason: 'json-mismatch',
      detail: 'JSON /database is "down", wanted "up"',
    });
    expect(
      await probe(httpProbe({ expectBody: 'degraded', expectRegex: '"database":"\\w+"' }), target),
    ).toMatchObject({
      ok: true,
    });
    expect(await probe(httpProbe({ expectRegex: '^ok' }), target)).toMatchObject({ reason: 'body-mismatch' });
    expect(await probe(httpProbe({ expectBody: 'fine' }), target)).toMatchObject({ reason: 'body-mismatch' });
  });

  it('puts a body together that comes in pieces', async () => {
    const { target } = await serve((_request, response) => {
      response.write('all is ');
      setTimeout(() => response.end('well'), 30);
    });
    expect(await probe(httpProbe({ expectBody: 'all is well' }), target)).toMatchObject({ ok: true });
  });
});

describe('hostile and broken servers', () => {
  it('reads 1 MiB of an endless body and no more', async () => {
    const responses: ServerResponse[] = [];
    const { target } = await serve((_request, response) => {
      responses.push(response);
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
      };
      response.on('drain', pour);
      pour();
    });
    expect(await probe(httpProbe({ expectBody: 'not in there' }), target)).toMatchObject({
      ok: false,
      reason: 'body-mismatch',
      aborted: false,
    });
    expect(await probe(httpProbe({ expectJson: { '/a': 1 } }), target)).toMatchObject({
      reason: 'body-too-large',
    });
    expect(await probe(httpProbe({ expectBody: 'xxx' }), target)).toMatchObject({ ok: true });
    await expect.poll(() => responses.every((r) => r.destroyed)).toBe(true);
    expect(MAX_BODY).toBe(1_048_576);
  });

  it('does not read a body that nothing is asked of', async () => {
    const { target } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000000000' });
      response.write('x');
    });
    expect(await probe(httpProbe(), target)).toMatchObject({ ok: true, aborted: false });
  });

  it('is cut off by the time-out when a server hangs or drips, and lets go of its connection', async () => {
    const sockets: Socket[] = [];
    const hanging = await own(tcpServer((socket) => sockets.push(socket.resume())));
    expect(await probe(httpProbe(), hanging.target, 150)).toMatchObject({ ok: false, aborted: true });
    let drops = 0;
    const dripping = await own(
      tcpServer((socket) => {
        sockets.push(socket.resume());
        const tap = setInterval(() => socket.write('HTTP/1.1 200 OK\r\n'.charAt(drops++ % 17)), 10);
        socket.once('close', () => clearInterval(tap));
      }),
    );
    expect(await probe(httpProbe(), dripping.target, 150)).toMatchObject({ ok: false, aborted: true });
    expect(drops).toBeGreaterThan(0);
    const body = await serve((_request, response) => {
      const tap = setInterval(() => response.write('.'), 10);
      response.once('close', () => clearInterval(tap));
    });
    expect(await probe(httpProbe({ expectBody: 'end' }), body.target, 150)).toMatchObject({
      ok: false,
      aborted: true,
    });
    await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  });

  it.each([
    ['text that is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'X-Junk: aaaaaaaaaaaaaaaa\r\n'.repeat(2_000)}`, 'protocol'],
    [
      'two lengths that differ',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'protocol',
    ],
    ['a body that breaks off', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok', 'reset'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'protocol'],
    ['nothing at all', '', 'reset'],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      'status',
    ],
  ])('fails on %s', async (_what, text, reason) => {
    const { target } = await raw(text);
    expect(await probe(httpProbe({ expectBody: 'ok' }), target)).toMatchObject({
      ok: false,
      reason,
      aborted: false,
    });
  });

  it('fails on a reset, before and within the response', async () => {
    const before = await raw('', (socket) => socket.resetAndDestroy());
    expect(await probe(httpProbe(), before.target)).toMatchObject({ ok: false, reason: 'reset' });
    const within = await raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok', (s) =>
      setTimeout(() => s.resetAndDestroy(), 30),
    );
    expect(await probe(httpProbe({ expectBody: 'ok' }), within.target)).toMatchObject({
      ok: false,
      reason: 'reset',
    });
  });

  it('fails where nobody listens', async () => {
    expect(await probe(httpProbe(), await closedPort())).toMatchObject({ ok: false, reason: 'refused' });
  });

  it('takes 100 Continue and early hints for what they are', async () => {
    const { target } = await raw(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    expect(await probe(httpProbe({ expectBody: 'ok' }), target)).toMatchObject({ ok: true });
  });
});

describe('over TLS', () => {
  const options = selfSigned('app.example.org');
  let names: unknown[];

  const serveTls = (): Promise<Opened> => {
    names = [];
    const server = createTlsServer(options, (request, response) => {
      names.push((request.socket as TLSSocket).servername, request.headers.host);
      response.end('secret');
    });
    server.on('tlsClientError', () => undefined);
    return own(listen(server));
  };

  it('does not trust a certificate that the system does not, unless told not to look', async () => {
    const { target } = await serveTls();
    expect(await probe(httpProbe({ tls: true }), target)).toMatchObject({ ok: false, reason: 'tls' });
    expect(names).toEqual([]);
    expect(
      await probe(httpProbe({ tls: true, tlsVerify: false, expectBody: 'secret' }), target),
    ).toMatchObject({
      ok: true,
      detail: 'HTTP 200',
    });
  });

  it('sends the host as SNI and Host, and no SNI for an address', async () => {
    const { target } = await serveTls();
    await probe(httpProbe({ tls: true, tlsVerify: false, host: 'app.example.org:8443' }), target);
    await probe(httpProbe({ tls: true, tlsVerify: false }), target);
    await probe(httpProbe({ tls: true, tlsVerify: false, host: '192.0.2.1' }), target);
    expect(names).toEqual([
      'app.example.org',
      'app.example.org:8443',
      false,
      `127.0.0.1:${target.port}`,
      false,
      '192.0.2.1',
    ]);
  });

  it('fails readably where the other side does not speak TLS', async () => {
    const { target } = await serve((_request, response) => response.end());
    const outcome = await probe(httpProbe({ tls: true, tlsVerify: false }), target);
    expect(outcome).toMatchObject({ ok: false, reason: 'tls' });
    expect(outcome.detail).toMatch(/^[a-z ]+$/i);
    const plain = await serveTls();
    expect(await probe(httpProbe(), plain.target)).toMatchObject({ ok: false });
  });
});
