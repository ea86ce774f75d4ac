/**
 *   clients ---- 127.0.0.1:service [data path, in this process] ---- backends on 127.0.0.1
 *
 * Who gets which backend, who waits, who is refused, and what the supervisor can do meanwhile.
 */
import { execFileSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { socketsOf } from '../../src/data-path/listening-sockets.ts';
import { millis, seconds } from '../../src/lib/duration.ts';
import type { TimeoutSpec } from '../../src/model/service.ts';
import { loadNative } from '../../src/native/index.ts';
import { backend, DataPathRig, endpoint, inProcess, RELAYS, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { exchange, nextChunk, readToEnd, type TcpServer, tcpClient, tcpServer } from '../support/tcp.ts';

const TIMEOUTS: TimeoutSpec = {
  connect: seconds(2),
  idle: seconds(60),
  fin: seconds(10),
  session: seconds(30),
  preface: seconds(3),
};
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(RELAYS)('%s relay', (relay) => {
  let rig: DataPathRig;
  let port: number;
  const cleanups: (() => Promise<void> | void)[] = [];

  beforeEach(async () => {
    rig = await DataPathRig.start({}, inProcess, 1, relay);
    port = await freePort();
  });

  afterEach(async () => {
    await rig.stop();
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  /** A backend that greets with its name and then echoes. */
  async function greeter(name: string): Promise<TcpServer> {
    const server = await tcpServer((socket) => {
      socket.write(name);
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('end', () => socket.end());
    });
    cleanups.push(server.close);
    return server;
  }

  /** A port whose SYNs are answered with RST. */
  async function refusingAddress(): Promise<string> {
    return `127.0.0.1:${await freePort()}`;
  }

  /** A port whose SYNs are not answered at all: its accept queue is full and nobody accepts. */
  async function silentAddress(): Promise<string> {
    const native = loadNative();
    const fd = native.openTcpListener({
      address: '127.0.0.1',
      port: 0,
      freebind: false,
      reusePort: false,
      backlog: 1,
    });
    const silent = native.localPort(fd);
    const fillers = await Promise.all([tcpClient(silent), tcpClient(silent)]);
    cleanups.push(() => {
      for (const filler of fillers) filler.destroy();
      native.closeFd(fd);
    });
    return `127.0.0.1:${silent}`;
  }

  const listen = (): [ReturnType<typeof endpoint>] => [endpoint(`127.0.0.1:${port}`)];

  /** Connects and waits for the greeting; the socket stays open. */
  async function greeted(): Promise<{ name: string; socket: Socket }> {
    const socket = await tcpClient(port);
    return { name: (await nextChunk(socket)).toString(), socket };
  }

  describe('retry and redispatch', () => {
    it('a refusing backend costs no client anything', async () => {
      const [good, bad] = [await greeter('good'), await refusingAddress()];
      rig.open(serviceSpec({ listen: listen(), backends: [backend(bad), backend(good.address)] }));
      const answers = await Promise.all(Array.from({ length: 40 }, () => exchange(port, ' request')));
      expect(new Set(answers.map(({ bytes, how }) => `${how} ${bytes}`))).toEqual(
        new Set(['end good request']),
      );
      await rig.quiet(1);
      expect(rig.backend(bad).connectErrors).toBeGreaterThan(0);
      expect(rig.backend(bad).redispatches).toBe(rig.backend(bad).connectErrors);
      expect(rig.backend(good.address).connectErrors).toBe(0);
      expect(rig.service()).toMatchObject({ accepted: 40 });
      expect(Object.values(rig.service().refused)).not.toContain(1);
      expect(new Set(rig.traffic.map(({ backend: id, outcome }) => `${id} ${outcome}`))).toEqual(
        new Set([`${bad} connect-refused`]),
      );
    });

    it('a backend that does not answer is left after time-out.connect', async () => {
      const [good, silent] = [await greeter('good'), await silentAddress()];
      rig.open(
        serviceSpec({
          listen: listen(),
          backends: [backend(silent), backend(good.address)],
          schedule: { algorithm: 'first', hashKey: 'tuple', tableSize: 65_537, balanceFactor: null },
          timeouts: { ...TIMEOUTS, connect: millis(300) },
        }),
      );
      const started = performance.now();
      expect((await exchange(port, '!')).bytes.toString()).toBe('good!');
      expect(performance.now() - started).toBeGreaterThan(290);
      expect(rig.traffic[0]).toMatchObject({ backend: silent, outcome: 'connect-timeout' });
    });

    it('after the last retry the client is refused with a reset: connect-failed', async () => {
      const bad = await refusingAddress();
      rig.open(serviceSpec({ listen: listen(), backends: [backend(bad)], retries: 1 }));
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      await rig.quiet(1);
      expect(rig.service().refused['connect-failed']).toBe(1);
      expect(rig.backend(bad)).toMatchObject({ connects: 2, connectErrors: 2, retries: 1, redispatches: 0 });
      expect(rig.events).toMatchObject([
        { name: 'connection.failed', fields: { side: 'backend', reason: 'connect-refused', backend: bad } },
        { name: 'guard.refused', fields: { reason: 'connect-failed' } },
      ]);
    });

    it('without redispatch a retry goes to the same backend', async () => {
      const [good, bad] = [await greeter('good'), await refusingAddress()];
      rig.open(
        serviceSpec({
          listen: listen(),
          backends: [backend(bad), backend(good.address)],
          schedule: { algorithm: 'first', hashKey: 'tuple', tableSize: 65_537, balanceFactor: null },
          retries: 1,
          redispatch: false,
          timeouts: { ...TIMEOUTS, connect: millis(100) },
        }),
      );
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      await eventually('it is counted', () => rig.service().refused['connect-failed'] === 1);
      expect(rig.backend(bad).connects).toBe(2);
      expect(rig.backend(good.address).connects).toBe(0);
    });

    it('no eligible backend at all: no-backend, one event for many refusals', async () => {
      const good = await greeter('good');
      const spec = serviceSpec({ listen: listen(), backends: [backend(good.address)] });
      rig.open(spec);
      rig.dataPath.setBackends('svc', rig.set(spec, { [good.address]: 'leave' }));
      await Promise.all(Array.from({ length: 20 }, () => exchange(port, 'x')));
      await rig.quiet(1);
      expect(rig.service().refused['no-backend']).toBe(20);
      expect(rig.events.filter(({ name }) => name === 'guard.refused')).toHaveLength(1);
    });
  });

  describe('the queue of full backends', () => {
    it('is first in, first out; beyond its end is queue-full', async () => {
      const one = await greeter('one');
      rig.open(
        serviceSpec({
          listen: listen(),
          backends: [backend(one.address, { maxConnections: 1 })],
          queue: { max: 2, timeout: seconds(20) },
        }),
      );
      const first = await greeted();
      const order: string[] = [];
      const waiting = ['second', 'third'].map(async (who, i) => {
        await sleep(i * 100);
        const client = await greeted();
        order.push(who);
        client.socket.destroy();
      });
      await eventually('two wait', () => rig.service().queued === 2);
      expect(rig.service().connections).toBe(3);
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      expect(rig.service().refused['queue-full']).toBe(1);
      expect(order).toEqual([]);
      first.socket.destroy();
      await Promise.all(waiting);
      expect(order).toEqual(['second', 'third']);
    });

    it('is left after its time-out with a reset: queue-timeout', async () => {
      const one = await greeter('one');
      rig.open(
        serviceSpec({
          listen: listen(),
          backends: [backend(one.address, { maxConnections: 1 })],
          queue: { max: 5, timeout: millis(300) },
        }),
      );
      const first = await greeted();
      const started = performance.now();
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      expect(performance.now() - started).toBeGreaterThan(290);
      expect(rig.service().refused['queue-timeout']).toBe(1);
      first.socket.destroy();
    });

    it('moves on when another backend comes', async () => {
      const [one, two] = [await greeter('one'), await greeter('two')];
      const spec = serviceSpec({
        listen: listen(),
        backends: [backend(one.address, { maxConnections: 1 }), backend(two.address)],
        queue: { max: 5, timeout: seconds(20) },
      });
      rig.open(spec);
      rig.dataPath.setBackends('svc', rig.set(spec, { [two.address]: 'keep' }));
      const first = await greeted();
      const second = greeted();
      await eventually('one waits', () => rig.service().queued === 1);
      rig.dataPath.setBackends('svc', rig.set(spec));
      expect((await second).name).toBe('two');
      (await second).socket.destroy();
      first.socket.destroy();
    });

    it('without a queue a full backend refuses: backend-limit', async () => {
      const one = await greeter('one');
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address, { maxConnections: 1 })] }));
      const first = await greeted();
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      expect(rig.service().refused['backend-limit']).toBe(1);
      first.socket.destroy();
    });
  });

  describe('a full service', () => {
    it('on_limit = "reject" refuses with a reset: service-limit', async () => {
      const one = await greeter('one');
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)], maxConnections: 2 }));
      const clients = [await greeted(), await greeted()];
      expect((await exchange(port, 'x')).how).toBe('ECONNRESET');
      expect(rig.service().refused['service-limit']).toBe(1);
      for (const { socket } of clients) socket.destroy();
    });

    it('on_limit = "wait" leaves clients in the backlog until there is room; nobody is refused', async () => {
      const one = await greeter('one');
      rig.open(
        serviceSpec({
          listen: listen(),
          backends: [backend(one.address)],
          maxConnections: 2,
          onLimit: 'wait',
        }),
      );
      let most = 0;
      const answers = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const { name, socket } = await greeted();
          most = Math.max(most, rig.service().connections);
          await sleep(20);
          const rest = readToEnd(socket);
          socket.end('bye');
          return name + (await rest).bytes.toString();
        }),
      );
      expect(new Set(answers)).toEqual(new Set(['onebye']));
      expect(most).toBe(2);
      expect(Object.values(rig.service().refused).every((count) => count === 0)).toBe(true);
      expect(rig.service().accepted).toBe(12);
      await rig.quiet(1);
    });
  });

  describe('what the supervisor does', () => {
    it('close-backend cuts the connections of that backend alone, with resets', async () => {
      const [one, two] = [await greeter('one'), await greeter('two')];
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address), backend(two.address)] }));
      const clients = await Promise.all([greeted(), greeted(), greeted(), greeted()]);
      rig.dataPath.closeBackend('svc', one.address);
      const [onOne, onTwo] = [
        clients.filter(({ name }) => name === 'one'),
        clients.filter(({ name }) => name === 'two'),
      ];
      expect(onOne).toHaveLength(2);
      expect(await Promise.all(onOne.map(async ({ socket }) => (await readToEnd(socket)).how))).toEqual([
        'ECONNRESET',
        'ECONNRESET',
      ]);
      expect(rig.service().closed['backend-down']).toBe(2);
      for (const { socket } of onTwo) {
        socket.write('still here');
        expect((await nextChunk(socket)).toString()).toBe('still here');
        socket.destroy();
      }
    });

    it('an update changes listeners and backends and touches no connection', async () => {
      const [one, two] = [await greeter('one'), await greeter('two')];
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const old = await greeted();
      const [oldPort, newPort] = [port, await freePort()];
      const after = serviceSpec({
        listen: [endpoint(`127.0.0.1:${newPort}`)],
        backends: [backend(two.address)],
      });
      rig.dataPath.updateService(after, rig.set(after));
      await eventually('the old listener is closed', () =>
        tcpClient(oldPort).then(
          (socket) => {
            socket.destroy();
            return false;
          },
          () => true,
        ),
      );
      port = newPort;
      const fresh = await greeted();
      expect(fresh.name).toBe('two');
      old.socket.write('kept');
      expect((await nextChunk(old.socket)).toString()).toBe('kept');
      old.socket.destroy();
      fresh.socket.destroy();
    });

    it('keep_alive and no_delay reach the clients of every listener, and change with an update', async () => {
      const one = await greeter('one');
      const options = { listen: listen(), backends: [backend(one.address)] };
      rig.open(serviceSpec(options));
      const probing = async (): Promise<boolean> => {
        const { socket } = await greeted();
        // our side of the client's connection: the timer is shown only when SO_KEEPALIVE is set
        const shown = execFileSync('ss', ['-tnoH', `sport = :${port} and dport = :${socket.localPort}`]);
        socket.destroy();
        expect(shown.toString()).toContain(`127.0.0.1:${port}`);
        return shown.toString().includes('timer:(keepalive');
      };
      expect(await probing()).toBe(true);
      const after = serviceSpec({ ...options, keepAlive: false });
      rig.dataPath.updateService(after, rig.set(after));
      await sleep(50);
      expect(await probing()).toBe(false);
    });

    it('a listener that cannot be opened is an error, and nothing has changed', async () => {
      const [one, busy] = [await greeter('one'), await greeter('busy')];
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const after = serviceSpec({
        listen: [...listen(), endpoint(busy.address)],
        backends: [backend(one.address)],
      });
      expect(() => rig.dataPath.updateService(after, rig.set(after))).toThrow(/EADDRINUSE|in use/);
      const client = await greeted();
      expect(client.name).toBe('one');
      client.socket.destroy();
      expect(rig.process().fdsInUse).toBeLessThan(5);
    });

    it('service-close drains to the deadline, then cuts', async () => {
      const one = await greeter('one');
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const [leaves, stays] = [await greeted(), await greeted()];
      const started = performance.now();
      const closed = rig.dataPath.closeService('svc', millis(500));
      await eventually('no new clients', () =>
        tcpClient(port).then(
          (socket) => {
            socket.destroy();
            return false;
          },
          () => true,
        ),
      );
      leaves.socket.end();
      expect((await readToEnd(leaves.socket)).how).toBe('end');
      expect((await readToEnd(stays.socket)).how).toBe('ECONNRESET');
      await closed;
      expect(performance.now() - started).toBeGreaterThan(490);
      expect(rig.service().closed).toMatchObject({ done: 1, 'drain-deadline': 1 });
    });

    it('a name can be opened again while its predecessor drains', async () => {
      const [one, two] = [await greeter('one'), await greeter('two')];
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const old = await greeted();
      const closed = rig.dataPath.closeService('svc', seconds(20));
      rig.open(serviceSpec({ listen: listen(), backends: [backend(two.address)] }));
      await sleep(100); // until the worker has closed the old listener
      const fresh = await greeted();
      expect(fresh.name).toBe('two');
      old.socket.end('last');
      expect((await readToEnd(old.socket)).bytes.toString()).toBe('last');
      await closed;
      fresh.socket.write('on');
      expect((await nextChunk(fresh.socket)).toString()).toBe('on');
      fresh.socket.destroy();
    });

    it('stop cuts at once without a drain: shutdown', async () => {
      const one = await greeter('one');
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const ending = readToEnd((await greeted()).socket);
      await rig.stop();
      expect((await ending).how).toBe('ECONNRESET');
      expect(rig.service().closed.shutdown).toBe(1);
    });

    it('stop with a drain waits for the clients of every service, whichever is idle', async () => {
      const one = await greeter('one');
      const backends = [backend(one.address)];
      const idle = [await freePort(), await freePort()].map((p) => [endpoint(`127.0.0.1:${p}`)]);
      rig.open(serviceSpec({ name: 'idle before', listen: idle[0] ?? [], backends }));
      rig.open(serviceSpec({ listen: listen(), backends }));
      rig.open(serviceSpec({ name: 'idle after', listen: idle[1] ?? [], backends }));
      const { socket } = await greeted();
      let stopped = false;
      const stopping = rig.stop(seconds(20)).then(() => {
        stopped = true;
      });
      await sleep(200);
      expect(stopped).toBe(false);
      socket.end('last');
      expect((await readToEnd(socket)).bytes.toString()).toBe('last');
      await stopping;
    });

    it('the heart beats several times a second', async () => {
      const before = rig.process().heartbeats;
      await sleep(1_000);
      expect(rig.process().heartbeats - before).toBeGreaterThanOrEqual(2);
      expect(rig.process().loopLagSeconds).toBeLessThan(5);
    });

    it('sees at the start that another program has an address, even one that would share it', () => {
      const native = loadNative();
      const options = { address: '127.0.0.1', port, freebind: false, reusePort: true };
      const fds = [native.openTcpListener({ ...options, backlog: 1 })];
      fds.push(native.openUdpSocket({ ...options, bufferSize: 0 }));
      const wanted = (['tcp', 'udp'] as const).map((protocol) =>
        socketsOf(serviceSpec({ protocol, listen: listen(), backends: [] })),
      );
      for (const sockets of wanted) {
        expect(() => rig.dataPath.requireUnused(sockets)).toThrow(/cannot listen on .*EADDRINUSE/);
      }
      for (const fd of fds) native.closeFd(fd);
      for (const sockets of wanted) rig.dataPath.requireUnused(sockets);
    });

    it('the heart beats with the work as well: a worker that is behind has not stalled', async () => {
      const one = await greeter('one');
      rig.open(serviceSpec({ listen: listen(), backends: [backend(one.address)] }));
      const sockets = (await Promise.all(Array.from({ length: 50 }, greeted))).map(({ socket }) => socket);
      const before = rig.process().heartbeats;
      for (const socket of sockets) socket.end();
      await Promise.all(sockets.map(readToEnd));
      // each client's end, and the close of its two sockets; the timer alone would beat once in 200 ms
      await eventually('a beat for each step', () => rig.process().heartbeats - before >= 150);
    });
  });
});
