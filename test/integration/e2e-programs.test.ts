/**
 * Programs that people use, over the pair (topology: test/support/pair.ts): the virtual address is on
 * lb-a, lb-b stands by, every service listens on IPv4 and IPv6.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, missing, type RunResult } from '../support/netns.ts';
import {
  createPair,
  type Pair,
  startNginx,
  startPair,
  VIP4,
  VIP6,
  VIPS,
  webService,
} from '../support/pair.ts';
import type { Tandem } from '../support/tandem.ts';

const unable = missing('nginx', 'curl', 'wrk', 'iperf3', 'dnsmasq', 'dig', 'redis-server', 'redis-cli');
const BIG = 32 * 1024 * 1024;

const simple = (name: string, protocol: string, port: number, health: string, backends: string[]): string => `
[[service]]
name = "${name}"
protocol = "${protocol}"
schedule = "round-robin"
listen = ["${VIP4}:${port}", "[${VIP6}]:${port}"]
${health === '' ? '' : `[service.health]\ninterval = "300ms"\n${health}`}
${backends.map((address) => `[[service.backend]]\naddress = "${address}"`).join('\n')}
`;

const SERVICES = [
  webService(),
  // both of iperf3's connections must reach the same server; a probe would be taken for a test
  simple('iperf', 'tcp', 5201, '', ['10.98.0.11:5201']),
  simple('iperf-udp', 'udp', 5201, '', ['10.98.0.11:5201']),
  simple('dns', 'udp', 53, 'type = "dns"\nquery = "who.test"\nrecord_type = "TXT"', [
    '10.98.0.11:53',
    '[2001:db8:98::12]:53',
    '10.98.0.13:53',
  ]),
  simple('dns-tcp', 'tcp', 53, 'type = "tcp"', ['10.98.0.11:53', '[2001:db8:98::12]:53']),
  simple('redis', 'tcp', 6379, 'type = "tcp"', ['[2001:db8:98::13]:6379']),
].join('\n');

async function startServers(pair: Pair, bigFile: string): Promise<void> {
  const [one, two, three] = pair.backends;
  for (const host of pair.backends) {
    await startNginx(pair.lab, host, bigFile);
    startDns(host);
  }
  one.spawn('iperf3', ['iperf3', '-s']);
  three.spawn('redis', [
    'redis-server',
    '--port',
    '6379',
    '--bind',
    '0.0.0.0',
    '::',
    '--save',
    '',
    '--dir',
    pair.lab.dir,
    '--protected-mode',
    'no',
  ]);
  for (const [host, port] of [
    [one, 5201],
    [one, 53],
    [two, 53],
    [three, 6379],
  ] as const) {
    await eventually(
      `${host.name} listens on ${port}`,
      async () => (await host.run(['ss', '-Hltn', `sport = :${port}`])).stdout.trim() !== '',
    );
  }
}

function startDns(host: Host): void {
  host.spawn('dnsmasq', [
    'dnsmasq',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--user=root',
    '--pid-file=',
    `--txt-record=who.test,${host.name}`,
    '--address=/a.test/192.0.2.7',
    '--address=/a.test/2001:db8::7',
  ]);
}

describe.skipIf(unable !== null)('real programs over the pair', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;
  let bigFile: string;
  let bigHash: string;

  beforeAll(async () => {
    pair = createPair('prog');
    bigFile = join(pair.lab.dir, 'big');
    const content = randomBytes(BIG);
    writeFileSync(bigFile, content);
    bigHash = createHash('sha256').update(content).digest('hex');
    await startServers(pair, bigFile);
    ({ a, b } = await startPair(pair, SERVICES));
    for (const node of [a, b]) {
      await eventually(`${node.host.name} sees all backends`, async () =>
        (await node.status()).services.every((service) => service.backends.every((one) => one.eligible)),
      );
    }
  });
  afterAll(() => pair.lab.destroy());

  const client = (command: readonly string[]): Promise<RunResult> => pair.client.run(command);

  test('the active node alone holds the addresses, and the standby listens already', async () => {
    for (const { address } of VIPS) {
      expect(pair.hostA.holds(address)).toBe(true);
      expect(pair.hostB.holds(address)).toBe(false);
    }
    const listening = (await pair.hostB.run(['ss', '-Hltn'])).stdout;
    expect(listening).toContain(`${VIP4}:80`);
    expect(listening).toContain(`[${VIP6}]:80`);
  });

  describe.each(VIPS)('over $family', ({ host, address }) => {
    test('curl: requests are spread over every backend', async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 12; i += 1) {
        const got = await client(['curl', '-sf', '-m', '5', `http://${host}/`]);
        expect(got.status).toBe(0);
        seen.add(got.stdout.trim());
      }
      expect([...seen].sort()).toEqual(['be-1', 'be-2', 'be-3']);
    });

    test('curl: a large download arrives whole', async () => {
      const got = await client(['sh', '-c', `curl -sf -m 60 http://${host}/big | sha256sum`]);
      expect(got.stdout.split(' ')[0]).toBe(bigHash);
    });

    test('curl: a kept-alive connection serves several requests', async () => {
      const url = `http://${host}/`;
      const got = await client(['curl', '-sf', '-w', '%{num_connects}\n', '-m', '5', url, url, url]);
      expect(got.status).toBe(0);
      const lines = got.stdout.trim().split('\n');
      // body and number of new connections, three times: the first one connects, the others reuse it
      expect([lines[1], lines[3], lines[5]]).toEqual(['1', '0', '0']);
      expect(new Set([lines[0], lines[2], lines[4]]).size).toBe(1);
    });

    test('wrk: no error under load', async () => {
      const got = await client(['wrk', '-t1', '-c32', '-d2s', `http://${host}/`]);
      expect(got.status, got.stderr).toBe(0);
      expect(got.stdout).not.toMatch(/Socket errors|Non-2xx/);
      expect(Number(/(\d+) requests in/.exec(got.stdout)?.[1])).toBeGreaterThan(100);
    });

    test('iperf3: bulk both ways, and UDP', async () => {
      for (const extra of [[], ['-R'], ['-P', '4']]) {
        const report = await iperf(['-t', '1', ...extra]);
        expect(report.end.sum_received?.bytes).toBeGreaterThan(1_000_000);
      }
      const udp = await iperf(['-u', '-b', '5M', '-l', '1200', '-t', '1']);
      expect(udp.end.sum?.packets).toBeGreaterThan(100);
      expect(udp.end.sum?.lost_percent).toBeLessThan(50);
    });

    interface IperfReport {
      readonly end: {
        readonly sum_received?: { readonly bytes: number };
        readonly sum?: { readonly packets: number; readonly lost_percent: number };
      };
      readonly error?: string;
    }

    /** The server takes one test at a time, and needs a moment between two. */
    async function iperf(args: readonly string[]): Promise<IperfReport> {
      let report: IperfReport = { end: {} };
      await eventually(
        `iperf3 ${args.join(' ')}`,
        async () => {
          const got = await client(['iperf3', '-J', '-c', address, '--connect-timeout', '3000', ...args]);
          report = JSON.parse(got.stdout) as IperfReport;
          if (report.error !== undefined && !report.error.includes('busy')) throw new Error(report.error);
          return report.error === undefined;
        },
        20_000,
        200,
      );
      return report;
    }

    test('dig: DNS over UDP from several servers, and over TCP', async () => {
      const dig = (...args: string[]): Promise<RunResult> =>
        client(['dig', `@${address}`, '+short', '+tries=1', '+time=3', ...args]);
      const seen = new Set<string>();
      for (let i = 0; i < 9; i += 1) seen.add((await dig('who.test', 'TXT')).stdout.trim());
      expect([...seen].sort()).toEqual(['"be-1"', '"be-2"', '"be-3"']);
      // dig itself refuses an answer that comes from another address than it asked
      expect((await dig('a.test', 'A')).stdout.trim()).toBe('192.0.2.7');
      expect((await dig('+tcp', 'a.test', 'AAAA')).stdout.trim()).toBe('2001:db8::7');
    });

    test('redis-cli and redis-benchmark', async () => {
      const redis = (...args: string[]): Promise<RunResult> => client(['redis-cli', '-h', address, ...args]);
      expect((await redis('set', 'key', 'a value')).stdout.trim()).toBe('OK');
      expect((await redis('get', 'key')).stdout.trim()).toBe('a value');
      const bench = await client([
        'redis-benchmark',
        '-h',
        address,
        '-n',
        '5000',
        '-c',
        '20',
        '-d',
        '512',
        '-P',
        '4',
        '-q',
        '--csv',
        '-t',
        'set,get',
      ]);
      expect(bench.status, bench.stderr).toBe(0);
      expect(bench.stdout).toMatch(/"SET","[\d.]+"/);
      expect(bench.stdout).toMatch(/"GET","[\d.]+"/);
    });
  });

  test('afterwards every client is accounted for and none was refused', async () => {
    await eventually('all TCP connections have ended', async () =>
      (await a.status()).services.every((service) => service.protocol === 'udp' || service.connections === 0),
    );
    for (const service of (await a.status()).services) {
      expect(service.accepted, service.name).toBeGreaterThan(0);
      expect(service.refused, service.name).toEqual({});
    }
    // nothing went through the standby
    for (const service of (await b.status()).services) expect(service.accepted).toBe(0);
  });
});
