import { createSocket } from 'node:dgram';
import { fstatSync, openSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type FlowOwner, NodeUdpFlow } from '../../../../src/data-path/forward/node-udp-flow.ts';
import { instant } from '../../../../src/lib/duration.ts';
import { backend } from '../../../support/data-path.ts';
import { addr } from '../../../support/golden.ts';

describe("a flow that leaves from the client's address", () => {
  const socket = createSocket('udp4');
  afterEach(() => socket.close());

  it('closes a descriptor that cannot be used, and fails', async () => {
    const { id, endpoint, weight, maxConnections } = backend('127.0.0.1:9');
    const fd = openSync('/dev/null', 'r');
    const failure = await new Promise<Error>((resolve) => {
      const owner: FlowOwner = {
        openTransparent: () => fd,
        reply: () => undefined,
        flowFailed: (flow, error) => {
          flow.close();
          resolve(error);
        },
        datagramDropped: () => undefined,
        closeFlow: () => undefined,
      };
      const source = addr('192.0.2.1');
      const client = { source, sourcePort: 1, destination: endpoint.address, destinationPort: 1 };
      const peer = { socket, address: source.text, port: 1 };
      const flow = new NodeUdpFlow({ key: '', client, listener: '', peer, now: instant(0), epoch: 0 }, owner);
      const member = { id, slot: 0, endpoint, weight, maxConnections, disposition: 'eligible' } as const;
      flow.connect(member, { address: source, transparent: true });
    });
    expect(failure.message).toContain('fd');
    expect(() => fstatSync(fd)).toThrow('EBADF');
  });
});
