import { connect, createServer } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { decodeClientHello, HELLO_MAX } from '../../../../src/data-path/preface/client-hello.ts';

/** What OpenSSL sends first. */
async function helloOf(options: { servername?: string; ALPNProtocols?: string[]; maxVersion?: 'TLSv1.2' }) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const first = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (chunk: Buffer) => {
        resolve(chunk);
        socket.destroy();
      });
    });
  });
  const client = tlsConnect({ socket: connect(address.port, '127.0.0.1'), ...options });
  client.on('error', () => undefined);
  const bytes = await first;
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
  return bytes;
}

/** The same handshake message in records of at most `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment);
  }
  return Buffer.concat(records);
}

describe('a ClientHello of OpenSSL', () => {
  test.each([
    ['TLS 1.3', {}],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' as const }],
  ])('%s: server name and protocols, whole and in small records', async (_, version) => {
    const hello = await helloOf({
      servername: 'App.Example.ORG',
      ALPNProtocols: ['h2', 'http/1.1'],
      ...version,
    });
    const expected = { serverName: 'app.example.org', protocols: ['h2', 'http/1.1'] };
    for (const bytes of [hello, inRecords(hello, 1), inRecords(hello, 3), inRecords(hello, 100)]) {
      expect(decodeClientHello(bytes)).toMatchObject({ status: 'complete', hello: expected });
      expect(decodeClientHello(Buffer.concat([bytes, Buffer.from('more')]))).toMatchObject({
        hello: expected,
      });
    }
  });

  test('every part of it is incomplete', async () => {
    const hello = inRecords(await helloOf({ servername: 'a.example' }), 64);
    for (let length = 0; length < hello.length; length++) {
      expect(decodeClientHello(hello.subarray(0, length)), `${length} bytes`).toEqual({
        status: 'incomplete',
      });
    }
  });

  test('no name', async () => {
    expect(decodeClientHello(await helloOf({}))).toMatchObject({
      hello: { serverName: null, protocols: [] },
    });
  });
});

describe('anything else', () => {
  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'not-tls'],
    ['its first byte alone', Buffer.from('G'), 'not-tls'],
    ['SSLv2', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'not-tls'],
    ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'not-tls'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'malformed'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), 'malformed'],
    ['a message that is too long', Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), 'too-long'],
    ['a message that ends within a field', Buffer.from([22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3]), 'malformed'],
  ])('%s', (_, bytes, fault) => expect(decodeClientHello(bytes)).toEqual({ status: 'fault', fault }));

  test('records that never make up a message are given up', () => {
    const one = Buffer.from([22, 3, 1, 0, 1, 1]);
    const next = Buffer.from([22, 3, 1, 0, 1, 0]);
    const [length, rest] = [Buffer.from([22, 3, 1, 0, 3, 0, 0x3f, 0]), Array<Buffer>(3_000).fill(next)];
    expect(decodeClientHello(Buffer.concat([one, length, ...rest.slice(0, 100)]))).toEqual({
      status: 'incomplete',
    });
    const flood = Buffer.concat([one, length, ...rest]).subarray(0, HELLO_MAX);
    expect(decodeClientHello(flood)).toEqual({ status: 'fault', fault: 'too-long' });
  });
});
