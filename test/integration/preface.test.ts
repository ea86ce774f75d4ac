/**
 *   clients ---- 127.0.0.1:service [data path, in this process] ---- backends on 127.0.0.1
 *
 * Clients that say who they are (PROXY protocol) or whom they want (TLS server name) before they are served.
 */
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/lib/duration.ts';
import { formatEndpoint, parsePrefix } from '../../src/lib/ip.ts';
import { decodeProxyHeader, encodeProxyHeader, type ProxyVersion } from '../../src/lib/proxy-header.ts';
import type { ProxyProtocolSpec, ServiceSpec } from '../../src/model/service.ts';
import { backend, DataPathRig, endpoint, inProcess, RELAYS, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { exchange, readToEnd, type TcpServer, tcpClient, tcpServer } from '../support/tcp.ts';

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

  /** A backend that answers with its name and all that it was sent, once that has ended. */
  async function recorder(name = ''): Promise<TcpServer> {
    const server = await tcpServer((socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', () => socket.end(Buffer.concat([Buffer.from(name), ...chunks])));
    });
    cleanups.push(server.close);
    return server;
  }

  const everybody = (): NonNullable<ProxyProtocolSpec['accept']> =>
    ['127.0.0.0/8', '::1/128'].flatMap((text) => parsePrefix(text) ?? []);

  function open(server: TcpServer, proxy: Partial<ProxyProtocolSpec>, over: Partial<ServiceSpec> = {}): void {
    rig.open(
      serviceSpec({
        listen: [endpoint(`127.0.0.1:${port}`)],
        backends: [backend(server.address)],
        proxyProtocol: { accept: null, send: null, ...proxy },
        ...over,
      }),
    );
  }

  const WHO = { source: endpoint('203.0.113.9:4321'), destination: endpoint('198.51.100.1:443') };
  const header = (version: ProxyVersion, tlvs?: Uint8Array): Buffer =>
    Buffer.from(encodeProxyHeader(version, WHO, tlvs));
  const refused = () => rig.service().refused;

  describe('PROXY protocol in', () => {
    it.each([1, 2] as const)(
      'version %d: the header is taken off, in whatever pieces it comes',
      async (version) => {
        open(await recorder(), { accept: everybody() });
        const bytes = Buffer.concat([header(version), Buffer.from('hello')]);
        expect(await exchange(port, '')).toMatchObject({ how: 'ECONNRESET' });
        for (const cut of [1, 7, bytes.length - 5, bytes.length]) {
          const socket = await tcpClient(port);
          socket.write(bytes.subarray(0, cut));
          await new Promise((resolve) => setTimeout(resolve, 20));
          const answer = readToEnd(socket);
          socket.end(bytes.subarray(cut));
          expect(await answer).toMatchObject({ how: 'end', bytes: Buffer.from('hello') });
        }
        await rig.quiet(1);
        expect(refused()['proxy-malformed']).toBe(1);
      },
    );

    it('a client that says nothing but its header is passed on with its end', async () => {
      open(await recorder('nothing:'), { accept: everybody() });
      const socket = await tcpClient(port);
      const answer = readToEnd(socket);
      socket.end(header(2));
      expect(await answer).toMatchObject({ how: 'end', bytes: Buffer.from('nothing:') });
      await rig.quiet(1);
    });

    it('limits go by the client that the header names', async () => {
      open(
        await recorder(),
        { accept: everybody() },
        { deny: everybody().flatMap(() => parsePrefix('203.0.113.0/24') ?? []) },
      );
      const ask = async (source: string): Promise<string> => {
        const bytes = encodeProxyHeader(1, { ...WHO, source: endpoint(source) });
        return (await exchange(port, Buffer.from(bytes).toString('latin1'))).how;
      };
      expect(await ask('203.0.113.9:1')).toBe('ECONNRESET');
      expect(await ask('203.0.114.9:1')).toBe('end');
      expect(refused()['deny-list']).toBe(1);
      await eventually('the refusal is told with the client, not the proxy', () =>
        rig.events.some(({ fields }) => fields['source'] === '203.0.113.9'),
      );
    });

    it('on_limit = "wait": who comes while others have all the room waits, and is not refused', async () => {
      const tight = await DataPathRig.start({ maxConnections: 1 }, inProcess, 1, relay);
      cleanups.push(() => tight.stop());
      const server = await recorder();
      const [otherPort, backends] = [await freePort(), [backend(server.address)]];
      tight.open(serviceSpec({ name: 'other', listen: [endpoint(`127.0.0.1:${otherPort}`)], backends }));
      tight.open(
        serviceSpec({
          listen: [endpoint(`127.0.0.1:${port}`)],
          backends,
          proxyProtocol: { accept: everybody(), send: null },
          onLimit: 'wait',
        }),
      );
      const holder = await tcpClient(otherPort);
      await eventually('the room is taken', () => tight.process().connections === 1);
      const answer = exchange(port, `${header(1).toString('latin1')}late`);
      await eventually('the one who waits has been accepted', () => tight.process().fdsInUse >= 5);
      holder.destroy();
      expect(await answer).toMatchObject({ how: 'end', bytes: Buffer.from('late') });
      expect(Object.values(tight.service().refused).every((count) => count === 0)).toBe(true);
    });

    it('a LOCAL header leaves the proxy as the client', async () => {
      open(await recorder(), { accept: everybody(), send: 1 });
      const { bytes } = await exchange(port, Buffer.from(encodeProxyHeader(2, null)).toString('latin1'));
      expect(bytes.toString()).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
    });

    it('refuses, by name, who is not trusted', async () => {
      open(await recorder(), { accept: everybody().slice(1) });
      expect(await exchange(port, header(1).toString('latin1'))).toMatchObject({ how: 'ECONNRESET' });
      expect(refused()['proxy-untrusted']).toBe(1);
    });

    it('refuses, by name, who sends something else or nothing, and lets those go who go', async () => {
      const { timeouts } = serviceSpec({ listen: [], backends: [] });
      open(await recorder(), { accept: everybody() }, { timeouts: { ...timeouts, preface: millis(300) } });
      expect(await exchange(port, 'GET / HTTP/1.1\r\n')).toMatchObject({ how: 'ECONNRESET' });
      expect(refused()['proxy-malformed']).toBe(1);
      const silent = await tcpClient(port);
      expect(await readToEnd(silent)).toMatchObject({ how: 'ECONNRESET' });
      expect(refused()['preface-timeout']).toBe(1);
      const gone = await tcpClient(port);
      gone.write('PROXY TCP4 ');
      await new Promise((resolve) => setTimeout(resolve, 50));
      gone.resetAndDestroy();
      await rig.quiet(1);
      expect(refused()['preface-timeout']).toBe(1);
    });
  });

  describe('PROXY protocol out', () => {
    it.each([1, 2] as const)('version %d comes before the client, also after a retry', async (version) => {
      const server = await recorder();
      const dead = `127.0.0.1:${await freePort()}`;
      open(server, { send: version }, { backends: [backend(dead), backend(server.address)] });
      for (let i = 0; i < 4; i++) {
        const socket = await tcpClient(port);
        const client = `127.0.0.1:${socket.localPort ?? 0}`;
        const answer = readToEnd(socket);
        socket.end('hello');
        const { bytes } = await answer;
        const decoded = decodeProxyHeader(bytes);
        if (decoded.status !== 'complete' || decoded.header.addresses === null)
          throw new Error(bytes.toString('hex'));
        expect(decoded.header.version).toBe(version);
        expect(formatEndpoint(decoded.header.addresses.source)).toBe(client);
        expect(formatEndpoint(decoded.header.addresses.destination)).toBe(`127.0.0.1:${port}`);
        expect(bytes.subarray(decoded.length).toString()).toBe('hello');
      }
    });

    it('passes on who the client is and its TLVs from one proxy to the next', async () => {
      open(await recorder(), { accept: everybody(), send: 2 });
      const tlvs = Buffer.from('020003616263ea000101', 'hex');
      const socket = await tcpClient(port);
      const answer = readToEnd(socket);
      socket.end(header(2, tlvs));
      const decoded = decodeProxyHeader((await answer).bytes);
      expect(decoded).toMatchObject({ status: 'complete', header: { version: 2, addresses: WHO } });
      if (decoded.status === 'complete') expect(Buffer.from(decoded.header.tlvs)).toEqual(tlvs);
    });
  });

  describe('TLS server names', () => {
    const hello = (name: string | null): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectTls({
          port,
          host: '127.0.0.1',
          ...(name === null ? {} : { servername: name }),
        });
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      });

    /** A backend that notes the first bytes of each client and hangs up. */
    async function noted(name: string, served: string[]): Promise<TcpServer> {
      const server = await tcpServer((socket) => {
        socket.once('data', (chunk: Buffer) => {
          served.push(`${name} ${chunk[0]}`);
          socket.destroy();
        });
      });
      cleanups.push(server.close);
      return server;
    }

    it('route to other services: exact, wildcard, and the rest stays', async () => {
      const served: string[] = [];
      const [own, app, wild] = [
        await noted('own', served),
        await noted('app', served),
        await noted('wild', served),
      ];
      const routes = [
        { names: ['app.example.org'], service: 'app' },
        { names: ['*.example.org'], service: 'wild' },
        { names: ['gone.example.com'], service: 'gone' },
      ];
      open(own, {}, { sni: routes });
      rig.open(serviceSpec({ name: 'app', listen: [], backends: [backend(app.address)] }));
      rig.open(serviceSpec({ name: 'wild', listen: [], backends: [backend(wild.address)] }));
      for (const name of ['APP.example.org', 'b.example.org', 'x.y.example.org', 'example.org', null])
        await hello(name);
      // 22: the whole ClientHello has arrived, from its first byte on
      expect(served).toEqual(['app 22', 'wild 22', 'wild 22', 'own 22', 'own 22']);
      expect(await hello('gone.example.com')).toBe('ECONNRESET');
      expect(await exchange(port, 'GET / HTTP/1.1\r\n\r\n')).toMatchObject({ how: 'ECONNRESET' });
      await rig.quiet(1);
      expect(refused()).toMatchObject({ 'no-route': 1, 'tls-malformed': 1 });
      expect(rig.service('app').accepted).toBe(1);
      expect(rig.service('wild').accepted).toBe(2);
    });

    it('behind a PROXY header, and in small pieces', async () => {
      const served: string[] = [];
      const app = await noted('app', served);
      open(
        await noted('own', served),
        { accept: everybody() },
        { sni: [{ names: ['app.example.org'], service: 'app' }] },
      );
      rig.open(
        serviceSpec({
          name: 'app',
          listen: [],
          backends: [backend(app.address)],
          proxyProtocol: { accept: null, send: 1 },
        }),
      );
      const capture = await tcpServer((socket) => {
        socket.once('data', (chunk: Buffer) => captured.push(chunk));
      });
      const captured: Buffer[] = [];
      cleanups.push(capture.close);
      const tls = connectTls({ port: capture.port, host: '127.0.0.1', servername: 'app.example.org' });
      tls.on('error', () => undefined);
      cleanups.push(() => void tls.destroy());
      await eventually('a ClientHello is captured', () => captured.length > 0);
      const socket = await tcpClient(port);
      for (const byte of Buffer.concat([header(2), ...captured])) socket.write(Buffer.of(byte));
      expect(await readToEnd(socket)).toMatchObject({
        how: expect.stringMatching(/end|ECONNRESET/) as string,
      });
      // 80: the P of PROXY
      expect(served).toEqual(['app 80']);
    });

    it('one address can take a part of the places alone, and a denied one none', async () => {
      open(await recorder(), {}, { sni: [{ names: ['a.example.org'], service: 'a' }] });
      // a reset may come before connect() has returned
      const attempts = Array.from({ length: 300 }, () => tcpClient(port).catch(() => null));
      const waiting = (await Promise.all(attempts)).filter((socket) => socket !== null);
      const endings = waiting.map((socket) => readToEnd(socket));
      await eventually('those beyond the share are refused', () => refused()['preface-limit'] === 44);
      for (const socket of waiting) socket.destroy();
      await Promise.all(endings);
      await rig.quiet(1);
      const denied = serviceSpec({ listen: [endpoint(`127.0.0.1:${port}`)], backends: [] });
      const sni = [{ names: ['a.example.org'], service: 'a' }];
      rig.dataPath.updateService({ ...denied, sni, deny: everybody() }, { version: 99, members: [] });
      await eventually('a denied client is refused before it says anything', async () => {
        const socket = await tcpClient(port).catch(() => null);
        socket?.destroy();
        return refused()['deny-list'] > 0;
      });
    });

    it('many clients that say nothing are bounded in time, and a stop takes them along', async () => {
      open(await recorder(), {}, { sni: [{ names: ['a.example.org'], service: 'a' }] });
      const waiting = await Promise.all(Array.from({ length: 50 }, () => tcpClient(port)));
      await eventually('they are counted', () => rig.process().fdsInUse >= 51);
      const endings = waiting.map((socket) => readToEnd(socket));
      await rig.dataPath.stop(millis(0));
      expect((await Promise.all(endings)).map(({ how }) => how)).toEqual(waiting.map(() => 'ECONNRESET'));
    });
  });
});
