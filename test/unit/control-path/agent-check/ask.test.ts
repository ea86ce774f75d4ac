import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askAgent } from '../../../../src/control-path/agent-check/ask.ts';
import type { AgentResult } from '../../../../src/control-path/agent-check/state.ts';
import { endpoint } from '../../../support/specs.ts';
import { closedPort } from '../health/probes/support.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** An agent that does this with each connection; how to ask it. */
async function agent(
  serve: (socket: Socket) => void,
): Promise<(send?: string, ms?: number) => Promise<AgentResult>> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return (send, ms = 5_000) => askAgent(endpoint(`127.0.0.1:${port}`), send ?? null, AbortSignal.timeout(ms));
}

const failure = (detail: string | RegExp) => ({
  ok: false,
  detail: typeof detail === 'string' ? detail : expect.stringMatching(detail),
});

describe('askAgent', () => {
  it('reads one line, in pieces as well, and hangs up on an agent that stays', async () => {
    const closed = new Promise<void>((resolve) => {
      void agent((socket) => {
        socket.once('close', resolve);
        socket.write('up 7');
        setTimeout(() => socket.write('5%\r\nmaint\n'), 20);
      }).then(async (ask) => {
        expect(await ask()).toMatchObject({
          ok: true,
          reply: { state: 'up', weightPercent: 75, admin: null },
        });
      });
    });
    await closed;
  });

  it('sends what it is to send, as it stands', async () => {
    const ask = await agent((socket) =>
      socket.once('data', (data) => socket.end(data.toString() === 'web-1\n' ? 'drain\n' : 'fail\n')),
    );
    expect(await ask('web-1\n')).toMatchObject({ ok: true, reply: { admin: 'drain' } });
  });

  it.each<[string, (socket: Socket) => void, string | RegExp]>([
    ['closes without a word', (socket) => socket.end(), 'closed without a word'],
    ['does not end its line', (socket) => socket.end('100%'), 'an incomplete line'],
    [
      'never ends its line',
      (socket) => void setInterval(() => socket.write('x'.repeat(999)), 1).unref(),
      /longer than/,
    ],
    ['resets', (socket) => socket.resetAndDestroy(), /reset/],
  ])('has no answer from one that %s', async (_what, serve, detail) => {
    const ask = await agent(serve);
    expect(await ask()).toMatchObject(failure(detail));
  });

  it('lets go of one that is silent, and of nobody', async () => {
    const ask = await agent(() => undefined);
    expect((await ask(undefined, 50)).ok).toBe(false);
    const nobody = await closedPort();
    expect(await askAgent(nobody, null, AbortSignal.timeout(5_000))).toMatchObject({
      ok: false,
      reason: 'refused',
    });
  });
});
