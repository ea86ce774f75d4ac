import { afterEach, describe, expect, it } from 'vitest';
import type { ProbeSpec } from '../../../../../src/model/health.ts';
import { type Opened, probe, udpServer } from './support.ts';

const opened: Opened[] = [];
/** A server that answers each query by what `reply` makes of it. */
const serve = async (reply: (query: Buffer) => readonly Uint8Array[]): Promise<Opened> => {
  const server = await udpServer((query) => reply(Buffer.from(query)));
  opened.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const dns = (expectRcode = 0): ProbeSpec => ({
  type: 'dns',
  query: 'example.org',
  recordType: 'A',
  expectRcode,
});

const answer = (query: Buffer, flags: number): Buffer => {
  query.writeUInt16BE(flags, 2);
  return query;
};

describe('the dns probe', () => {
  it('passes with the answer code that it wants, truncated or not', async () => {
    const fine = await serve((query) => [answer(query, 0x8180)]);
    expect(await probe(dns(), fine.target)).toEqual({ ok: true, detail: 'NOERROR', aborted: false });
    const short = await serve((query) => [answer(query, 0x8380)]);
    expect(await probe(dns(), short.target)).toMatchObject({ ok: true });
    const nothing = await serve((query) => [answer(query, 0x8183)]);
    expect(await probe(dns(3), nothing.target)).toMatchObject({ ok: true, detail: 'NXDOMAIN' });
  });

  it('fails with another code', async () => {
    const broken = await serve((query) => [answer(query, 0x8182)]);
    expect(await probe(dns(), broken.target)).toMatchObject({
      ok: false,
      reason: 'rcode',
      detail: 'SERVFAIL, wanted NOERROR',
    });
  });

  it('waits past datagrams that are no answer to its question', async () => {
    const noisy = await serve((query) => {
      const otherId = answer(Buffer.from(query), 0x8180);
      otherId.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0);
      return [Buffer.alloc(0), Buffer.from('junk'), otherId, Buffer.from(query), answer(query, 0x8180)];
    });
    expect(await probe(dns(), noisy.target)).toMatchObject({ ok: true });
  });

  it('gives up on a server that only sends rubbish', async () => {
    const flood = await serve(() => Array(40).fill(Buffer.alloc(1_400, 0xff)));
    expect(await probe(dns(), flood.target)).toMatchObject({ ok: false, reason: 'protocol', aborted: false });
  });

  it('never asks twice with one id', async () => {
    const ids = new Set<number>();
    const server = await serve((query) => {
      ids.add(query.readUInt16BE(0));
      return [answer(query, 0x8180)];
    });
    for (let i = 0; i < 20; i++) await probe(dns(), server.target);
    expect(ids.size).toBeGreaterThan(15);
  });
});
