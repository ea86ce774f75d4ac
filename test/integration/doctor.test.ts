/**
 * `tandem doctor` on the hosts of a lab (topology: test/support/pair.ts), beside daemons, a real keepalived,
 * and a host that has taken the address.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Code, Finding } from '../../src/doctor/finding.ts';
import { Keepalived } from '../support/keepalived.ts';
import { eventually, type Host, missing, type RunResult } from '../support/netns.ts';
import {
  createPair,
  type Pair,
  pairToml,
  startNginx,
  startPair,
  VIP4,
  VIP6,
  webService,
} from '../support/pair.ts';
import { MAIN, type Tandem } from '../support/tandem.ts';

const unable = missing('nginx', 'keepalived', 'nft', 'setpriv');

interface Report {
  readonly status: number | null;
  readonly findings: readonly Finding[];
  readonly output: string;
}

describe.skipIf(unable !== null)('tandem doctor', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = createPair('doc');
    chmodSync(pair.lab.dir, 0o755);
    for (const host of pair.backends) await startNginx(pair.lab, host, '/dev/null');
  });
  afterAll(() => pair.lab.destroy());

  let serial = 0;
  /** A file for a node that does not run. */
  function configFile(toml: string): string {
    const path = join(pair.lab.dir, `doctor-${++serial}.toml`);
    writeFileSync(path, `${toml}\n[admin]\nsocket = "${pair.lab.dir}/none.sock"\n`);
    return path;
  }

  const command = (path: string, ...more: string[]): string[] => [
    'node',
    MAIN,
    'doctor',
    '--config',
    path,
    ...more,
  ];

  function reportOf({ status, stdout, stderr }: RunResult): Report {
    const output = `${stdout}${stderr}`;
    expect(status === 0 || status === 1, output).toBe(true);
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
    expect(ok).toBe(status === 0);
    return { status, findings, output };
  }

  const examine = async (host: Host, path: string): Promise<Report> =>
    reportOf(await host.run(command(path, '--json')));

  const of = (report: Report, code: Code): Finding[] =>
    report.findings.filter((finding) => finding.code === code);
  const bad = (report: Report): Finding[] => report.findings.filter(({ severity }) => severity === 'problem');

  describe('on a healthy pair', () => {
    let a: Tandem;
    let b: Tandem;
    beforeAll(async () => {
      ({ a, b } = await startPair(pair, webService()));
      await b.waitEligible('web', ['be-1', 'be-2', 'be-3']);
    });
    afterAll(async () => {
      await a.stop();
      await b.stop();
    });

    test('the Backup hears its peer, and there is no problem', async () => {
      const report = await examine(b.host, b.configPath);
      expect(bad(report)).toEqual([]);
      expect(report.status).toBe(0);
      const adverts = of(report, 'adverts');
      expect(adverts.map(({ severity, seen }) => [severity, seen.includes('(priority 200)')])).toEqual([
        ['ok', true],
        ['ok', true],
      ]);
      // the Active peer answers for IPv4, for IPv6 and for the derived link-local address
      const taken = of(report, 'address-taken');
      expect(taken.map(({ seen }) => seen.startsWith('held by the Active peer'))).toEqual([true, true, true]);
      expect(of(report, 'listener').map(({ seen }) => seen)).toEqual([
        'open in the daemon',
        'open in the daemon',
      ]);
      expect(of(report, 'backends').map(({ seen }) => seen)).toEqual(['3 of 3 answer']);
      expect(of(report, 'checksum').map(({ severity }) => severity)).toEqual(['ok']);
    });

    test('on the Active node too; people get a table', async () => {
      const result = await a.host.run(command(a.configPath));
      expect(result.status, result.stdout).toBe(0);
      expect(result.stdout).toMatch(/^RESULT +CHECK +OF +SEEN\n/);
      expect(result.stdout).toMatch(/ok +address-taken +10\.98\.0\.100 +held by this host alone/);
      expect(result.stdout).toMatch(/\n0 problems, \d+ warnings?, \d+ skipped, \d+ ok\n$/);
    });

    test('a file that was written after the daemon read it', async () => {
      b.writeConfig(pairToml('lb-b', webService({ backends: [1] })));
      const report = await examine(b.host, b.configPath);
      expect(of(report, 'config-drift')).toMatchObject([
        { severity: 'warning', fix: 'tandem reload; it tells what has changed' },
      ]);
    });

    test('strict rp_filter and an interface in the same subnet', async () => {
      b.host.ip('link', 'add', 'extra0', 'type', 'veth', 'peer', 'name', 'extra1');
      b.host.ip('addr', 'add', '10.98.0.77/24', 'dev', 'extra0');
      b.host.ip('link', 'set', 'extra0', 'up');
      b.host.sysctl('net.ipv4.conf.eth0.rp_filter', '1');
      const report = await examine(b.host, b.configPath);
      b.host.ip('link', 'del', 'extra0');
      b.host.sysctl('net.ipv4.conf.eth0.rp_filter', '0');
      expect(of(report, 'rp-filter')).toMatchObject([{ severity: 'warning', subject: 'eth0' }]);
      expect(of(report, 'rp-filter')[0]?.fix).toContain('net.ipv4.conf.eth0.rp_filter=2');
      expect(of(report, 'arp-ignore')).toMatchObject([{ severity: 'warning', subject: 'eth0' }]);
      expect(of(report, 'arp-announce')).toMatchObject([{ severity: 'warning', subject: 'eth0' }]);
    });

    test('a firewall that keeps the advertisements away: two are Active, and each side sees its half', async () => {
      const rule = 'add table inet t; add chain inet t in { type filter hook input priority 0; }; ';
      const drop = `${rule}add rule inet t in meta l4proto 112 drop`;
      await b.host.run(['nft', drop]);
      await b.waitState('Active');
      const [seenByA, seenByB] = [await examine(a.host, a.configPath), await examine(b.host, b.configPath)];
      await b.host.run(['nft', 'delete table inet t']);
      await b.waitState('Backup');
      expect(of(seenByA, 'several-active').map(({ seen }) => seen)).toEqual([
        expect.stringContaining('10.98.0.2, this node'),
        expect.stringMatching(/fe80::.*, this node/),
      ]);
      expect(of(seenByA, 'several-active')[0]?.fix).toContain(
        'nft add rule inet filter input ip protocol 112 accept',
      );
      expect(new Set(bad(seenByB).map(({ code }) => code))).toEqual(new Set(['address-taken']));
      expect(bad(seenByB)[0]?.fix).toContain('its advertisements are lost on the way here');
    });

    test('a daemon that is stopped; without --config its file is found through the socket', async () => {
      const found = await a.host.run(['node', MAIN, 'doctor', '--json', '--socket', a.socket]);
      expect(of(reportOf(found), 'configuration')[0]?.seen).toContain(a.configPath);
      b.process.kill('SIGSTOP');
      const report = await examine(b.host, b.configPath);
      b.process.kill('SIGCONT');
      expect(of(report, 'daemon')).toMatchObject([{ severity: 'problem' }]);
      expect(of(report, 'listener').map(({ severity }) => severity)).toEqual(['skipped', 'skipped']);
      await b.waitState('Backup');
    });

    test('without privileges it says what it could not check', async () => {
      const path = configFile(pairToml('lb-b', webService()));
      const nobody = [
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        '--inh-caps=-all',
        '--bounding-set=-all',
      ];
      const report = reportOf(await b.host.run([...nobody, ...command(path, '--json')]));
      expect(bad(report)).toEqual([]);
      for (const code of ['adverts', 'address-taken', 'capabilities', 'listener'] as const) {
        const severities = new Set(of(report, code).map(({ severity }) => severity));
        expect([code, ...severities]).toEqual([code, 'skipped']);
      }
      expect(of(report, 'adverts')[0]?.seen).toContain('needs root');
      expect(of(report, 'rp-filter')).toMatchObject([{ severity: 'ok' }]);
      expect(of(report, 'backends')).toMatchObject([{ severity: 'ok' }]);
    });
  });

  describe('beside a keepalived that is Active', () => {
    const secret = 's3cr3t';
    let keepalived: Keepalived;
    beforeAll(async () => {
      const common = { version: 3, priority: 150, interval: 0.1 } as const;
      keepalived = await Keepalived.start(pair.lab, pair.hostA, [
        { ...common, name: 'same', vrid: 51, addresses: [`${VIP4}/24`] },
        { ...common, name: 'other', vrid: 61, addresses: ['10.98.0.199/24'] },
        {
          ...common,
          name: 'pass',
          version: 2,
          interval: 1,
          vrid: 71,
          addresses: ['10.98.0.171/24'],
          authPass: secret,
        },
      ]);
      for (const name of ['same', 'other', 'pass']) await keepalived.waitState(name, 'MASTER');
    });
    afterAll(() => keepalived.stop());

    const group = (vrid: number, address: string, more = ''): string => `
[failover]
advertise_interval = "100ms"
[[failover.group]]
interface = "eth0"
vrid = ${vrid}
addresses = ["${address}/24"]
${more}`;

    test('the checksum that it does not take', async () => {
      const report = await examine(pair.hostB, configFile(group(51, VIP4, 'checksum = "rfc9568"')));
      expect(report.status).toBe(1);
      expect(bad(report).map(({ code }) => code)).toEqual(['checksum']);
      expect(of(report, 'checksum')[0]?.fix).toContain('checksum = "rfc5798"');
      expect(of(report, 'daemon')).toMatchObject([{ severity: 'warning' }]);
    });

    test('its VRID is ours and its addresses are not', async () => {
      const report = await examine(pair.hostB, configFile(group(61, VIP4)));
      expect(bad(report).map(({ code }) => code)).toContain('vrid-clash');
      expect(of(report, 'vrid-clash')[0]?.seen).toContain('10.98.0.199');
      expect(of(report, 'vrid-clash')[0]?.fix).toContain('vrid = 62');
    });

    test('another password, which is not told', async () => {
      const v2 = 'version = 2\nadvertise_interval = "1s"\nauth_pass = "wrong"';
      const report = await examine(pair.hostB, configFile(group(71, '10.98.0.171', v2)));
      expect(bad(report).map(({ code }) => code)).toEqual(['authentication']);
      expect(report.output).not.toContain(secret);
      expect(report.output).not.toContain(Buffer.from(secret).toString('hex'));
      expect(report.output).not.toContain('"wrong"');
    });
  });

  test('a host that already has the addresses', async () => {
    pair.client.ip('addr', 'add', `${VIP4}/24`, 'dev', 'eth0');
    pair.client.ip('addr', 'add', `${VIP6}/64`, 'dev', 'eth0', 'nodad');
    const report = await examine(pair.hostB, configFile(pairToml('lb-b', webService())));
    pair.client.ip('addr', 'del', `${VIP4}/24`, 'dev', 'eth0');
    pair.client.ip('addr', 'del', `${VIP6}/64`, 'dev', 'eth0');
    const mac = (JSON.parse(pair.client.ip('-j', 'link', 'show', 'eth0')) as { address: string }[])[0]
      ?.address;
    expect(bad(report).map(({ code, subject }) => [code, subject])).toEqual([
      ['address-taken', VIP4],
      ['address-taken', VIP6],
    ]);
    for (const { seen } of bad(report)) expect(seen).toContain(mac);
    expect(of(report, 'adverts').map(({ severity }) => severity)).toEqual(['warning', 'warning']);
  });

  test('the host itself has the address for good, and its port is taken', async () => {
    pair.hostB.ip('addr', 'add', `${VIP4}/24`, 'dev', 'eth0');
    const other = pair.hostB.spawn('other', [
      'node',
      '-e',
      `require('net').createServer().listen(80, '${VIP4}', () => console.log('up'))`,
    ]);
    await eventually('the other program listens', () => other.log().includes('up'));
    const report = await examine(pair.hostB, configFile(pairToml('lb-b', webService())));
    pair.hostB.ip('addr', 'del', `${VIP4}/24`, 'dev', 'eth0');
    await other.stop();
    expect(
      bad(report)
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['address-permanent', 'listener']);
    expect(of(report, 'address-permanent')[0]?.fix ?? of(report, 'address-permanent')[0]?.seen).toContain(
      `ip addr del ${VIP4}/24 dev eth0`,
    );
    expect(of(report, 'listener').map(({ seen }) => seen)).toContain(`taken by node (pid ${other.pid})`);
  });

  test('backends that do not answer, an interface that does not exist, a file that is wrong', async () => {
    const toml = pairToml('lb-b', webService({ backends: [1] })).replace('"eth0"', '"eth9"');
    const report = await examine(pair.hostB, configFile(toml.replace('10.98.0.11:8080', '10.98.0.11:81')));
    expect(
      bad(report)
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['backends', 'interface']);
    expect(of(report, 'configuration').map(({ severity }) => severity)).toContain('warning');
    const wrong = await pair.hostB.run(command(configFile('nonsense = 1')));
    expect(wrong.status).toBe(64);
  });
});
