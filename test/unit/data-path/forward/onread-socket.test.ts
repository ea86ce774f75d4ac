import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { withOnread } from '../../../../src/data-path/forward/onread-socket.ts';

describe('an accepted socket anew, with onread', () => {
  // were this to fail with another Node, the relay on `net` would still work, and bulk would take twice the time
  it('reads into the buffer that it is given, once it is resumed, and to the end', async () => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    client.end('what was sent before anybody read');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const buffer = Buffer.alloc(1_000);
    let got = '';
    const socket = withOnread(accepted, {
      buffer: () => buffer,
      callback: (length, into) => {
        expect(into.buffer).toBe(buffer.buffer);
        got += Buffer.from(into).toString('latin1', 0, length);
        return true;
      },
    });
    if (socket === null) throw new Error('not with this Node');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(got).toBe('');
    const ended = once(socket, 'end');
    socket.resume();
    await ended;
    expect(got).toBe('what was sent before anybody read');
    expect(socket.remotePort).toBe(client.localPort);
    const [answered, closed] = [once(client, 'data'), once(socket, 'close')];
    socket.end('and the other way');
    expect(String((await answered)[0])).toBe('and the other way');
    await closed;
    server.close();
  });

  it('is none where Node has no handle to give', () => {
    const socket = new Socket();
    expect(withOnread(socket, { buffer: Buffer.alloc(1), callback: () => true })).toBeNull();
    expect(socket.destroyed).toBe(false);
  });
});
