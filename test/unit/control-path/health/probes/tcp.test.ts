import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { runProbe } from '../../../../../src/control-path/health/probes/index.ts';
import { at, closedPort, listen, type Opened, probe, selfSigned, tcpServer } from './support.ts';

const opened: Opened[] = [];
const serve = async (serveOne: (socket: Socket) => void, host?: string): Promise<Opened> => {
  const server = await tcpServer(serveOne, host);
  opened.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const tcp = { type: 'tcp', tls: null, exchange: [], sendProxy: null } as const;

describe('the tcp probe', () => {
  it.each(['127.0.0.1', '::1'])('passes where a connection comes about, and resets it (%s)', async (host) => {
    const ended: Promise<unknown[]>[] = [];
    const { target } = await serve((socket) => ended.push(once(socket, 'error')), host);
    expect(await probe(tcp, target)).toEqual({ ok: true, detail: 'connected', aborted: false });
    await expect.poll(() => ended.length).toBe(1);
    const [error] = (await ended[0]) ?? [];
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('fails with "refused" where nobody listens', async () => {
    expect(await probe(tcp, await closedPort())).toEqual({
      ok: false,
      reason: 'refused',
      detail: 'connection refused',
      aborted: false,
    });
  });

  it('fails with "unreachable" where no route leads', async () => {
    // the kernel refuses to connect to the broadcast address by itself: nothing leaves this host
    expect(await probe(tcp, at('255.255.255.255', 80))).toMatchObject({ ok: false, reason: 'unreachable' });
  });

  it('waits for a server that is too full to answer, until it is told to stop', async () => {
    const listening =
      'const s = require("net").createServer(); s.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))';
    const child = spawn(process.execPath, ['-e', listening], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const target = at('127.0.0.1', Number(line.toString()));
    child.kill('SIGSTOP');
    // a stopped process still has a backlog: fill it, then the kernel drops what comes
    const fill = Array.from({ length: 4 }, () =>
      connect(target.port, '127.0.0.1').on('error', () => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await probe(tcp, target, 200)).toMatchObject({ ok: false, aborted: true });
    for (const socket of fill) socket.destroy();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('passes where the server accepts and closes at once', async () => {
    const { target } = await serve((socket) => socket.destroy());
    expect(await probe(tcp, target)).toMatchObject({ ok: true });
  });
});

/** Answers each line, or greets first. */
const talker =
  (greeting: string, answers: Readonly<Record<string, string>>, heard: string[] = []) =>
  (socket: Socket): void => {
    socket.write(greeting);
    socket.on('data', (bytes) => {
      heard.push(bytes.toString('latin1'));
      for (const line of bytes.toString('latin1').split('\r\n').slice(0, -1)) {
        const answer = answers[line];
        if (answer === undefined) socket.end();
        else socket.write(answer);
      }
    });
  };

const said = (text: string): Uint8Array => Buffer.from(text);

describe('the tcp probe with an exchange', () => {
  const exchange = [
    { send: null, expect: said('220'), expectRegex: null },
    { send: said('HELO x\r\n'), expect: null, expectRegex: '^250' },
    { send: said('QUIT\r\n'), expect: null, expectRegex: null },
  ];

  it('passes when all is answered, and says the last words before it goes', async () => {
    const heard: string[] = [];
    const { target } = await serve(talker('220 mail\r\n', { 'HELO x': '250 hello\r\n' }, heard));
    expect(await probe({ ...tcp, exchange }, target)).toEqual({
      ok: true,
      detail: 'answered as expected',
      aborted: false,
    });
    await expect.poll(() => heard.join('')).toBe('HELO x\r\nQUIT\r\n');
  });

  it('passes where the backend closes right behind the last answer', async () => {
    const { target } = await serve((socket) => socket.end('220 bye'));
    expect(await probe({ ...tcp, exchange: exchange.slice(0, 1) }, target)).toMatchObject({ ok: true });
  });

  it('sends a PROXY header first', async () => {
    const heard: string[] = [];
    const { target } = await serve(talker('220\r\n', { 'PROXY UNKNOWN': '', 'HELO x': '250\r\n' }, heard));
    expect(await probe({ ...tcp, exchange, sendProxy: 1 }, target)).toMatchObject({ ok: true });
    expect(heard.join('')).toMatch(/^PROXY UNKNOWN\r\nHELO x\r\n/);
  });

  it('fails where the backend hangs up, resets, or says too much', async () => {
    const refusing = await serve(talker('220\r\n', {}));
    expect(await probe({ ...tcp, exchange }, refusing.target)).toMatchObject({
      reason: 'body-mismatch',
      detail: 'closed by the backend; step 2 of 3: 0 bytes came without /^250/',
    });
    const resetting = await serve((socket) => setTimeout(() => socket.resetAndDestroy(), 50));
    expect(await probe({ ...tcp, exchange }, resetting.target)).toMatchObject({ reason: 'reset' });
    const chatty = await serve((socket) => socket.write('x'.repeat(200_000)));
    expect(await probe({ ...tcp, exchange }, chatty.target)).toMatchObject({ reason: 'body-too-large' });
  });

  it('tells how far it got when the time is over', async () => {
    const { target } = await serve(talker('220\r\n', { 'HELO x': '' }));
    const progress: string[] = [];
    const signal = AbortSignal.timeout(200);
    await runProbe({ ...tcp, exchange }, target, signal, (text) => progress.push(text));
    expect(signal.aborted).toBe(true);
    expect(progress.at(-1)).toBe('step 2 of 3: 0 bytes came without /^250/');
  });
});

describe('the tcp probe with TLS', () => {
  const { key, cert } = selfSigned('app.example');
  const names: (string | false)[] = [];
  const tlsServer = async (talk: (socket: Socket) => void): Promise<Opened> => {
    const server = createTlsServer({ key, cert }, (socket) => {
      names.push(socket.servername ?? false);
      socket.on('error', () => undefined);
      talk(socket);
    });
    const listening = await listen(server);
    opened.push(listening);
    return listening;
  };

  it('passes after a handshake, with the name that it asks for', async () => {
    const { target } = await tlsServer(() => undefined);
    const tls = { host: 'app.example', verify: false };
    expect(await probe({ ...tcp, tls }, target)).toMatchObject({ ok: true, detail: 'connected' });
    await expect.poll(() => names.at(-1)).toBe('app.example');
  });

  it('speaks inside of it', async () => {
    const { target } = await tlsServer(talker('', { PING: '+PONG\r\n' }));
    const exchange = [{ send: said('PING\r\n'), expect: said('+PONG'), expectRegex: null }];
    const tls = { host: null, verify: false };
    expect(await probe({ ...tcp, tls, exchange }, target)).toMatchObject({ ok: true });
  });

  it('fails with "tls" for a certificate that nobody vouches for, and where nobody speaks TLS', async () => {
    const { target } = await tlsServer(() => undefined);
    const tls = { host: null, verify: true };
    expect(await probe({ ...tcp, tls }, target)).toMatchObject({
      reason: 'tls',
      detail: expect.stringContaining('self-signed'),
    });
    const plain = await serve((socket) => socket.write('220 mail\r\n'));
    expect(await probe({ ...tcp, tls }, plain.target)).toMatchObject({ reason: 'tls' });
  });

  it('lets go of a backend that never shakes hands', async () => {
    const closed: Promise<unknown>[] = [];
    const { target } = await serve((socket) => closed.push(once(socket.resume(), 'close')));
    expect(await probe({ ...tcp, tls: { host: null, verify: false } }, target, 200)).toMatchObject({
      ok: false,
      aborted: true,
    });
    await closed[0];
  });
});
