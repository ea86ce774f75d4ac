/**
 *   clients ---- 127.0.0.x:service [data path, in this process] ---- backends on 127.0.0.1
 */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millis, seconds } from '../../src/lib/duration.ts';
import { parsePrefix } from '../../src/lib/ip.ts';
import type { ServiceSpec, TimeoutSpec } from '../../src/model/service.ts';
import { backend, DataPathRig, endpoint, inProcess, RELAYS, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/netns.ts';
import { UdpClient, type UdpServer, udpServer } from '../support/udp.ts';

const TIMEOUTS: TimeoutSpec = {
  connect: seconds(2),
  idle: seconds(60),
  fin: seconds(10),
  session: seconds(30),
  preface: seconds(3),
};
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let rig: DataPathRig;
let port: number;
const cleanups: (() => Promise<void> | void)[] = [];

async function echo(host = '127.0.0.1'): Promise<UdpServer> {
  const server = await udpServer((datagram) => datagram, { host });
  cleanups.push(server.close);
  return server;
}

async function named(name: string, at?: number): Promise<UdpServer> {
  const options = at === undefined ? {} : { port: at };
  const server = await udpServer((datagram) => Buffer.concat([Buffer.from(name), datagram]), options);
  cleanups.push(server.close);
  return server;
}

async function client(host = '127.0.0.1'): Promise<UdpClient> {
  const opened = await UdpClient.open(port, host);
  cleanups.push(() => opened.close());
  return opened;
}

/** Opens a service in front of these and waits until it receives. */
async function serve(
  servers: readonly UdpServer[],
  overrides: Partial<ServiceSpec> = {},
): Promise<ServiceSpec> {
  const spec = serviceSpec({
    protocol: 'udp',
    listen: [endpoint(`127.0.0.1:${port}`)],
    backends: servers.map(({ address }) => backend(address)),
    ...overrides,
  });
  rig.open(spec);
  await eventually('it is open', () => rig.process().fdsInUse === spec.listen.length);
  return spec;
}

describe.each(RELAYS)('%s relay', (relay) => {
  beforeEach(async () => {
    rig = await DataPathRig.start({}, inProcess, 1, relay);
    port = await freePort();
  });

  afterEach(async () => {
    await rig.stop();
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  describe('datagrams', () => {
    it('of every size from 0 to 65,507 go both ways unchanged', async () => {
      await serve([await echo()]);
      const asking = await client();
      for (const size of [0, 1, 2, 511, 512, 513, 1_472, 1_473, 8_192, 9_000, 32_768, 65_506, 65_507]) {
        const datagram = randomBytes(size);
        expect(await asking.ask(datagram), `${size} bytes`).toEqual(datagram);
      }
      expect(rig.service()).toMatchObject({
        datagramsIn: 13,
        datagramsOut: 13,
        datagramsDropped: 0,
        accepted: 1,
      });
      expect(rig.service().bytesIn).toBe(rig.service().bytesOut);
    });

    it('that come in a burst before the upstream socket is connected are held in order', async () => {
      await serve([await echo()]);
      const asking = await client();
      for (let i = 0; i < 10; i++) asking.send(`${i}`);
      await eventually('all are answered', () => asking.inbox.length === 10);
      expect(asking.inbox.join('')).toBe('0123456789');
    });

    it('over IPv6', async () => {
      await serve([await echo('::1')], { listen: [endpoint(`[::1]:${port}`)] });
      expect((await (await client('::1')).ask('six'))?.toString()).toBe('six');
    });

    it('are answered from the address that the client wrote to', async () => {
      const addresses = ['127.0.0.1', '127.0.0.2', '127.1.2.3'];
      await serve([await echo()], { listen: addresses.map((address) => endpoint(`${address}:${port}`)) });
      // connected sockets: the kernel drops a reply from anywhere else
      for (const address of addresses) {
        expect((await (await client(address)).ask(address))?.toString()).toBe(address);
      }
      expect(rig.service().connections).toBe(3);
    });

    it('in bursts of one size and of many go both ways unchanged and in order', async () => {
      await serve([await echo()]);
      const asking = await client();
      const sizes = [
        ...Array(40).fill(1_200),
        300,
        ...Array(20).fill(1_200),
        0,
        0,
        5,
        9_000,
        9_000,
        9_000,
        1,
        1,
        1,
      ];
      const burst = sizes.map((size) => randomBytes(size));
      // those that wait for the first one's decision, then those of a known client
      for (let round = 1; round <= 2; round++) {
        for (const datagram of burst) asking.send(datagram);
        await eventually('all are answered', () => asking.inbox.length === round * burst.length);
      }
      const whole = Buffer.concat([...burst, ...burst]);
      expect(asking.inbox.map(({ length }) => length)).toEqual([...sizes, ...sizes]);
      expect(Buffer.concat(asking.inbox).equals(whole)).toBe(true);
      const count = 2 * sizes.length;
      expect(rig.service()).toMatchObject({ datagramsIn: count, datagramsOut: count, datagramsDropped: 0 });
      expect(rig.service()).toMatchObject({ bytesIn: whole.length, bytesOut: whole.length, accepted: 1 });
    });

    // with `relay = "node"` a wildcard is refused by the configuration
    if (relay === 'native') {
      it('behind a wildcard are answered from where the client wrote to', async () => {
        await serve([await echo()], { listen: [endpoint(`0.0.0.0:${port}`), endpoint(`[::]:${port}`)] });
        // connected sockets: the kernel drops a reply from anywhere else
        const addresses = ['127.0.0.1', '127.0.0.2', '127.1.2.3', '::1'];
        for (const address of addresses) {
          const asking = await client(address);
          for (let i = 0; i < 2; i++) expect(`${await asking.ask(address)}`).toBe(address);
        }
        expect(rig.service()).toMatchObject({ connections: 4, accepted: 4, datagramsDropped: 0 });
      });
    }

    it('of one client go to one backend, of many to all', async () => {
      await serve([await named('a'), await named('b')]);
      const [one, two] = [await client(), await client()];
      const answers: string[] = [];
      for (let i = 0; i < 5; i++) {
        answers.push(`${await one.ask('1')}`, `${await two.ask('2')}`);
      }
      expect(new Set(answers).size).toBe(2);
      expect(rig.service()).toMatchObject({ connections: 2, accepted: 2 });
    });
  });

  describe('sessions', () => {
    it('end after their time-out without a datagram in either direction', async () => {
      await serve([await echo()], { timeouts: { ...TIMEOUTS, session: millis(400), preface: seconds(3) } });
      const asking = await client();
      for (let i = 0; i < 4; i++) {
        expect(await asking.ask('keep')).not.toBeNull();
        await sleep(200);
      }
      expect(rig.service()).toMatchObject({ connections: 1, accepted: 1 });
      await eventually('the session is gone', () => rig.service().connections === 0);
      expect(rig.service().sessionsEnded['session-timeout']).toBe(1);
      await rig.quiet(1);
      expect((await asking.ask('again'))?.toString()).toBe('again');
      expect(rig.service().accepted).toBe(2);
    });

    it('2,000 clients on a cap of 500: the least recently used ones are evicted, everybody is served', async () => {
      await serve([await echo(), await echo()], { maxConnections: 500 });
      const regular = await client();
      for (let round = 0; round < 20; round++) {
        // kept open to the end: a port that is used again would be the same client
        const group = await Promise.all(Array.from({ length: 100 }, () => client()));
        const answers = await Promise.all(group.map((each, i) => each.ask(`${round}/${i}`)));
        expect(answers.map(String)).toEqual(group.map((_, i) => `${round}/${i}`));
        expect((await regular.ask('still me'))?.toString()).toBe('still me');
        expect(rig.service().connections).toBeLessThanOrEqual(500);
      }
      // the regular client was used in between and never lost its session
      expect(rig.service().accepted).toBe(2_001);
      expect(rig.service().sessionsEnded.evicted).toBe(1_501);
      expect(rig.process().fdsInUse).toBe(501);
    });

    it('a refused source gets no session and no answer', async () => {
      await serve([await echo()], {
        sourceLimit: { maxConnections: 1, rate: null, prefix4: 32, prefix6: 64 },
      });
      const [first, second] = [await client(), await client()];
      expect(await first.ask('x')).not.toBeNull();
      expect(await second.ask('x', 300)).toBeNull();
      expect(rig.service().refused['source-limit']).toBe(1);
      expect(rig.service().datagramsDropped).toBe(1);
    });

    it('each datagram of a refused source is refused by itself, also in a burst', async () => {
      await serve([await echo()], { deny: [parsePrefix('127.0.0.0/8') ?? []].flat() });
      const asking = await client();
      for (let i = 0; i < 30; i++) asking.send(`${i}`);
      await eventually('all are refused', () => rig.service().refused['deny-list'] === 30);
      expect(rig.service()).toMatchObject({
        datagramsDropped: 30,
        datagramsIn: 0,
        accepted: 0,
        connections: 0,
      });
    });

    it('move with the next datagram when their backend goes down; those of others stay', async () => {
      const [a, b] = [await named('a'), await named('b')];
      const spec = await serve([a, b]);
      const clients = await Promise.all(Array.from({ length: 6 }, () => client()));
      await Promise.all(clients.map((each) => each.ask('1')));
      rig.dataPath.setBackends('svc', rig.set(spec, { [a.address]: 'leave' }));
      await sleep(50);
      const answers = await Promise.all(clients.map((each) => each.ask('2')));
      expect(new Set(answers.map(String))).toEqual(new Set(['b2']));
      expect(rig.service().sessionsEnded.rehomed).toBe(3);
      expect(rig.backend(a.address).connections).toBe(0);
      expect(rig.backend(b.address).connections).toBe(6);
    });

    it('stay on a backend that only takes no new ones', async () => {
      const [a, b] = [await named('a'), await named('b')];
      const spec = await serve([a, b]);
      const asking = await client();
      const before = `${await asking.ask('1')}`;
      const own = before.startsWith('a') ? a : b;
      rig.dataPath.setBackends('svc', rig.set(spec, { [own.address]: 'keep' }));
      await sleep(50);
      expect(`${await asking.ask('1')}`).toBe(before);
      expect(`${await (await client()).ask('1')}`).not.toBe(before);
    });

    it('with no backend left are refused, and begin anew when one is back', async () => {
      const a = await named('a');
      const spec = await serve([a]);
      const asking = await client();
      expect(await asking.ask('1')).not.toBeNull();
      rig.dataPath.setBackends('svc', rig.set(spec, { [a.address]: 'leave' }));
      await sleep(50);
      expect(await asking.ask('2', 200)).toBeNull();
      expect(rig.service().refused['no-backend']).toBe(1);
      expect(rig.service().connections).toBe(0);
      rig.dataPath.setBackends('svc', rig.set(spec));
      await sleep(50);
      expect(`${await asking.ask('3')}`).toBe('a3');
    });

    it('ICMP unreachable is a passive failure and moves the session', async () => {
      const b = await named('b');
      const dead = `127.0.0.1:${await freePort()}`;
      const spec = serviceSpec({
        protocol: 'udp',
        listen: [endpoint(`127.0.0.1:${port}`)],
        backends: [backend(dead), backend(b.address)],
        schedule: { algorithm: 'first', hashKey: 'tuple', tableSize: 65_537, balanceFactor: null },
      });
      rig.open(spec);
      const asking = await client();
      await sleep(50);
      expect(await asking.ask('lost', 300)).toBeNull();
      expect(rig.traffic).toEqual([{ service: 'svc', backend: dead, outcome: 'icmp-unreachable' }]);
      expect(`${await asking.ask('2')}`).toBe('b2');
      expect(rig.service().sessionsEnded.rehomed).toBe(1);
      expect(rig.service()).toMatchObject({ connections: 1, accepted: 1 });
    });

    it('a lone backend that was unreachable serves again when it is back, and that is news', async () => {
      const at = await freePort();
      const spec = serviceSpec({
        protocol: 'udp',
        listen: [endpoint(`127.0.0.1:${port}`)],
        backends: [backend(`127.0.0.1:${at}`)],
      });
      rig.open(spec);
      const asking = await client();
      await sleep(50);
      expect(await asking.ask('lost', 200)).toBeNull();
      await named('a', at);
      expect(`${await asking.ask('2')}`).toBe('a2');
      await eventually('the success is reported', () => rig.traffic.length === 2);
      expect(rig.traffic.map(({ outcome }) => outcome)).toEqual(['icmp-unreachable', 'connect-ok']);
    });
  });

  describe('what the supervisor does', () => {
    it('closing drains: sessions go on, new ones are not begun', async () => {
      await serve([await echo()], { timeouts: { ...TIMEOUTS, session: millis(500), preface: seconds(3) } });
      const [old, late] = [await client(), await client()];
      expect(await old.ask('1')).not.toBeNull();
      const closed = rig.dataPath.closeService('svc', seconds(20));
      await sleep(50);
      expect((await old.ask('2'))?.toString()).toBe('2');
      expect(await late.ask('x', 200)).toBeNull();
      await closed;
      await rig.quiet(0);
      expect(rig.service().sessionsEnded['session-timeout']).toBe(1);
    });

    it('a deadline ends what is left', async () => {
      await serve([await echo()]);
      const old = await client();
      expect(await old.ask('1')).not.toBeNull();
      await rig.dataPath.closeService('svc', millis(300));
      expect(rig.service().sessionsEnded['drain-deadline']).toBe(1);
      await rig.quiet(0);
    });

    it('a successor on the same address gets every datagram while the old service drains', async () => {
      const [a, b] = [await named('a'), await named('b')];
      await serve([a]);
      const old = await client();
      expect(`${await old.ask('1')}`).toBe('a1');
      const closed = rig.dataPath.closeService('svc', seconds(20));
      rig.open(
        serviceSpec({
          protocol: 'udp',
          listen: [endpoint(`127.0.0.1:${port}`)],
          backends: [backend(b.address)],
        }),
      );
      await closed;
      const clients = await Promise.all(Array.from({ length: 10 }, () => client()));
      const answers = await Promise.all([old, ...clients].map((each) => each.ask('2')));
      expect(new Set(answers.map(String))).toEqual(new Set(['b2']));
    });
  });
});
