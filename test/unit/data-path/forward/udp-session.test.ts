import { createSocket } from 'node:dgram';
import { fstatSync, openSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { UdpSession, type UdpSessionOwner } from '../../../../src/data-path/forward/udp-session.ts';
import { backend } from '../../../support/data-path.ts';
import { addr } from '../../../support/golden.ts';

describe("a session that leaves from the client's address", () => {
  const socket = createSocket('udp4');
  afterEach(() => socket.close());

  it('closes a descriptor that cannot be used, and fails', async () => {
    const { id, endpoint, weight, maxConnections } = backend('127.0.0.1:9');
    const fd = openSync('/dev/null', 'r');
    const failure = await new Promise<Error>((resolve) => {
      const owner: UdpSessionOwner = {
        leaveFrom: () => ({ address: addr('192.0.2.1'), transparent: true }),
        openTransparent: () => fd,
        reply: () => undefined,
        upstreamFailed: (session, error) => {
          session.close();
          resolve(error);
        },
        datagramDropped: () => undefined,
        sessionExpired: () => undefined,
      };
      const member = { id, slot: 0, endpoint, weight, maxConnections, disposition: 'eligible' } as const;
      const client = { socket, address: '192.0.2.1', port: 1 };
      new UdpSession({ key: '', client, ticket: null, member, checked: 1, owner }).open();
    });
    expect(failure.message).toContain('fd');
    expect(() => fstatSync(fd)).toThrow('EBADF');
  });
});
