/**
 * The native addon against the kernel, in two namespaces on one switch:
 *
 *   one eth0 10.98.0.1, 2001:db8:98::1 ──┬── lan ──┬── eth0 10.98.0.2, 2001:db8:98::2 two
 *
 * A vitest worker stays in the root namespace, so every call runs in a small Node program on its host.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TandemError } from '../../src/lib/errors.ts';
import { loadNative, requireAddon } from '../../src/native/index.ts';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';

const DIST = new URL('../../dist/native/index.js', import.meta.url).href;

/** What every program begins with; `say` prints one JSON line. */
const PRELUDE = `
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import dgram from 'node:dgram';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { isNativeError, loadNative } from '${DIST}';
const native = loadNative();
const say = (value) => console.log(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? [...v] : v)));
const bytes4 = (text) => Uint8Array.from(text.split('.').map(Number));
const bytes6 = (...words) => Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
const link = (name) => native.listLinks().find((one) => one.name === name);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (act) => {
  try { act(); } catch (error) {
    return { native: isNativeError(error), name: error.name, code: error.code, syscall: error.syscall };
  }
  return null;
};
`;

const unable = missing('setpriv', 'prlimit');

describe.skipIf(unable !== null)('native addon', () => {
  let lab: Lab;
  let one: Host;
  let two: Host;

  const program = (body: string): string[] => [process.execPath, '--input-type=module', '-e', PRELUDE + body];

  /** Runs a program to its end; its last line, parsed. */
  async function run<T>(host: Host, body: string, prefix: readonly string[] = []): Promise<T> {
    const { status, stdout, stderr } = await host.run([...prefix, ...program(body)], { timeoutMs: 20_000 });
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as T;
  }

  const lines = <T>(process: HostProcess): T[] =>
    process
      .log()
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as T);

  beforeAll(() => {
    lab = Lab.create('native');
    const lan = lab.bridge('lan');
    one = lab.host('one');
    two = lab.host('two');
    one.join(lan, 'eth0', ['10.98.0.1/24', '2001:db8:98::1/64']);
    two.join(lan, 'eth0', ['10.98.0.2/24', '2001:db8:98::2/64']);
  });
  afterAll(() => lab.destroy());

  test('a missing addon is an error for people', () => {
    expect(() => loadNative()).not.toThrow();
    const load = (): unknown => requireAddon('/nonexistent/tandem_native.node');
    expect(load).toThrow(TandemError);
    expect(load).toThrow(
      expect.objectContaining({
        code: 'native.missing',
        exitStatus: 71,
        hint: expect.stringContaining('npm rebuild'),
      }),
    );
  });

  describe('listeners', () => {
    test.each(['10.98.0.77', '2001:db8:98::77'])(
      'freebind: %s is bound before the host holds it',
      async (address) => {
        const found = await run<{ port: number; without: object }>(
          one,
          `const options = { address: '${address}', port: 0, reusePort: true, backlog: 16 };
         const fd = native.openTcpListener({ ...options, freebind: true });
         const udp = native.openUdpSocket({ ...options, freebind: true, bufferSize: 0 });
         say({ port: native.localPort(fd), udp: native.localPort(udp),
               without: failure(() => native.openTcpListener({ ...options, freebind: false })) });
         native.closeFd(fd); native.closeFd(udp);`,
        );
        expect(found.port).toBeGreaterThan(0);
        expect(found.without).toMatchObject({ native: true, code: 'EADDRNOTAVAIL', syscall: 'bind' });
      },
    );

    test('a duplicate keeps a listening socket open, with those who wait to be accepted', async () => {
      const answer = await run<string>(
        one,
        `const first = native.openTcpListener(
           { address: '127.0.0.1', port: 0, freebind: false, reusePort: false, backlog: 16 });
         const second = native.dupFd(first);
         const port = native.localPort(first);
         const client = net.connect(port, '127.0.0.1');
         client.on('connect', () => {
           native.closeFd(first);
           net.createServer((socket) => socket.end('waited')).listen({ fd: second });
         });
         client.on('data', (data) => { say(data.toString()); process.exit(); });`,
      );
      expect(answer).toBe('waited');
    });

    test('two listeners share a port by SO_REUSEPORT, both served through net.Server', async () => {
      const counts = await run<number[]>(
        one,
        `const counts = [0, 0];
         const open = (port) => native.openTcpListener(
           { address: '127.0.0.1', port, freebind: false, reusePort: true, backlog: 128 });
         const first = open(0);
         const port = native.localPort(first);
         const servers = [first, open(port)].map((fd, i) => net.createServer((socket) => {
           counts[i]++; socket.end('x');
         }).listen({ fd }));
         for (let i = 0; i < 60; i++) await new Promise((resolve, reject) => {
           net.connect(port, '127.0.0.1').on('close', resolve).on('error', reject).resume();
         });
         for (const server of servers) server.close();
         say(counts);`,
      );
      expect(counts[0]).toBeGreaterThan(0);
      expect(counts[1]).toBeGreaterThan(0);
      expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(60);
    });

    test('a port in use is EADDRINUSE, and no descriptor is lost', async () => {
      const found = await run<{ tcp: object; udp: object; before: number; after: number }>(
        one,
        `const options = { address: '::1', freebind: false, reusePort: false };
         const tcp = native.openTcpListener({ ...options, port: 0, backlog: 1 });
         const udp = native.openUdpSocket({ ...options, port: 0, bufferSize: 0 });
         const count = () => readdirSync('/proc/self/fd').length;
         const before = count();
         const result = {
           tcp: failure(() => native.openTcpListener({ ...options, port: native.localPort(tcp), backlog: 1 })),
           udp: failure(() => native.openUdpSocket({ ...options, port: native.localPort(udp), bufferSize: 0 })),
         };
         say({ ...result, before, after: count() });
         process.exit();`,
      );
      expect(found.tcp).toMatchObject({ native: true, code: 'EADDRINUSE', syscall: 'bind' });
      expect(found.udp).toMatchObject({ native: true, code: 'EADDRINUSE', syscall: 'bind' });
      expect(found.after).toBe(found.before);
    });

    test('a UDP socket has the buffer it was given, and dgram takes it over', async () => {
      const found = await run<{ size: number; answer: string }>(
        one,
        `const fd = native.openUdpSocket(
           { address: '::1', port: 0, freebind: false, reusePort: true, bufferSize: 3000000 });
         const port = native.localPort(fd);
         const server = dgram.createSocket('udp6').on('message', (text, from) => server.send(text, from.port, '::1'));
         await new Promise((resolve) => server.bind({ fd }, resolve));
         const client = dgram.createSocket('udp6');
         client.send('hello', port, '::1');
         const [answer] = await new Promise((resolve) => client.once('message', (...args) => resolve(args)));
         say({ size: server.getRecvBufferSize(), answer: String(answer) });
         server.close(); client.close();`,
      );
      expect(found.answer).toBe('hello');
      // the kernel doubles it; far above net.core.rmem_max
      expect(found.size).toBeGreaterThanOrEqual(3_000_000);
    });

    test('arguments are checked', async () => {
      const found = await run<unknown[]>(
        one,
        `const good = { address: '127.0.0.1', port: 0, freebind: false, reusePort: false, backlog: 1 };
         say([{ ...good, port: 65536 }, { ...good, port: 1.5 }, { ...good, port: '80' },
              { ...good, address: 80 }, { ...good, freebind: 1 }, { ...good, backlog: 0 }, null]
           .map((options) => failure(() => native.openTcpListener(options)).name)
           .concat(failure(() => native.openTcpListener({ ...good, address: 'localhost' })).code)
           .concat(failure(() => native.dupFd(100_000)).code)
           .concat(failure(() => native.keepFreedMemory(-1)).name)
           .concat(failure(() => native.keepFreedMemory(1_048_576))));`,
      );
      expect(found).toEqual([
        'RangeError',
        'RangeError',
        'TypeError',
        'TypeError',
        'TypeError',
        'RangeError',
        'TypeError',
        'EINVAL',
        'EBADF',
        'RangeError',
        null,
      ]);
    });
  });

  describe('addresses', () => {
    const lease4 = `const lease = { ifindex: link('eth0').index, address: bytes4('10.98.0.50'), prefixLength: 24,
      lifetime: 1, preferred: 1 };`;

    test('a lease ends in the kernel, a refreshed one does not, a removed one is gone', async () => {
      const put = (address: string): string =>
        `${lease4} native.putAddress({ ...lease, address: bytes4('${address}') });`;
      await run(one, `${put('10.98.0.50')} say(true);`);
      expect(one.holds('10.98.0.50')).toBe(true);
      const kept = await run<boolean[]>(
        one,
        `${lease4}
         const held = [];
         for (let i = 0; i < 15; i++) {
           native.putAddress({ ...lease, address: bytes4('10.98.0.51') });
           await sleep(200);
           held.push(native.listAddresses().some(({ address }) => address.join('.') === '10.98.0.51'));
         }
         say(held);`,
      );
      expect(kept).toEqual(Array.from({ length: 15 }, () => true));
      expect(one.holds('10.98.0.50')).toBe(false);
      const removed = await run<boolean[]>(
        one,
        `${put('10.98.0.52')} say([native.removeAddress(lease), native.removeAddress({ ...lease, address: bytes4('10.98.0.52') })]);`,
      );
      expect(removed).toEqual([false, true]);
      await eventually('the last lease ends', () => !one.holds('10.98.0.51'), 5_000);
    });

    test('IPv6: usable at once (NODAD), deprecated when asked, and the lease ends', async () => {
      const found = await run<{ flags: number; validLifetime: number; preferredLifetime: number }>(
        one,
        `const address = bytes6(0x2001, 0xdb8, 0x98, 0, 0, 0, 0, 0x50);
         native.putAddress({ ifindex: link('eth0').index, address, prefixLength: 64, lifetime: 1, preferred: 0 });
         say(native.listAddresses().find((info) => info.address.join() === address.join()));`,
      );
      const [tentative, deprecated, permanent] = [0x40, 0x20, 0x80].map((bit) => (found.flags & bit) !== 0);
      expect({ tentative, deprecated, permanent }).toEqual({
        tentative: false,
        deprecated: true,
        permanent: false,
      });
      expect(found).toMatchObject({ validLifetime: 1, preferredLifetime: 0 });
      await eventually('the lease ends', () => !one.holds('2001:db8:98::50'), 5_000);
      expect(one.holds('2001:db8:98::1')).toBe(true);
    });

    test("IPv6: a local route delivers at once, beside the kernel's own, and ends by itself", async () => {
      const address = 'bytes6(0x2001, 0xdb8, 0x98, 0, 0, 0, 0, 0x61)';
      const body = `
         const route = { ifindex: link('eth0').index, address: ${address}, protocol: 112 };
         const found = () => execFileSync('ip', ['-6', 'route', 'get', '2001:db8:98::61'], { encoding: 'utf8' });
         native.putLocalRoute({ ...route, lifetime: 1 });
         native.putLocalRoute({ ...route, lifetime: 1 });
         const first = found();
         const listed = native.listRoutes(6, 112).length;
         await sleep(1_500);
         const expired = found();
         native.putLocalRoute({ ...route, lifetime: 60 });
         const renewed = found();
         native.putAddress({ ifindex: route.ifindex, address: ${address}, prefixLength: 64, lifetime: 60, preferred: 0 });
         await sleep(500);
         const removed = [native.removeLocalRoute(route), native.removeLocalRoute(route)];
         say({ first, listed, expired, renewed, removed, kept: found() });
         native.removeAddress({ ifindex: route.ifindex, address: ${address}, prefixLength: 64 });`;
      const got = await run<Record<string, unknown>>(one, body);
      expect(got).toMatchObject({ listed: 0, removed: [true, false] });
      for (const moment of ['first', 'renewed', 'kept']) expect(got[moment]).toMatch(/^local /);
      expect(got['expired']).not.toMatch(/^local /);
    });

    test('lists agree with ip', async () => {
      const found = await run<{ mtu: number; mac: number[]; addresses: { address: number[] }[] }>(
        one,
        `say({ ...link('eth0'), addresses: native.listAddresses().filter(({ ifindex }) => ifindex === link('eth0').index) });`,
      );
      const [shown] = JSON.parse(one.ip('-j', 'addr', 'show', 'dev', 'eth0')) as [
        { mtu: number; address: string; addr_info: object[] },
      ];
      expect(found.mtu).toBe(shown.mtu);
      expect(found.mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':')).toBe(shown.address);
      expect(found.addresses).toHaveLength(shown.addr_info.length);
      expect(found.addresses[0]?.address).toEqual([10, 98, 0, 1]);
    });

    test('a thousand addresses come in several parts', async () => {
      const count = await run<number>(
        two,
        `const ifindex = link('lo').index;
         for (let i = 0; i < 1000; i++) native.putAddress(
           { ifindex, address: bytes4('10.200.' + (i >> 8) + '.' + (i & 255)), prefixLength: 32, lifetime: 30, preferred: 30 });
         say(native.listAddresses().filter(({ address }) => address[1] === 200).length);`,
      );
      expect(count).toBe(1_000);
    });

    test('errors carry the name of the errno', async () => {
      const body = `${lease4}
        say([failure(() => native.putAddress({ ...lease, ifindex: 4242 })),
             failure(() => native.removeAddress({ ...lease, ifindex: 4242 })),
             failure(() => native.openPacketSocket(4242, 0, null)),
             failure(() => native.putAddress({ ...lease, address: new Uint8Array(5) })),
             failure(() => native.putAddress({ ...lease, lifetime: 0 }))]);`;
      expect(await run(one, body)).toMatchObject([
        { native: true, code: 'ENODEV', syscall: 'RTM_NEWADDR' },
        { native: true, code: 'ENODEV', syscall: 'RTM_DELADDR' },
        { native: true, code: 'ENODEV', syscall: 'bind' },
        { name: 'RangeError' },
        { name: 'RangeError' },
      ]);
    });

    test('without capabilities everything privileged is EPERM', async () => {
      const body = `${lease4}
        say([failure(() => native.putAddress(lease)), failure(() => native.removeAddress(lease)),
             failure(() => native.openPacketSocket(lease.ifindex, 0, null)),
             failure(() => native.openRaw6Receiver({ protocol: 112, ifindex: lease.ifindex, group: null }, () => {})),
             native.listAddresses().length > 0]);`;
      const drop = ['setpriv', '--bounding-set=-net_admin,-net_raw'];
      expect(await run(one, body, drop)).toMatchObject([
        { code: 'EPERM', syscall: 'RTM_NEWADDR' },
        { code: 'EPERM', syscall: 'RTM_DELADDR' },
        { code: 'EPERM', syscall: 'socket' },
        { code: 'EPERM', syscall: 'socket' },
        true,
      ]);
    });
  });

  test('the monitor sees the cable, new addresses and foreign deletions', async () => {
    const watcher = one.spawn(
      'monitor',
      program(`native.monitor((event) => say(event.type === 'link'
        ? { type: 'link', name: event.link.name, carrier: event.link.carrier }
        : { type: 'address', address: event.address.address.join('.'), removed: event.removed }));
        say({ type: 'ready' });`),
    );
    const saw = (wanted: object): Promise<void> =>
      eventually(JSON.stringify(wanted), () => lines<object>(watcher).some((line) => contains(line, wanted)));
    await saw({ type: 'ready' });
    one.ip('addr', 'add', '10.98.0.60/24', 'dev', 'eth0');
    await saw({ address: '10.98.0.60', removed: false });
    one.ip('addr', 'del', '10.98.0.60/24', 'dev', 'eth0');
    await saw({ address: '10.98.0.60', removed: true });
    one.setCable('eth0', false);
    await saw({ type: 'link', name: 'eth0', carrier: false });
    const before = lines(watcher).length;
    one.setCable('eth0', true);
    await eventually('carrier is back', () =>
      lines<object>(watcher)
        .slice(before)
        .some((line) => contains(line, { name: 'eth0', carrier: true })),
    );
    await watcher.stop();
  });

  test('a packet socket: its frame arrives at the peer, whole, and survives the link going down', async () => {
    const receiver = two.spawn(
      'packets',
      program(`native.openPacketSocket(link('eth0').index, 0x88b5, (frame) => say({ text: String(Buffer.from(frame.subarray(14))) }));
        say({ text: 'ready' });`),
    );
    const texts = (): string[] => lines<{ text: string }>(receiver).map(({ text }) => text);
    await eventually('it listens', () => texts().includes('ready'));
    const send = (text: string): Promise<unknown> =>
      run(
        one,
        `const { index, mac } = link('eth0');
         const socket = native.openPacketSocket(index, 0, null);
         socket.send(Buffer.concat([Buffer.alloc(6, 0xff), mac, Buffer.from([0x88, 0xb5]), Buffer.from('${text}')]));
         socket.close(); socket.close();
         say(failure(() => socket.send(new Uint8Array(60))));`,
      );
    expect(await send('x'.repeat(1_000))).toMatchObject({ code: 'EBADF' });
    await eventually('the frame arrives', () => texts().includes('x'.repeat(1_000)));
    // the socket's pending ENETDOWN must not end it
    two.setCable('eth0', false);
    two.ip('link', 'set', 'eth0', 'down');
    two.ip('link', 'set', 'eth0', 'up');
    two.setCable('eth0', true);
    await eventually('a frame arrives again', async () => {
      await send('again');
      return texts().includes('again');
    });
    await receiver.stop();
  });

  test('raw IPv6: payload, source, destination and hop limit of multicast messages', async () => {
    const receiver = two.spawn(
      'raw6',
      program(`native.openRaw6Receiver({ protocol: 112, ifindex: link('eth0').index,
          group: bytes6(0xff02, 0, 0, 0, 0, 0, 0, 0x12) },
          ({ payload, source, destination, hopLimit, ifindex }) =>
            say({ text: String(Buffer.from(payload)), source, destination, hopLimit, ifindex }));
        say({ text: 'ready', index: link('eth0').index });`),
    );
    type Line = {
      text: string;
      index?: number;
      ifindex: number;
      hopLimit: number;
      source: number[];
      destination: number[];
    };
    const find = (text: string): Line | undefined => lines<Line>(receiver).find((line) => line.text === text);
    await eventually('it listens', () => find('ready') !== undefined);
    for (const hops of [255, 64]) {
      // the group is joined by a report that the switch floods; until then messages may be lost
      await eventually(`the message with hop limit ${hops} arrives`, async () => {
        await run(
          one,
          `const { default: raw } = await import('${import.meta.resolve('raw-socket')}');
           const socket = raw.createSocket({ protocol: 112, addressFamily: 2 });
           socket.setOption(41, 18, ${hops});
           await new Promise((resolve, reject) => socket.send(Buffer.from('hops ${hops}'), 0, ${`hops ${hops}`.length},
             'ff02::12%eth0', (error) => (error ? reject(error) : resolve())));
           socket.close();
           say(true);`,
        );
        return find(`hops ${hops}`) !== undefined;
      });
      const line = find(`hops ${hops}`);
      expect(line?.hopLimit).toBe(hops);
      expect(line?.source.slice(0, 2)).toEqual([0xfe, 0x80]);
      expect(line?.destination).toEqual([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12]);
      expect(line?.ifindex).toBe(find('ready')?.index);
    }
    await receiver.stop();
  });

  describe('the process', () => {
    test('SCHED_FIFO and back; EPERM without CAP_SYS_NICE', async () => {
      // /proc/self/stat: policy is the 41st field
      const body = `
        const policy = () => Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[38]);
        const denied = failure(() => native.setRealtime(10));
        const during = policy();
        if (denied === null) native.setRealtime(0);
        say({ denied, during, after: policy() });`;
      const allowed = await run<{ denied: { code: string } | null; during: number; after: number }>(
        one,
        body,
      );
      // a container may be denied it even as root
      expect(allowed).toEqual(
        allowed.denied === null
          ? { denied: null, during: 1, after: 0 }
          : { denied: expect.objectContaining({ code: 'EPERM' }), during: 0, after: 0 },
      );
      const drop = ['setpriv', '--bounding-set=-sys_nice'];
      expect(await run(one, body, drop)).toMatchObject({ denied: { code: 'EPERM' }, during: 0 });
    });

    test('the limit of descriptors is raised up to the hard one', async () => {
      const found = await run<{ soft: number; hard: number }[]>(
        one,
        // Node raises it as it starts
        `execFileSync('prlimit', ['--pid', process.pid, '--nofile=256:512']);
         say([native.getFdLimit(), native.raiseFdLimit(300), native.raiseFdLimit(10000000), native.raiseFdLimit(10)]);`,
      );
      expect(found).toEqual([
        { soft: 256, hard: 512 },
        { soft: 300, hard: 512 },
        { soft: 512, hard: 512 },
        { soft: 512, hard: 512 },
      ]);
    });

    test('worker threads load it side by side, and a terminated one leaves nothing open', async () => {
      const found = await run<{ before: number; during: number; after: number; events: number }>(
        one,
        `const worker = \`
           Promise.all([import('node:worker_threads'), import('${DIST}')]).then(([{ parentPort }, { loadNative }]) => {
             const native = loadNative();
             native.monitor(() => {});
             native.openRaw6Receiver({ protocol: 112, ifindex: 1, group: null }, () => {});
             native.openPacketSocket(native.listLinks().find(({ name }) => name === 'eth0').index, 3, () => {});
             parentPort.postMessage('ready');
           });\`;
         const sockets = () => readFileSync('/proc/self/net/netlink', 'utf8').split('\\n').length
           + readFileSync('/proc/self/net/raw6', 'utf8').split('\\n').length
           + readFileSync('/proc/self/net/packet', 'utf8').split('\\n').length;
         let events = 0;
         const own = native.monitor(() => { events++; });
         const before = sockets();
         const workers = await Promise.all([1, 2, 3].map(() => new Promise((resolve, reject) => {
           const one = new Worker(worker, { eval: true });
           one.once('message', () => resolve(one)).once('error', reject);
         })));
         const during = sockets();
         await Promise.all(workers.map((one) => one.terminate()));
         const after = sockets();
         native.putAddress({ ifindex: 1, address: bytes4('127.0.0.50'), prefixLength: 32, lifetime: 1, preferred: 1 });
         await sleep(100);
         own.close();
         say({ before, during, after, events });`,
      );
      expect(found.during).toBe(found.before + 9);
      expect(found.after).toBe(found.before);
      // the main thread's handle lives on
      expect(found.events).toBeGreaterThan(0);
    });

    test('a worker that is terminated within a listener ends alone', async () => {
      const found = await run<number>(
        one,
        `const worker = \`
           Promise.all([import('node:worker_threads'), import('${DIST}')]).then(([{ parentPort }, { loadNative }]) => {
             loadNative().monitor(() => {
               parentPort.postMessage('inside');
               Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
             });
             parentPort.postMessage('ready');
           });\`;
         let ended = 0;
         for (let last = 61; last < 64; last++) {
           const one = new Worker(worker, { eval: true });
           const heard = (word) => new Promise((resolve, reject) => {
             one.on('message', (message) => { if (message === word) resolve(); }).once('error', reject);
           });
           const inside = heard('inside');
           await heard('ready');
           native.putAddress({ ifindex: 1, address: bytes4('127.0.0.' + last), prefixLength: 32, lifetime: 1, preferred: 1 });
           await inside;
           await one.terminate();
           ended++;
         }
         say(ended);`,
      );
      expect(found).toBe(3);
    });

    test('what a listener throws is an uncaught exception, and closing inside it is allowed', async () => {
      const found = await run<{ caught: string; calls: number }>(
        one,
        `let calls = 0;
         let caught = 'nothing';
         process.on('uncaughtException', (error) => { caught = error.message; });
         const handle = native.monitor(() => { calls++; handle.close(); throw new Error('from the listener'); });
         for (const last of [51, 52]) native.putAddress(
           { ifindex: 1, address: bytes4('127.0.0.' + last), prefixLength: 32, lifetime: 1, preferred: 1 });
         await sleep(100);
         say({ caught, calls });`,
      );
      expect(found).toEqual({ caught: 'from the listener', calls: 1 });
    });
  });
});

function contains(line: object, wanted: object): boolean {
  return Object.entries(wanted).every(([key, value]) => (line as Record<string, unknown>)[key] === value);
}
