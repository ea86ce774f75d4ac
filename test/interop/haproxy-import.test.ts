/**
 * What an import is for: clients see the same whether the real HAProxy runs a haproxy.cfg, or Tandem what was
 * imported from it.
 *
 *     lb            client         one ... sorry
 *   10.94.0.1     10.94.0.50      10.94.0.11 to .14    /24
 *      |              |               |
 *   ===+==============+===============+====   lan
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const CFG = `
global
    maxconn 500
    nbthread 1
defaults
    mode tcp
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    option redispatch
    default-server inter 200ms fall 2 rise 1

frontend web
    bind 10.94.0.1:80
    stick-table type ip size 1k expire 1m store conn_cur
    tcp-request connection track-sc0 src
    tcp-request connection reject if { sc0_conn_cur gt 6 }
    default_backend web

backend web
    balance roundrobin
    server one 10.94.0.11:8080 check send-proxy weight 2
    server two 10.94.0.12:8080 check send-proxy
    server sorry 10.94.0.13:8080 send-proxy check backup
    server second 10.94.0.14:8080 send-proxy check backup

listen sticky
    bind 10.94.0.1:81
    balance source
    server one 10.94.0.11:8080 check send-proxy
    server two 10.94.0.12:8080 check send-proxy

listen guarded
    bind 10.94.0.1:82
    tcp-request connection reject if { src 10.94.0.50 }
    server one 10.94.0.11:8080 send-proxy

frontend chained
    bind 10.94.0.1:83 accept-proxy
    default_backend chained
backend chained
    server one 10.94.0.11:8080 send-proxy

frontend tls
    bind 10.94.0.1:84
    tcp-request inspect-delay 3s
    tcp-request content accept if { req.ssl_hello_type 1 }
    tcp-request content reject
    acl for_two req.ssl_sni -i two.example
    use_backend only_two if for_two
    use_backend only_sorry if { req.ssl_sni -m end .apps.example }
    default_backend chained
backend only_two
    server two 10.94.0.12:8080 send-proxy
backend only_sorry
    server sorry 10.94.0.13:8080 send-proxy
`;

const support = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

describe.skipIf(missing('haproxy') !== null).each(['haproxy', 'tandem'] as const)(
  '%s with this configuration',
  (kind) => {
    const lab = Lab.create(`import-${kind}`);
    const servers = new Map<string, HostProcess>();
    let lb: Host;
    let client: Host;
    let hosts: Map<string, Host>;

    const serve = (name: string): void => {
      const host = hosts.get(name);
      if (host !== undefined)
        servers.set(name, host.spawn(name, ['node', support('greeter.mjs'), '8080', name]));
    };

    /** What each of `count` clients is greeted with. */
    async function ask(port: number, count: number, ...rest: string[]): Promise<string[]> {
      const { stdout, stderr } = await client.run([
        'node',
        support('asker.mjs'),
        '10.94.0.1',
        String(port),
        String(count),
        ...rest,
      ]);
      expect(stderr).toBe('');
      return JSON.parse(stdout) as string[];
    }
    const names = async (port: number, count: number): Promise<string[]> =>
      (await ask(port, count)).map((answer) => answer.split(' ')[0] ?? '');

    beforeAll(async () => {
      const lan = lab.bridge('lan');
      const join_ = (name: string, number: number): Host => {
        const host = lab.host(name);
        host.join(lan, 'eth0', [`10.94.0.${number}/24`]);
        return host;
      };
      [lb, client] = [join_('lb', 1), join_('client', 50)];
      hosts = new Map(
        ['one', 'two', 'sorry', 'second'].map((name, index) => [name, join_(name, 11 + index)]),
      );
      for (const name of hosts.keys()) serve(name);
      await eventually('the servers listen', () =>
        [...servers.values()].every((server) => server.log().includes('ready')),
      );
      const cfg = join(lab.dir, 'haproxy.cfg');
      writeFileSync(cfg, CFG);
      if (kind === 'haproxy') lb.spawn('haproxy', ['haproxy', '-db', '-f', cfg]);
      else {
        const toml = join(lab.dir, 'imported.toml');
        const { status, stderr } = await lb.run(['node', MAIN, 'import', cfg, '-o', toml]);
        // of two backups one is left out, which is told
        expect(status, stderr).toBe(1);
        expect(stderr).toContain('without option allbackups');
        await Tandem.start(lab, lb, readFileSync(toml, 'utf8'));
      }
      await eventually('clients are served', async () => (await names(80, 1))[0] === 'one');
    });
    afterAll(() => lab.destroy());

    test('spreads clients by weight', async () => {
      await eventually('both serve', async () => new Set(await names(80, 3)).size === 2);
      const answers = await names(80, 30);
      expect(answers.filter((name) => name === 'one')).toHaveLength(20);
      expect(answers.filter((name) => name === 'two')).toHaveLength(10);
    });

    test('tells servers who the client is', async () => {
      const [answer] = await ask(80, 1);
      expect(answer).toMatch(/^(?:one|two) PROXY TCP4 10\.94\.0\.50 10\.94\.0\.1 \d+ 80$/);
    });

    test('refuses the seventh connection of a client, and takes it again later', async () => {
      const answers = await ask(80, 8, 'keep');
      expect(answers.slice(0, 6).every((answer) => answer.includes('PROXY'))).toBe(true);
      expect(answers.slice(6)).toEqual(['refused', 'refused']);
      await eventually('it is served again', async () => (await ask(80, 1))[0] !== 'refused');
    });

    test('keeps a client on its server', async () => {
      expect(new Set(await names(81, 8)).size).toBe(1);
    });

    test('refuses networks that are banned, and clients without a PROXY header where there must be one', async () => {
      expect(await ask(82, 2)).toEqual(['refused', 'refused']);
      const sent = await client.run([
        'node',
        '-e',
        'const s=require("net").connect(83,"10.94.0.1");s.write("nonsense\\r\\n\\r\\n");s.on("data",(d)=>process.stdout.write(d));s.on("error",()=>{});s.on("close",()=>process.exit(0))',
      ]);
      expect(sent).toMatchObject({ status: 0, stdout: '' });
    });

    test('believes a PROXY header, and passes on whom it names', async () => {
      const header = 'PROXY TCP4 192.0.2.7 192.0.2.8 4711 83\\r\\n';
      const script = `const s=require("net").connect(83,"10.94.0.1");s.write("${header}");s.on("data",(d)=>{process.stdout.write(d);s.destroy()})`;
      const { stdout } = await client.run(['node', '-e', script], { timeoutMs: 10_000 });
      expect(stdout).toMatch(/^one PROXY TCP4 192\.0\.2\.7 192\.0\.2\.8 4711 83\n$/);
    });

    test('chooses by the TLS server name', async () => {
      const by = async (name: string): Promise<string> => (await ask(84, 1, name))[0]?.split(' ')[0] ?? '';
      expect(await by('two.example')).toBe('two');
      expect(await by('TWO.example')).toBe('two');
      expect(await by('a.apps.example')).toBe('sorry');
      expect(await by('a.b.apps.example')).toBe('sorry');
      expect(await by('apps.example')).toBe('one');
    });

    test('uses the first backup alone when nobody else is left, and goes back', async () => {
      for (const name of ['one', 'two']) await servers.get(name)?.stop();
      await eventually('the backup serves', async () => (await names(80, 1))[0] === 'sorry', 20_000);
      expect(await names(80, 6)).toEqual(Array(6).fill('sorry'));
      for (const name of ['one', 'two']) serve(name);
      await eventually('the servers are back', async () => !(await names(80, 4)).includes('sorry'), 20_000);
    });
  },
);
