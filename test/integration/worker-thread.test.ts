/**
 * The data path as it is built (dist/), its worker in a thread: a worker that dies, and a process that runs out
 * of file descriptors.
 */
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ToWorker } from '../../src/data-path/protocol.ts';
import type { SpawnWorker, WorkerHandle } from '../../src/data-path/worker-thread.ts';
import { backend, DataPathRig, endpoint, RELAYS, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { exchange, nextChunk, readToEnd, tcpClient, tcpServer } from '../support/tcp.ts';

const WORKER_THREAD = fileURLToPath(new URL('../../dist/data-path/worker-thread.js', import.meta.url));
const STARVED = fileURLToPath(new URL('../support/starved-relay.mjs', import.meta.url));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a worker thread', () => {
  it.each(RELAYS)(
    'that dies (%s relay) is replaced: its connections end, clients in the backlog are served',
    async (relay) => {
      const { spawnWorkerThread } = (await import(WORKER_THREAD)) as { spawnWorkerThread: SpawnWorker };
      const handles: WorkerHandle[] = [];
      const rig = await DataPathRig.start(
        {},
        (data, listener) => {
          const handle = spawnWorkerThread(data, listener);
          handles.push(handle);
          return handle;
        },
        1,
        relay,
      );
      const server = await tcpServer((socket) => socket.pipe(socket));
      const port = await freePort();
      rig.open(serviceSpec({ listen: [endpoint(`127.0.0.1:${port}`)], backends: [backend(server.address)] }));
      const victim = await tcpClient(port);
      victim.write('before');
      expect((await nextChunk(victim)).toString()).toBe('before');
      expect(rig.service().connections).toBe(1);

      const cut = readToEnd(victim);
      handles[0]?.post({ type: 'service-open' } as ToWorker); // no worker can make sense of this
      await cut;
      // nobody accepts now, but the supervisor still holds the listening socket
      const waiting = exchange(port, 'in the backlog');
      expect((await waiting).bytes.toString()).toBe('in the backlog');
      expect(handles).toHaveLength(2);
      expect(rig.events.map(({ name }) => name)).toEqual(['worker.exited']);
      expect((await exchange(port, 'after')).bytes.toString()).toBe('after');
      await rig.quiet(1); // what the dead one held was given back
      await rig.stop();
      await server.close();
    },
  );

  it('that cannot start is an error', async () => {
    const dying: SpawnWorker = (_data, listener) => {
      setImmediate(() => listener.onExit(new Error('no such file')));
      return { post: () => undefined, terminate: () => undefined };
    };
    await expect(DataPathRig.start({}, dying)).rejects.toThrow(/did not start: no such file/);
  });
});

describe('a process without file descriptors', () => {
  it.each(RELAYS)(
    'neither crashes nor spins, and serves again when there are some (%s relay)',
    async (relayKind) => {
      const server = await tcpServer((socket) => socket.pipe(socket));
      const port = await freePort();
      const relay = spawn('sh', [
        '-c',
        `ulimit -n 64 && exec node ${STARVED} 127.0.0.1:${port} ${server.address} ${relayKind}`,
      ]);
      const lines: string[] = [];
      let complaints = '';
      createInterface({ input: relay.stdout }).on('line', (line) => lines.push(line));
      relay.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaints += text;
      });
      const cpuMillis = async (): Promise<number> => {
        const before = lines.length;
        relay.stdin.write('\n');
        await eventually('it answers', () => lines.length > before);
        return Number(lines.at(-1));
      };
      try {
        await eventually('it is ready', () => lines.includes('ready'));
        const crowd = await Promise.all(Array.from({ length: 100 }, () => arrive(port)));
        await sleep(300);
        const before = await cpuMillis();
        await sleep(1_000);
        expect((await cpuMillis()) - before).toBeLessThan(500);
        expect(server.accepted.length).toBeGreaterThan(5);
        expect(server.accepted.length).toBeLessThan(64);
        for (const socket of crowd) socket.destroy();
        await eventually('it serves again', async () => (await exchange(port, 'again')).bytes.length === 5);
        expect([relay.exitCode, complaints]).toEqual([null, '']);
      } finally {
        relay.kill('SIGKILL');
        await server.close();
      }
    },
  );
});

/** Connects or is turned away: either is fine here. */
function arrive(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => resolve(socket));
    socket.once('connect', () => resolve(socket));
  });
}
