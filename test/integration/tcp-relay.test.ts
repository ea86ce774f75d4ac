/**
 *   client ---- 127.0.0.1:service [relay, in this process] 127.0.0.1:backend ---- backend
 *
 * Bytes, ends of stream and resets through the TCP relay. Real sockets on loopback.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resetNow } from '../../src/data-path/forward/socket-close.ts';
import { millis, seconds } from '../../src/lib/duration.ts';
import type { ServiceSpec } from '../../src/model/service.ts';
import { backend, DataPathRig, endpoint, inProcess, RELAYS, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { exchange, nextChunk, readToEnd, type TcpServer, tcpClient, tcpServer } from '../support/tcp.ts';

const MIB = 1_024 * 1_024;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws without one: it is Node's own affair where it keeps it */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number') throw new Error('no descriptor');
  return fd;
}

describe.each(RELAYS)('%s relay', (relay) => {
  let rig: DataPathRig;
  let port: number;
  let server: TcpServer;

  /** A service in front of one backend that does `onSocket`. */
  async function serve(
    onSocket: (socket: Socket) => void,
    overrides: Partial<ServiceSpec> = {},
  ): Promise<void> {
    server = await tcpServer(onSocket);
    port = await freePort();
    const listen = [endpoint(`127.0.0.1:${port}`)];
    rig.open(serviceSpec({ listen, backends: [backend(server.address)], ...overrides }));
    await eventually('the listener is open', () => rig.process().fdsInUse === 1);
  }

  beforeEach(async () => {
    rig = await DataPathRig.start({}, inProcess, 1, relay);
  });

  afterEach(async () => {
    // proves that every gauge is back at zero, whatever the test did
    await rig.stop();
    await server.close();
  });

  describe('bytes', () => {
    const POOL = randomBytes(4 * MIB);

    /** Writes `total` bytes in chunks of 1 byte to 256 KiB with stalls; returns their hash. */
    async function pour(socket: Socket, total: number): Promise<string> {
      const hash = createHash('sha1');
      let left = total;
      while (left > 0) {
        const wish = Math.random() < 0.2 ? 1 + Math.random() * 1_000 : Math.random() * 256 * 1_024;
        const length = Math.min(left, Math.ceil(wish));
        const start = Math.floor(Math.random() * (POOL.length - length));
        const chunk = POOL.subarray(start, start + length);
        hash.update(chunk);
        left -= length;
        if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
        if (Math.random() < 0.01) await sleep(Math.random() * 10);
      }
      socket.end();
      return hash.digest('hex');
    }

    /** Reads to FIN with stalls; returns the hash of what came. */
    function drink(socket: Socket): Promise<string> {
      const hash = createHash('sha1');
      return new Promise((resolve, reject) => {
        socket.on('data', (chunk: Buffer) => {
          hash.update(chunk);
          if (Math.random() < 0.005) {
            socket.pause();
            setTimeout(() => socket.resume(), Math.random() * 20);
          }
        });
        socket.once('end', () => resolve(hash.digest('hex')));
        socket.once('error', reject);
      });
    }

    it('1 GiB, both directions at once over 8 connections, arrives unchanged', async () => {
      const each = 64 * MIB;
      const atBackend: Promise<{ sent: string; got: string }>[] = [];
      await serve((socket) => {
        atBackend.push(
          Promise.all([pour(socket, each), drink(socket)]).then(([sent, got]) => ({ sent, got })),
        );
      });
      const atClient = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const socket = await tcpClient(port);
          const [sent, got] = await Promise.all([pour(socket, each), drink(socket)]);
          return { sent, got };
        }),
      );
      const backends = await Promise.all(atBackend);
      expect(atClient.map((client) => client.sent).sort()).toEqual(backends.map((b) => b.got).sort());
      expect(atClient.map((client) => client.got).sort()).toEqual(backends.map((b) => b.sent).sort());
      await rig.quiet(1);
      expect(rig.service()).toMatchObject({ bytesIn: 8 * each, bytesOut: 8 * each, accepted: 8 });
      expect(rig.service().closed.done).toBe(8);
      expect(rig.backend(server.address)).toMatchObject({ bytesIn: 8 * each, bytesOut: 8 * each });
    });

    it('a server that speaks first', async () => {
      await serve((socket) => {
        socket.write('220 ready\r\n');
        socket.once('data', () => socket.end('221 bye\r\n'));
      });
      const client = await tcpClient(port);
      expect((await nextChunk(client)).toString()).toBe('220 ready\r\n');
      const rest = readToEnd(client);
      client.end('QUIT\r\n');
      expect(await rest).toMatchObject({ how: 'end', bytes: Buffer.from('221 bye\r\n') });
    });

    it('behind an urgent byte, which is no part of the stream, do not wait for more', async () => {
      await serve((socket) => socket.pipe(socket));
      const client = await tcpClient(port);
      client.write('hello');
      expect(String(await nextChunk(client))).toBe('hello');
      // Node cannot send urgent data. This stops the relay meanwhile, so that all of it is there when it looks.
      const script = `
import socket
s = socket.socket(fileno=3)
s.sendall(b'before ')
s.send(b'!', socket.MSG_OOB)
s.sendall(b'behind')
`;
      execFileSync('python3', ['-c', script], {
        stdio: ['ignore', 'inherit', 'inherit', descriptorOf(client)],
      });
      const chunks: Buffer[] = [];
      client.on('data', (chunk: Buffer) => chunks.push(chunk));
      await eventually('all has come', () => String(Buffer.concat(chunks)) === 'before behind');
      client.destroy();
    });

    it('over IPv6', async () => {
      server = await tcpServer((socket) => socket.pipe(socket), '::1');
      port = await freePort();
      rig.open(serviceSpec({ listen: [endpoint(`[::1]:${port}`)], backends: [backend(server.address)] }));
      await eventually('the listener is open', () => rig.process().fdsInUse === 1);
      expect((await exchange(port, 'hello', '::1')).bytes.toString()).toBe('hello');
    });
  });

  describe('half-close', () => {
    it('a client that ends first gets the whole answer, 300 times', async () => {
      await serve((socket) => {
        const parts: Buffer[] = [];
        socket.on('data', (chunk) => parts.push(chunk));
        socket.on('end', () => setTimeout(() => socket.end(`got ${Buffer.concat(parts).length}`), 5));
      });
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, i) => exchange(port, 'x'.repeat(i * 50))),
      );
      expect(answers.map(({ bytes, how }) => `${how} ${bytes}`)).toEqual(
        answers.map((_, i) => `end got ${i * 50}`),
      );
      await rig.quiet(1);
      expect(rig.service().closed.done).toBe(300);
    });

    it('a zero-byte request: the FIN comes before the backend is connected', async () => {
      await serve((socket) => {
        socket.resume();
        socket.on('end', () => socket.end('empty'));
      });
      const answers = await Promise.all(Array.from({ length: 100 }, () => exchange(port, '')));
      expect(new Set(answers.map(({ bytes, how }) => `${how} ${bytes}`))).toEqual(new Set(['end empty']));
    });

    it('a backend that ends first still gets what the client sends', async () => {
      const got: Promise<string>[] = [];
      await serve((socket) => {
        socket.end('banner');
        got.push(readToEnd(socket).then(({ bytes, how }) => `${how} ${bytes}`));
      });
      const client = await tcpClient(port);
      expect(await readToEnd(client)).toMatchObject({ how: 'end', bytes: Buffer.from('banner') });
      client.write('late ');
      await sleep(50);
      client.end('upload');
      await eventually('the backend has a connection', () => got.length === 1);
      expect(await got[0]).toBe('end late upload');
    });

    it('time-out.fin ends a side that never closes its half', async () => {
      await serve((socket) => socket.resume(), {
        timeouts: {
          connect: seconds(2),
          idle: seconds(60),
          fin: millis(300),
          session: seconds(30),
          preface: seconds(3),
        },
      });
      const client = await tcpClient(port);
      client.end('request');
      const ending = readToEnd(client);
      expect((await ending).bytes.length).toBe(0);
      await rig.quiet(1);
      expect(rig.service().closed['fin-timeout']).toBe(1);
    });
  });

  describe('back-pressure', () => {
    /** The most that two hops of kernel buffers can hold (tcp_wmem and tcp_rmem at their largest), and some. */
    const KERNEL = 48 * MIB;
    const OFFERED = 512;

    /** Offers 512 MiB as fast as the socket takes it, without a queue of its own; tells how much it took. */
    function flood(socket: Socket): { taken: () => number } {
      const chunk = Buffer.alloc(MIB, 7);
      let taken = 0;
      const more = (): void => {
        while (taken < OFFERED * MIB) {
          taken += chunk.length;
          if (!socket.write(chunk)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
      return { taken: () => taken };
    }

    async function stalledThenDrained(taken: () => number, reader: Socket): Promise<void> {
      const before = process.memoryUsage();
      let last = -1;
      await eventually(
        'the writer stalls',
        () => {
          const stalled = taken() === last;
          last = taken();
          return stalled;
        },
        30_000,
        500,
      );
      expect(taken()).toBeLessThan(KERNEL);
      const after = process.memoryUsage();
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * MIB);
      let read = 0;
      reader.on('data', (chunk: Buffer) => {
        read += chunk.length;
      });
      reader.resume();
      await eventually('all of it has arrived', () => read === OFFERED * MIB, 60_000);
    }

    it('a client that does not read stops the backend, in bounded memory', async () => {
      let flooding = { taken: () => 0 };
      await serve((socket) => {
        flooding = flood(socket);
      });
      const client = await tcpClient(port);
      await eventually('it begins', () => flooding.taken() > 0);
      await stalledThenDrained(() => flooding.taken(), client);
      client.destroy();
    });

    it('a backend that does not read stops the client, in bounded memory', async () => {
      await serve((socket) => socket.pause());
      const client = await tcpClient(port);
      const flooding = flood(client);
      await eventually('the backend has a connection', () => server.accepted.length === 1);
      const [reader] = server.accepted;
      if (reader === undefined) throw new Error('no connection');
      await stalledThenDrained(flooding.taken, reader);
      client.destroy();
    });
  });

  /** What the log says of failed connections: level, whose fault, reason, how many. */
  const failures = (): string[] =>
    rig.events
      .filter(({ name }) => name === 'connection.failed')
      .map(({ level, fields }) => `${level} ${fields['side']} ${fields['reason']} ${fields['count']}`);

  describe('resets', () => {
    it('of the client reaches the backend as a reset', async () => {
      const endings: Promise<string>[] = [];
      await serve((socket) => {
        endings.push(readToEnd(socket).then(({ how }) => how));
        socket.write('hello');
      });
      const client = await tcpClient(port);
      await nextChunk(client);
      client.resetAndDestroy();
      await eventually('the backend has a connection', () => endings.length === 1);
      expect(await endings[0]).toBe('ECONNRESET');
      await rig.quiet(1);
      expect(rig.service().closed['client-reset']).toBe(1);
      expect(rig.traffic).toEqual([]);
      await eventually('it is told', () => failures().length === 1);
      expect(failures()).toEqual(['info client client-reset 1']);
    });

    it('of the backend after an answer reaches the client as a reset, and is no failure of the backend', async () => {
      await serve((socket) => {
        socket.write('partial');
        socket.once('data', () => socket.resetAndDestroy());
      });
      const client = await tcpClient(port);
      await nextChunk(client);
      const ending = readToEnd(client);
      client.write('go');
      expect((await ending).how).toBe('ECONNRESET');
      await rig.quiet(1);
      expect(rig.service().closed['backend-reset']).toBe(1);
      expect(rig.traffic).toEqual([]);
      await eventually('it is told', () => failures().length === 1);
      expect(failures()).toEqual(['warn backend backend-reset 1']);
    });

    it('of the backend before any byte is its failure; the next success is news', async () => {
      let broken = true;
      await serve((socket) => {
        if (broken) socket.once('data', () => socket.resetAndDestroy());
        else socket.pipe(socket);
      });
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      await eventually('it is reported', () => rig.traffic.length === 1);
      broken = false;
      expect((await exchange(port, 'y')).bytes.toString()).toBe('y');
      expect((await exchange(port, 'z')).bytes.toString()).toBe('z');
      await eventually('the success is reported', () => rig.traffic.length === 2);
      expect(rig.traffic.map(({ outcome }) => outcome)).toEqual(['early-reset', 'connect-ok']);
    });

    it('in both halves of a half-closed connection', async () => {
      await serve((socket) => {
        socket.on('end', () => setTimeout(() => socket.resetAndDestroy(), 20));
        socket.resume();
      });
      const endings = await Promise.all(Array.from({ length: 50 }, () => exchange(port, 'half')));
      expect(new Set(endings.map(({ how }) => how))).toEqual(new Set(['ECONNRESET']));
    });

    it('of the backend while the client does not read is not turned into an end of stream', async () => {
      await serve((socket) => socket.write(Buffer.alloc(64 * MIB)));
      const client = await tcpClient(port);
      client.pause();
      await sleep(300);
      const [socket] = server.accepted;
      if (socket === undefined) throw new Error('no connection');
      resetNow(socket);
      const { how, bytes } = await readToEnd(client.resume());
      expect(bytes.length).toBeLessThan(64 * MIB);
      expect(how).toBe('ECONNRESET');
    });
  });

  describe('time-outs', () => {
    it('idle: a backend that accepts and says nothing', async () => {
      await serve(() => undefined, {
        timeouts: {
          connect: seconds(2),
          idle: millis(300),
          fin: seconds(10),
          session: seconds(30),
          preface: seconds(3),
        },
      });
      const client = await tcpClient(port);
      const started = performance.now();
      client.write('hello?');
      await readToEnd(client);
      expect(performance.now() - started).toBeGreaterThan(290);
      await rig.quiet(1);
      expect(rig.service().closed['idle-timeout']).toBe(1);
    });

    it('idle: traffic in one direction alone keeps a connection', async () => {
      await serve((socket) => socket.resume(), {
        timeouts: {
          connect: seconds(2),
          idle: millis(400),
          fin: seconds(10),
          session: seconds(30),
          preface: seconds(3),
        },
      });
      const client = await tcpClient(port);
      for (let i = 0; i < 12; i++) {
        client.write('.');
        await sleep(100);
      }
      expect(client.destroyed || client.readableEnded).toBe(false);
      expect(rig.service()).toMatchObject({ connections: 1, bytesIn: 12 });
      client.destroy();
    });
  });
});
