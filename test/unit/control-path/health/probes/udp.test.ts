import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProbeSpec } from '../../../../../src/model/health.ts';
import { at, type Opened, probe, udpServer } from './support.ts';

const opened: Opened[] = [];
const serve = async (answer: (query: Buffer) => readonly Uint8Array[]): Promise<Opened> => {
  const server = await udpServer(answer);
  opened.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const udp = (expected: string | null): ProbeSpec => ({
  type: 'udp',
  send: Buffer.from('PING'),
  expect: expected === null ? null : Buffer.from(expected),
});

describe('the udp probe', () => {
  it('sends its payload and passes with a reply that begins as expected', async () => {
    const { target } = await serve((query) => [Buffer.from(`re:${query.toString()}!`)]);
    expect(await probe(udp('re:PING'), target)).toEqual({
      ok: true,
      detail: '8 bytes received',
      aborted: false,
    });
    expect(await probe(udp(null), target)).toMatchObject({ ok: true });
  });

  it('fails with another reply, a shorter one and an empty one', async () => {
    for (const reply of ['no', 're:PIN', '']) {
      const { target } = await serve(() => [Buffer.from(reply)]);
      expect(await probe(udp('re:PING'), target)).toMatchObject({ ok: false, reason: 'body-mismatch' });
    }
  });

  it('fails with "refused" by ICMP, at once', async () => {
    const server = await udpServer(() => []);
    await server.close();
    expect(await probe(udp(null), server.target)).toEqual({
      ok: false,
      reason: 'refused',
      detail: 'port unreachable',
      aborted: false,
    });
  });

  it('fails when the kernel refuses to connect: no route, or as here a broadcast address', async () => {
    expect(await probe(udp(null), at('255.255.255.255', 9))).toMatchObject({
      ok: false,
      reason: 'unreachable',
      aborted: false,
    });
  });

  it('waits for a reply until it is told to stop: silence is no health', async () => {
    const { target } = await serve(() => []);
    expect(await probe(udp(null), target, 150)).toMatchObject({
      ok: false,
      reason: 'timeout',
      aborted: true,
    });
  });

  it('does not take datagrams from anybody else', async () => {
    const liar = createSocket('udp4');
    const { target } = await serve(() => []);
    const real = createSocket('udp4');
    // a second server that answers from a socket other than the one that was asked
    await new Promise<void>((resolve) => real.bind(0, '127.0.0.1', resolve));
    real.on('message', (_query, from) => liar.send('re:PING', from.port, from.address));
    const spoofed = await probe(udp('re:PING'), at('127.0.0.1', real.address().port), 150);
    expect(spoofed).toMatchObject({ ok: false, aborted: true });
    expect(target.port).not.toBe(real.address().port);
    real.close();
    liar.close();
  });
});
