import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { at, closedPort, type Opened, probe, tcpServer } from './support.ts';

const opened: Opened[] = [];
const serve = async (serveOne: (socket: Socket) => void, host?: string): Promise<Opened> => {
  const server = await tcpServer(serveOne, host);
  opened.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const tcp = { type: 'tcp', sendProxy: null } as const;

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
