// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how HAProxy writes variables
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../../../../src/config/errors.ts';
import { tokenize } from '../../../../src/config/import/haproxy/lexer.ts';
import type { ReportEntry } from '../../../../src/config/import/result.ts';
import { millis, seconds } from '../../../../src/lib/duration.ts';
import type { ServiceSpec } from '../../../../src/model/service.ts';
import { load } from '../../../support/config.ts';
import {
  HAPROXY_FIXTURES,
  haproxyFixtures,
  importHaproxyFixture,
  importHaproxyText,
} from '../../../support/haproxy-import.ts';
import { configOf, told } from '../../../support/keepalived-import.ts';

/** UPDATE=1 npx vitest run <this file> writes what is expected. */
const { UPDATE } = process.env;

/** One listen section with a server, and what it becomes. */
const listen = (lines: string, server = 's1 10.0.1.11:8080', head = ''): string =>
  `${head}\nlisten web\n mode tcp\n bind 10.0.0.1:80\n timeout client 1m\n timeout server 1m\n${lines}\n server ${server}\n`;
const importListen = (...args: Parameters<typeof listen>) => importHaproxyText(listen(...args));

function serviceOf(text: string, name = 'web'): ServiceSpec {
  const found = configOf(importHaproxyText(text)).services.find((service) => service.name === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}
const listenOf = (...args: Parameters<typeof listen>): ServiceSpec => serviceOf(listen(...args));

const spelled = (entry: ReportEntry): string => `${entry.line} ${entry.fate} ${entry.keyword}: ${entry.note}`;

describe('the fixtures', () => {
  test.each(haproxyFixtures)('%s becomes exactly this file and this report', (name) => {
    const result = importHaproxyFixture(name);
    const expected = (suffix: string): string =>
      join(HAPROXY_FIXTURES, 'expected', name.replace(/\.cfg$/, suffix));
    const report = `${result.report.map(spelled).join('\n')}\n`;
    if (UPDATE === '1') {
      writeFileSync(expected('.toml'), result.toml);
      writeFileSync(expected('.report'), report);
    }
    expect(result.faults).toEqual([]);
    expect(configOf(result).services.length).toBeGreaterThan(0);
    expect(result.toml).toBe(readFileSync(expected('.toml'), 'utf8'));
    expect(report).toBe(readFileSync(expected('.report'), 'utf8'));
    expect(report).not.toMatch(/hunter22|unknown|undefined/);
  });

  test.each(haproxyFixtures)('%s: no line is dropped in silence', (name) => {
    const { report } = importHaproxyFixture(name);
    const told = new Set(report.map(({ line }) => line));
    let leftOut = false;
    const dropped: string[] = [];
    for (const [index, line] of readFileSync(join(HAPROXY_FIXTURES, name), 'utf8').split('\n').entries()) {
      const tokens = tokenize(line, () => '');
      if (!tokens.ok || tokens.words.length === 0) continue;
      const entries = report.filter((entry) => entry.line === index + 1);
      if (tokens.words[0]?.index === 0) leftOut = entries.some(({ note }) => /\(with its /.test(note));
      if (!told.has(index + 1) && !leftOut) dropped.push(line);
    }
    expect(dropped).toEqual([]);
  });

  test.each(haproxyFixtures)(
    '%s: no option of a server that is carried over is dropped in silence',
    (name) => {
      const { report } = importHaproxyFixture(name);
      for (const [index, line] of readFileSync(join(HAPROXY_FIXTURES, name), 'utf8').split('\n').entries()) {
        const entries = report.filter((entry) => entry.line === index + 1);
        if (
          !entries.some(
            ({ keyword, fate, note }) =>
              /^(?:server|bind)$/.test(keyword) && !(fate === 'missing' && /^left out/.test(note)),
          )
        )
          continue;
        for (const option of [
          'check',
          'weight',
          'maxconn',
          'backup',
          'slowstart',
          'accept-proxy',
          'disabled',
          'agent-send',
        ]) {
          if (new RegExp(`\\s${option}(?:\\s|$)`).test(line)) {
            expect(
              entries.map(({ keyword }) => keyword),
              line,
            ).toContain(option);
          }
        }
      }
    },
  );
});

describe('where clients connect', () => {
  test.each<[bind: string, listen: readonly string[]]>([
    [':80', ['0.0.0.0:80']],
    ['*:80', ['0.0.0.0:80']],
    ['10.0.0.1:80,10.0.0.2:81', ['10.0.0.1:80', '10.0.0.2:81']],
    ['10.0.0.1:80-82', ['10.0.0.1:80', '10.0.0.1:81', '10.0.0.1:82']],
    ['2001:db8::1:443', ['[2001:db8::1]:443']],
    ['[2001:db8::1]:443', ['[2001:db8::1]:443']],
    ['ipv4@10.0.0.1:80', ['10.0.0.1:80']],
    ['ipv6@:80', ['[::]:80', '0.0.0.0:80']],
    [':::80 v6only', ['[::]:80']],
    [':::80 v4v6', ['[::]:80', '0.0.0.0:80']],
    ['10.0.0.1:80 name x id 7', ['10.0.0.1:80']],
  ])('bind %s', (bind, expected) => {
    const text = `listen web\n bind ${bind}\n server s 10.0.9.9:80\n`;
    const service = serviceOf(text);
    expect(
      service.listen.map(({ address, port }) =>
        address.family === 6 ? `[${address.text}]:${port}` : `${address.text}:${port}`,
      ),
    ).toEqual(expected);
  });

  test.each<[bind: string, why: RegExp]>([
    ['/run/x.sock', /TCP over IP/],
    ['unix@/run/x.sock', /TCP over IP/],
    ['fd@3', /TCP over IP/],
    ['lb.example:80', /resolve names/],
    ['10.0.0.1', /no port/],
    ['10.0.0.1:0', /not a port/],
    ['10.0.0.1:1-60000', /more than 256/],
    ['224.0.0.1:80', /multicast/],
    ['255.255.255.255:80', /broadcast/],
    ['10.0.0.1:443 ssl crt x.pem', /TLS/],
  ])('bind %s is left out', (bind, why) => {
    const result = importHaproxyText(`listen web\n bind ${bind}\n bind :81\n server s 10.0.9.9:80\n`);
    expect(told(result, 'bind')[0]).toMatch(why);
    expect(result.complete).toBe(false);
    expect(configOf(result).services[0]?.listen).toHaveLength(1);
  });

  test('an address that two frontends want goes to the first', () => {
    const result = importHaproxyText(
      'listen a\n bind :80\n server s 10.0.0.9:1\nlisten b\n bind :80\n server s 10.0.0.9:2\n',
    );
    expect(configOf(result).services.map(({ name }) => name)).toEqual(['a']);
    expect(told(result, 'bind')[1]).toMatch(/^missing: left out: a line before it/);
  });

  test('a wildcard and an address on its port are for one service', () => {
    const text =
      'listen a\n bind :80\n bind 10.0.0.1:80\n server s 10.0.0.9:1\nlisten b\n bind 10.0.0.2:80\n bind :81\n server s 10.0.0.9:2\nlisten c\n bind 10.0.0.3:82\n server s 10.0.0.9:1\nlisten d\n bind *:82\n bind :::83\n server s 10.0.0.9:1\n';
    const result = importHaproxyText(text);
    expect(result.faults).toEqual([]);
    expect(configOf(result).services.map(({ listen }) => listen.map(({ port }) => port))).toEqual([
      [80],
      [81],
      [82],
      [83, 83],
    ]);
    expect(told(result, 'bind').filter((note) => note.startsWith('missing'))).toHaveLength(2);
  });

  test('servers without a port make a service of each port', () => {
    const text = 'listen web\n bind :80\n bind :443\n server a 10.0.0.8\n server b 10.0.0.9:+1000\n';
    const services = configOf(importHaproxyText(text)).services;
    expect(
      services.map(({ name, backends }) => [name, backends.map(({ endpoint }) => endpoint.port)]),
    ).toEqual([
      ['web-80', [80, 1_080]],
      ['web-443', [443, 1_443]],
    ]);
  });

  test('PROXY headers of some addresses make two services', () => {
    const text =
      'frontend f\n bind :80\n bind :81 accept-proxy\n default_backend b\nbackend b\n server s 10.0.0.9:1\n';
    const services = configOf(importHaproxyText(text)).services;
    expect(services.map(({ name, proxyProtocol }) => [name, proxyProtocol.accept?.length ?? null])).toEqual([
      ['f', null],
      ['f-2', 2],
    ]);
    expect(told(importHaproxyText(text), 'accept-proxy')[0]).toMatch(/^changed: .*trusted/);
  });

  test('expect-proxy names whom to trust', () => {
    const { proxyProtocol } = listenOf(
      ' tcp-request connection expect-proxy layer4 if { src 198.18.0.0/15 }',
    );
    expect(proxyProtocol.accept?.map(({ text }) => text)).toEqual(['198.18.0.0/15']);
  });
});

describe('servers', () => {
  test.each<[server: string, address: string]>([
    ['s 10.0.0.9', '10.0.0.9:80'],
    ['s 10.0.0.9:+1000', '10.0.0.9:1080'],
    ['s 10.0.0.9:8080', '10.0.0.9:8080'],
    ['s [2001:db8::9]:80', '[2001:db8::9]:80'],
    ['s 2001:db8::9:80', '[2001:db8::9]:80'],
  ])('server %s', (server, address) => {
    const [backend] = listenOf('', server).backends;
    const { endpoint } = backend ?? {};
    expect(
      endpoint?.address.family === 6
        ? `[${endpoint.address.text}]:${endpoint.port}`
        : `${endpoint?.address.text}:${endpoint?.port}`,
    ).toBe(address);
    expect(backend?.id).toBe('s');
  });

  test.each<[server: string, why: RegExp]>([
    ['s web.example:80', /resolve names/],
    ['s /run/s.sock', /TCP over IP/],
    ['s *:80', /destination/],
    ['s 10.0.0.9:443 ssl verify none', /TLS/],
    ['s 10.0.1.11:8080', /one backend for an address/],
    ['s 10.0.0.1:80', /itself listens/],
    ['s 10.0.0.9:80 send-proxy', /no PROXY header/],
  ])('server %s is left out', (server, why) => {
    const result = importHaproxyText(`${listen('')} server s2 10.0.1.12:80\n server ${server}\n`);
    expect(told(result, 'server').at(-1)).toMatch(why);
    expect(configOf(result).services[0]?.backends).toHaveLength(2);
  });

  test('weight, maxconn, backup, disabled, and what default-server says of those below it', () => {
    const text = ` default-server maxconn 100 weight 10\n server a 10.0.0.8:1 weight 0\n server c 10.0.0.8:2 disabled\n server d 10.0.0.8:3 disabled enabled maxconn 7 backup\n default-server no-backup`;
    const { backends } = listenOf(text);
    expect(
      backends.map(({ id, weight, maxConnections, backup }) => [id, weight, maxConnections, backup]),
    ).toEqual([
      ['a', 0, 100, false],
      ['c', 0, 100, false],
      ['d', 10, 7, true],
      ['s1', 10, 100, false],
    ]);
  });

  test('a backup without a check is used whatever the check of the others says', () => {
    expect(listenOf(' server sorry 10.0.0.8:1 backup', 's 10.0.0.9:1 check').noneEligible).toBe('backup');
    expect(listenOf(' server sorry 10.0.0.8:1 backup check', 's 10.0.0.9:1 check').noneEligible).toBe(
      'reject',
    );
    expect(listenOf(' server sorry 10.0.0.8:1 backup', 's 10.0.0.9:1').noneEligible).toBe('reject');
  });

  test('of backups the first alone, unless all are asked for, or one server has them', () => {
    const backups = ' server b1 10.0.0.8:1 backup\n server b2 10.0.0.8:2 backup\n';
    const two = `${backups} server s2 10.0.1.12:80`;
    expect(listenOf(two).backends.map(({ id }) => id)).toEqual(['b1', 's2', 's1']);
    expect(importListen(two).complete).toBe(false);
    expect(listenOf(` option allbackups\n${two}`).backends).toHaveLength(4);
    const one = listenOf(backups);
    expect([one.schedule.algorithm, one.backends.map(({ id }) => id)]).toEqual(['first', ['b1', 'b2', 's1']]);
    expect(importListen(backups).complete).toBe(true);
    const warnings: Problem[] = [];
    load(importListen(backups).toml, { hostFaults: 'warning', warnings });
    expect(warnings).toEqual([]);
  });

  test.each<[options: string, header: 1 | 2 | null]>([
    ['send-proxy', 1],
    ['send-proxy-v2', 2],
    ['send-proxy-v2-ssl', 2],
    ['send-proxy send-proxy-v2', 2],
    ['', null],
  ])('PROXY header: %j', (options, header) => {
    expect(listenOf('', `s 10.0.0.9:1 ${options}`).proxyProtocol.send).toBe(header);
  });

  test('redispatch and retries as HAProxy has them without a word', () => {
    expect(listenOf('')).toMatchObject({ retries: 3, redispatch: false });
    expect(listenOf(' option redispatch\n retries 5')).toMatchObject({ retries: 5, redispatch: true });
    expect(listenOf(' no option redispatch', undefined, 'defaults\n option redispatch')).toMatchObject({
      redispatch: false,
    });
  });

  test('slowstart, on-marked-down and source: what most of them say', () => {
    const options = 'slowstart 30s on-marked-down shutdown-sessions source 10.0.0.4';
    const text = ` server a 10.0.0.8:1 ${options}\n server b 10.0.0.8:2 ${options}`;
    const service = listenOf(text);
    expect(service).toMatchObject({ slowStart: seconds(30), onDown: 'close', source: { kind: 'pool' } });
    expect(told(importListen(text), 'server').filter((note) => note.startsWith('changed'))).toHaveLength(3);
  });

  test.each<[line: string, source: string | null]>([
    ['source 10.0.0.4', 'pool'],
    ['source 10.0.0.4:1024', 'pool'],
    ['source 0.0.0.0 usesrc clientip', 'client'],
    ['source 0.0.0.0 usesrc client', 'client'],
    ['source 0.0.0.0 usesrc 10.0.0.4', null],
  ])('%s', (line, kind) => {
    expect(listenOf(` ${line}`).source?.kind ?? null).toBe(kind);
  });

  test('agents: together, or each for itself', () => {
    const together = listenOf(
      ' server a 10.0.0.8:1 agent-check agent-port 9777',
      's 10.0.0.9:1 agent-check agent-port 9777',
    );
    expect(together.backends.map(({ agentCheck }) => agentCheck?.endpoint.port)).toEqual([9_777, 9_777]);
    const apart = listenOf(
      ' server a 10.0.0.8:1 agent-check agent-port 9777 agent-inter 7s agent-send "x\\n"',
      's 10.0.0.9:1',
    );
    expect(apart.backends[0]?.agentCheck).toMatchObject({ interval: seconds(7), send: 'x\n' });
    expect(apart.backends[1]?.agentCheck).toBeNull();
  });
});

describe('schedulers', () => {
  test.each<[lines: string, schedule: object]>([
    ['', { algorithm: 'round-robin' }],
    ['balance roundrobin', { algorithm: 'round-robin' }],
    ['balance static-rr', { algorithm: 'round-robin' }],
    ['balance leastconn', { algorithm: 'least-connections' }],
    ['balance first', { algorithm: 'first' }],
    ['balance random', { algorithm: 'random-two' }],
    ['balance random(3)', { algorithm: 'random-two' }],
    ['balance source', { algorithm: 'source-hash' }],
    ['balance source\n hash-type consistent', { algorithm: 'maglev', hashKey: 'source' }],
    [
      'balance source\n hash-type consistent\n hash-balance-factor 150',
      { algorithm: 'maglev', balanceFactor: 150 },
    ],
    ['balance hash src', { algorithm: 'source-hash' }],
    ['balance hash req.ssl_sni', { algorithm: 'maglev', hashKey: 'server-name' }],
    ['balance rdp-cookie', { algorithm: 'least-connections' }],
    ['balance leastconn\n stick-table type ip size 1k\n stick on src', { algorithm: 'source-hash' }],
  ])('%j', (lines, schedule) => {
    expect(listenOf(` ${lines}`).schedule).toMatchObject(schedule);
  });
});

describe('times', () => {
  test.each<[lines: string, timeouts: object]>([
    ['', { idle: seconds(60), fin: seconds(60) }],
    ['timeout client 5000', { idle: seconds(60) }],
    ['timeout server 2h', { idle: seconds(7_200) }],
    ['timeout tunnel 1d', { idle: seconds(86_400), fin: seconds(86_400) }],
    ['timeout client-fin 5s\n timeout server-fin 7s', { fin: seconds(7) }],
    ['timeout client 0', { idle: seconds(86_400) }],
    ['timeout connect 500ms', { connect: millis(500) }],
    ['timeout connect 10m', { connect: seconds(300) }],
  ])('%j', (lines, timeouts) => {
    expect(listenOf(` ${lines}`).timeouts).toMatchObject(timeouts);
  });

  test('the queue waits as long as HAProxy does, and ends where its clients do', () => {
    const text = ' maxconn 700\n timeout connect 4s';
    expect(listenOf(text, 's 10.0.0.9:1 maxconn 5').queue).toEqual({ max: 700, timeout: seconds(4) });
    expect(listenOf(`${text}\n timeout queue 9s`, 's 10.0.0.9:1 maxconn 5 maxqueue 20').queue).toEqual({
      max: 20,
      timeout: seconds(9),
    });
  });

  test('without any, it is told what Tandem does', () => {
    const result = importHaproxyText('listen a\n bind :80\n server s 10.0.0.9:1\n');
    expect(told(result, 'listen')[0]).toMatch(/^changed: no timeout client or server/);
  });
});

describe('checks', () => {
  const healthOf = (lines: string, options = 'check') => listenOf(lines, `s 10.0.0.9:1 ${options}`).health;

  test('times, with the defaults of HAProxy', () => {
    expect(healthOf('')).toMatchObject({
      probe: { type: 'tcp' },
      interval: seconds(2),
      fastInterval: seconds(2),
      timeout: seconds(2),
      rise: 2,
      fall: 3,
      initial: 'up',
    });
    expect(
      healthOf(' timeout check 500\n timeout connect 300', 'check inter 5s fastinter 100 fall 7 rise 9'),
    ).toMatchObject({
      interval: seconds(5),
      fastInterval: millis(100),
      timeout: millis(800),
      rise: 9,
      fall: 7,
    });
    expect(healthOf('', '')).toBeNull();
    expect(healthOf('', 'check no-check')).toBeNull();
  });

  test.each<[lines: string, options: string, probe: object]>([
    [
      ' option httpchk',
      'check',
      { type: 'http', method: 'OPTIONS', path: '/', expectStatus: expect.arrayContaining([200, 302]) },
    ],
    [' option httpchk /up', 'check', { method: 'OPTIONS', path: '/up' }],
    [
      ' option httpchk HEAD /up HTTP/1.1\\r\\nHost:\\ www.example',
      'check',
      { method: 'HEAD', path: '/up', host: 'www.example' },
    ],
    [
      ' option httpchk\n http-check send meth GET uri /r hdr Host h.example',
      'check',
      { method: 'GET', path: '/r', host: 'h.example' },
    ],
    [
      ' option httpchk\n http-check expect status 200,204,210-230',
      'check',
      { expectStatus: [200, 204, 226] },
    ],
    [
      ' option httpchk\n http-check expect rstatus ^20',
      'check',
      { expectStatus: [200, 201, 202, 203, 204, 205, 206, 207, 208] },
    ],
    [
      ' option httpchk\n http-check expect ! rstatus ^[345]',
      'check',
      { expectStatus: expect.not.arrayContaining([404]) },
    ],
    [
      ' option httpchk\n http-check expect string ok',
      'check',
      { expectBody: 'ok', expectStatus: expect.arrayContaining([500]) },
    ],
    [' option httpchk\n http-check expect rstring o.k', 'check', { expectRegex: 'o.k' }],
    [
      ' option httpchk',
      'check check-ssl verify none check-sni a.example',
      { tls: true, tlsVerify: false, host: 'a.example' },
    ],
    [' option httpchk\n http-check connect ssl', 'check', { tls: true, tlsVerify: true }],
    [' option ssl-hello-chk', 'check', { type: 'tcp', tls: { host: null, verify: false } }],
    ['', 'check check-ssl verify none check-sni a.example', { tls: { host: 'a.example', verify: false } }],
    [
      ' option tcp-check\n tcp-check connect ssl sni b.example',
      'check',
      { tls: { host: 'b.example', verify: true } },
    ],
    [' option tcp-check\n tcp-check connect sni b.example', 'check', { type: 'tcp', tls: null }],
    [' option external-check\n external-check command /bin/true', 'check', { type: 'exec' }],
    [' option tcp-check\n tcp-check connect port 81', 'check', { type: 'tcp' }],
  ])('%j %s', (lines, options, probe) => {
    expect(healthOf(lines, options)?.probe).toMatchObject(probe);
  });

  test('a text that must not be there', () => {
    const probe = healthOf(' option httpchk\n http-check expect ! string down.')?.probe;
    const regex = new RegExp(probe?.type === 'http' ? (probe.expectRegex ?? '') : '');
    expect(['up', 'downx', 'is down. now'].map((body) => regex.test(body))).toEqual([true, true, false]);
  });

  test('ports: of the server, of the check, of a server that is tracked', () => {
    expect(healthOf('', 'check port 81')?.port).toBe(81);
    expect(healthOf('', 'check port 1')?.port).toBeNull();
    const text = `${listen('', 's 10.0.0.9:1 track other/o')}\nbackend other\n server o 10.0.0.9:99 check inter 9s\n`;
    expect(serviceOf(text).health).toMatchObject({ port: 99, interval: seconds(9) });
  });

  test('what most servers have is taken, and the others are told', () => {
    const text = ' server a 10.0.0.8:1 check inter 5s\n server b 10.0.0.8:2 check inter 5s';
    const result = importListen(text, 's 10.0.0.9:1 check inter 9s');
    expect(configOf(result).services[0]?.health?.interval).toBe(seconds(5));
    expect(told(result, 'inter').filter((note) => note.startsWith('missing'))).toHaveLength(1);
  });

  test('what a backend speaks with its servers is told, without what it says', () => {
    const result = importListen(
      ' option tcp-check\n tcp-check send AUTH\\ hunter22\\r\\n\n tcp-check expect string +OK',
      's 10.0.0.9:1 check',
    );
    expect(told(result, 'tcp-check send')[0]).toMatch(/^carried/);
    expect(result.toml).toContain('hunter22');
    expect(JSON.stringify({ ...result, toml: '' })).not.toContain('hunter22');
  });

  /** As latin1: "send > expect > /regex/", one line for each step. */
  function conversationOf(lines: string): string[] {
    const probe = healthOf(lines)?.probe;
    if (probe?.type !== 'tcp') throw new Error('no tcp check');
    const text = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('latin1');
    return probe.exchange.map(
      ({ send, expect: wanted, expectRegex }) => `${text(send)} > ${text(wanted)} > ${expectRegex ?? ''}`,
    );
  }

  test.each<[rules: string[], steps: string[]]>([
    [
      ['send PING\\r\\n', 'expect string +PONG', 'send QUIT\\r\\n'],
      ['PING\r\n > +PONG > ', 'QUIT\r\n >  > '],
    ],
    [
      ['expect rstring ^220', 'expect string x'],
      [' >  > ^220', ' > x > '],
    ],
    [['comment a', 'connect port 81', 'send-binary 00ff0A', 'expect binary ff'], ['\0\xff\n > \xff > ']],
    [['send a\\xffb comment "why it is sent"'], ['a\xffb >  > ']],
    [['send-lf plain', 'expect min-recv 4 string-lf ok'], ['plain > ok > ']],
  ])('says %j', (rules, steps) => {
    const lines = [' option tcp-check', ...rules.map((rule) => ` tcp-check ${rule}`)].join('\n');
    expect(conversationOf(lines)).toEqual(steps);
  });

  test.each<[rule: string, why: string]>([
    ['send-lf "%[srv_name]"', 'Tandem fills in no variables'],
    ['send-binary abc', 'not pairs of hexadecimal digits'],
    ['expect ! string ERR', 'Tandem waits for what comes, not for what does not'],
    ['expect !rstring ERR', 'Tandem waits for what comes, not for what does not'],
    ['expect rbinary ^52', 'an expression over hexadecimal digits'],
    ['expect rstring (?P<x>a)', 'not a regular expression of JavaScript'],
    ['expect comment string', 'nothing that Tandem could compare'],
    [`send ${'x'.repeat(4_097)}`, 'longer than 4096 bytes'],
  ])('cannot say %s', (rule, why) => {
    const result = importListen(` option tcp-check\n tcp-check ${rule}`, 's 10.0.0.9:1 check');
    const keyword = `tcp-check ${rule.split(' ')[0]}`;
    expect(told(result, keyword)).toEqual([expect.stringMatching(`^missing: left out: ${why}`)]);
    expect(conversationOf(` option tcp-check\n tcp-check ${rule}`)).toEqual([]);
  });

  test('a second connection ends what is carried over', () => {
    const lines =
      ' option tcp-check\n tcp-check send a\n tcp-check connect port 82\n tcp-check expect string b';
    expect(conversationOf(lines)).toEqual(['a >  > ']);
    const result = importListen(lines, 's 10.0.0.9:1 check');
    expect(told(result, 'tcp-check connect')[0]).toMatch(/^missing: one connection/);
    expect(told(result, 'tcp-check expect')[0]).toMatch(/^missing: one connection/);
  });

  test('no more than sixteen steps', () => {
    const result = importListen(
      ` option tcp-check\n${' tcp-check send a\n'.repeat(17)}`,
      's 10.0.0.9:1 check',
    );
    expect(told(result, 'tcp-check send').filter((note) => note.startsWith('missing'))).toHaveLength(1);
    expect(configOf(result).services).toHaveLength(1);
  });

  test.each<[option: string, steps: string[]]>([
    ['redis-check', ['*1\r\n$4\r\nPING\r\n > +PONG\r\n > ']],
    ['smtpchk', [' >  > ^2', 'HELO localhost\r\n >  > ^2', 'QUIT\r\n >  > ^2']],
    ['smtpchk ehlo lb.example', [' >  > ^2', 'EHLO lb.example\r\n >  > ^2', 'QUIT\r\n >  > ^2']],
    ['pgsql-check user joe', ['\0\0\0\x12\0\x03\0\0user\0joe\0\0 >  > ^R']],
    ['mysql-check', [' >  > ^[^]{4}[^\\xff]']],
    [
      'ldap-check',
      [
        '0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0\x80\0 >  > ^0[^]{1,5}\\x02\\x01\\x01a[^]{1,5}\\x0a\\x01\\x00',
      ],
    ],
    ['spop-check', []],
  ])('option %s', (option, steps) => {
    expect(conversationOf(` option ${option}`)).toEqual(steps);
  });

  test('option mysql-check with a user logs in without a password, and quits', () => {
    const [, login = ''] = conversationOf(' option mysql-check user joe post-41');
    expect(login.slice(0, 9)).toBe('\x25\0\0\x01\0\x82\0\0\0');
    expect(login.slice(36)).toBe('joe\0\0\x01\0\0\0\x01 >  > ^[^]{4}[^\\xff]');
  });
});

describe('routes by server name', () => {
  const front = (rules: string): string =>
    `frontend f\n bind :443\n${rules}\n default_backend d\n${['a', 'b', 'd'].map((name, index) => `backend ${name}\n server s 10.0.0.${index + 1}:1\n`).join('')}`;
  const routesOf = (rules: string): [string, readonly string[]][] =>
    serviceOf(front(rules), 'f').sni.map(({ names, service }) => [service, names]);

  test.each<[rules: string, routes: [string, string[]][]]>([
    ['use_backend a if { req.ssl_sni -i A.Example }', [['a', ['a.example']]]],
    ['use_backend a if { req_ssl_sni a.example b.example }', [['a', ['a.example', 'b.example']]]],
    ['use_backend a if { req.ssl_sni,lower -m end .x.example }', [['a', ['*.x.example']]]],
    ['use_backend a if { req.ssl_sni -m end x.example }', [['a', ['x.example', '*.x.example']]]],
    [
      'acl n req.ssl_sni a.example\nacl n req.ssl_sni c.example\nuse_backend a if n',
      [['a', ['a.example', 'c.example']]],
    ],
    ['acl h req.ssl_hello_type 1\nuse_backend a if h { req.ssl_sni a.example }', [['a', ['a.example']]]],
    [
      'acl m req.ssl_sni a.example\nacl n req.ssl_sni b.example\nuse_backend a if m || n',
      [['a', ['a.example', 'b.example']]],
    ],
    [
      'use_backend a if { req.ssl_sni a.example }\nuse_backend b if { req.ssl_sni a.example c.example }',
      [
        ['a', ['a.example']],
        ['b', ['c.example']],
      ],
    ],
    [
      'use_backend a if { req.ssl_sni -m end .x.example }\nuse_backend b if { req.ssl_sni y.x.example }',
      [['a', ['*.x.example']]],
    ],
  ])('%j', (rules, routes) => {
    expect(routesOf(rules)).toEqual(routes);
  });

  test.each([
    'use_backend a if { src 10.0.0.0/8 }',
    'use_backend a if { req.ssl_sni -m reg ^a }',
    'use_backend a if { req.ssl_sni -f names.lst }',
    'use_backend a unless { req.ssl_sni a.example }',
    'use_backend a if { req.ssl_sni a.example } { src 10.0.0.0/8 }',
    'use_backend a if nobody',
    'use_backend %[req.ssl_sni,lower,map(/etc/m)]',
    'use_backend gone if { req.ssl_sni a.example }',
  ])('%s is told to be left out', (rule) => {
    const result = importHaproxyText(front(rule));
    expect(told(result, 'use_backend')[0]).toMatch(/^missing: left out/);
    expect(result.complete).toBe(false);
    expect(configOf(result).services[0]?.sni).toEqual([]);
  });

  test('names in files, and maps', () => {
    const files = {
      '/n.lst': '# names\nx.example\n\n y.example \n',
      '/m.map': 'x.example b\nz.example a\n# none\n.w.example b\n',
    };
    const routes = (rules: string): unknown =>
      configOf(importHaproxyText(front(rules), {}, files)).services[0]?.sni.map(({ names, service }) => [
        service,
        names,
      ]);
    expect(routes('use_backend a if { req.ssl_sni -i -f /n.lst v.example }')).toEqual([
      ['a', ['x.example', 'y.example', 'v.example']],
    ]);
    expect(routes('use_backend %[req.ssl_sni,lower,map_end(/m.map)]')).toEqual([
      ['b', ['x.example', '*.x.example', '*.w.example']],
      ['a', ['z.example', '*.z.example']],
    ]);
    const mapped = importHaproxyText(front('use_backend %[req.ssl_sni,lower,map(/m.map,b)]'), {}, files);
    expect(told(mapped, 'use_backend')).toEqual([
      'missing: without lines of the map that are no server name and backend',
    ]);
    expect(configOf(mapped).services[0]).toMatchObject({
      sni: [{ names: ['x.example'] }, { names: ['z.example'] }],
      backends: [{ endpoint: { address: { text: '10.0.0.2' } } }],
    });
    expect(told(mapped, 'default_backend')[0]).toMatch(/^needless/);
    expect(listenOf(' tcp-request connection reject if { src -f /nowhere }').deny).toEqual([]);
  });

  test('a line without a condition takes everybody', () => {
    const service = serviceOf(front('use_backend b'), 'f');
    expect(service.backends[0]?.endpoint.address.text).toBe('10.0.0.2');
  });
});

describe('who may connect, and how often', () => {
  const table =
    ' stick-table type ip size 1k store conn_rate(10s),conn_cur\n tcp-request connection track-sc0 src\n';
  test.each<[rules: string, expected: object]>([
    [
      'tcp-request connection reject if { src 10.0.0.0/8 192.0.2.1 }',
      { deny: [{ text: '10.0.0.0/8' }, { text: '192.0.2.1/32' }] },
    ],
    ['tcp-request connection reject if { src 10.1.2.3/255.0.0.0 }', { deny: [{ text: '10.0.0.0/8' }] }],
    ['tcp-request connection reject unless { src 10.0.0.0/8 }', { allow: [{ text: '10.0.0.0/8' }] }],
    [
      'tcp-request connection accept if { src 10.0.0.0/8 }\n tcp-request connection reject',
      { allow: [{ text: '10.0.0.0/8' }] },
    ],
    ['tcp-request content reject if !LOCALHOST', { allow: [{ text: '127.0.0.0/8' }, { text: '::1/128' }] }],
    [
      `${table} tcp-request connection reject if { sc0_conn_rate gt 20 }`,
      { sourceLimit: { rate: { count: 20, per: seconds(10) } } },
    ],
    [
      `${table} tcp-request connection reject if { src_conn_rate ge 20 }`,
      { sourceLimit: { rate: { count: 19, per: seconds(10) } } },
    ],
    [
      `${table} tcp-request connection reject if { sc_conn_cur(0) gt 4 }`,
      { sourceLimit: { maxConnections: 4 } },
    ],
    [
      `${table} tcp-request connection reject if { sc_conn_rate(0) gt 5 } or { sc_conn_cur(0) gt 2 } || { src 10.0.0.0/8 }`,
      { sourceLimit: { rate: { count: 5 }, maxConnections: 2 }, deny: [{ text: '10.0.0.0/8' }] },
    ],
    ['rate-limit sessions 30', { rate: { count: 30, per: seconds(1) } }],
    ['maxconn 77', { maxConnections: 77 }],
    ['backlog 99', { backlog: 99 }],
  ])('%j', (rules, expected) => {
    expect(listenOf(` ${rules}`)).toMatchObject(expected);
  });

  test('networks are counted together where they are tracked so', () => {
    const text = table.replace('track-sc0 src', 'track-sc0 src,ipmask(24,64)');
    expect(
      listenOf(`${text} tcp-request connection reject if { sc0_conn_cur gt 4 }`).sourceLimit,
    ).toMatchObject({ prefix4: 24, prefix6: 64 });
  });

  test.each([
    'tcp-request connection reject if { src -f list }',
    'tcp-request connection reject if { src_http_req_rate gt 5 }',
    'tcp-request connection reject if { src_conn_rate gt 5 }',
    'tcp-request connection reject if { src 10.0.0.0/8 } { dst_port 80 }',
    'tcp-request connection accept if { src 10.0.0.0/8 }',
    'tcp-request content reject if !{ req.ssl_hello_type 1 }',
    'tcp-request connection reject',
    'tcp-request connection set-mark 1',
    'tcp-response content reject',
  ])('%s is told to be left out', (rule) => {
    const result = importListen(` ${rule}`);
    expect(result.report.filter(({ line, fate }) => line === 7 && fate === 'missing')).toHaveLength(1);
    expect(configOf(result).services[0]).toMatchObject({ allow: [], deny: [], sourceLimit: null });
  });
});

describe('what proxies inherit', () => {
  test('the defaults section above, by name, and one from another', () => {
    const text = [
      'defaults one\n mode tcp\n timeout client 5s\n timeout server 5s\n retries 7',
      'defaults two from one\n retries 8',
      'defaults\n mode tcp\n retries 9\n timeout client 3s\n timeout server 3s',
      'listen a from one\n bind :1\n server s 10.0.0.9:1',
      'listen b from two\n bind :2\n server s 10.0.0.9:1',
      'listen c\n bind :3\n server s 10.0.0.9:1\n',
    ].join('\n');
    const services = configOf(importHaproxyText(text)).services;
    expect(services.map(({ retries, timeouts }) => [retries, timeouts.idle])).toEqual([
      [7, seconds(5)],
      [8, seconds(5)],
      [9, seconds(3)],
    ]);
  });

  test('of two lines the last one holds, and the other is told', () => {
    const result = importListen(' retries 4\n retries 5');
    expect(configOf(result).services[0]?.retries).toBe(5);
    expect(told(result, 'retries')[0]).toMatch(/^needless: line 8 says otherwise/);
  });
});

describe('what is not for Tandem', () => {
  test('mode http, disabled, without a server, without an address', () => {
    const text =
      'frontend h\n mode http\n bind :80\n default_backend hb\nbackend hb\n mode http\n server s 10.0.0.9:1\nlisten off\n bind :81\n disabled\n server s 10.0.0.9:1\nlisten n\n bind :82\nlisten m\n server s 10.0.0.9:1\n';
    const result = importHaproxyText(text);
    const heads = result.report
      .filter(({ within }) => within === '')
      .map(({ line, fate, note }) => `${line} ${fate}: ${note}`);
    expect(heads).toEqual([
      expect.stringMatching(/^1 missing: left out: mode http.*with its 3 lines/),
      expect.stringMatching(/^5 missing: left out: mode http/),
      expect.stringMatching(/^8 needless: left out: it is disabled/),
      expect.stringMatching(/^12 missing: left out: it leads to no server/),
      expect.stringMatching(/^14 missing: left out: it has nothing to listen on/),
    ]);
    expect(result.faults[0]).toContain('nothing to do');
  });

  test('a statistics page is not missed', () => {
    const result = importHaproxyText(
      `${listen('')}listen stats\n mode http\n bind :8404\n stats enable\n stats auth a:hunter22\n`,
    );
    expect(result.complete).toBe(true);
    expect(JSON.stringify(result)).not.toContain('hunter22');
  });

  test('unknown keywords and options are told, also in what is left out', () => {
    const result = importHaproxyText(
      `${listen(' nonsense 1', 's 10.0.0.9:1 bogus check')}userlist u\n group g\n strange x\n`,
    );
    const unknown = result.report
      .filter(({ did }) => did === 'unknown')
      .map(({ line, keyword }) => [line, keyword]);
    expect(unknown).toEqual([
      [7, 'nonsense'],
      [8, 'bogus'],
      [11, 'strange'],
    ]);
  });

  test('words that HAProxy does not take any more are told', () => {
    const result = importHaproxyText('listen web 10.0.0.1:80\n bind :81\n server s 10.0.0.9:1\n');
    expect(told(result, 'listen')[0]).toMatch(/^missing: the words behind its name/);
    expect(told(importListen(' persist rdp-cookie'), 'persist rdp-cookie')[0]).toMatch(/^missing/);
  });

  test('a backend that nothing leads to', () => {
    expect(
      told(importHaproxyText(`${listen('')}backend lost\n server s 10.0.0.9:1\n`), 'backend')[0],
    ).toMatch(/^missing: left out: nothing/);
  });
});

describe('global', () => {
  test('what Tandem has', () => {
    const head =
      'global\n maxconn 500\n nbthread 3\n node lb-x\n spread-checks 4\n hard-stop-after 2m\n setenv A 10.0.0.9';
    const config = configOf(importHaproxyText(listen('', 's "$A:1" check', head)));
    expect(config).toMatchObject({
      node: { name: 'lb-x' },
      drainTimeout: seconds(120),
      limits: { maxConnections: 500 },
      dataPath: { workers: 3 },
    });
    expect(config.services[0]?.health?.jitter).toBe(0.04);
    expect(config.services[0]?.backends[0]?.endpoint.address.text).toBe('10.0.0.9');
  });

  test('variables of the environment', () => {
    const result = importHaproxyText(listen('', 's "${BACK}:1"'), { BACK: '10.0.0.77' });
    expect(configOf(result).services[0]?.backends[0]?.endpoint.address.text).toBe('10.0.0.77');
  });
});

test('thousands of servers take time in proportion', () => {
  const servers = Array.from(
    { length: 10_000 },
    (_, i) => ` server s${i} 10.${i >> 14}.${(i >> 7) & 127}.${i & 127}:80 check\n`,
  );
  const result = importHaproxyText(`listen a\n bind :80\n default-server inter 3s\n${servers.join('')}`);
  expect(result.toml.match(/\[\[service\.backend\]\]/g)?.length).toBeGreaterThan(9_900);
}, 30_000);

test('thousands of names and routes take time in proportion', () => {
  const names = Array.from(
    { length: 2_000 },
    (_, i) => ` acl n${i} req.ssl_sni h${i}.example\n use_backend b${i} if n${i}\n`,
  );
  const backends = Array.from(
    { length: 2_000 },
    (_, i) => `backend b${i}\n server s 10.1.${i >> 8}.${i & 255}:443\n`,
  );
  const result = importHaproxyText(`frontend f\n bind :443\n${names.join('')}${backends.join('')}`);
  expect(result.toml.match(/\[\[service\.sni\]\]/g)).toHaveLength(2_000);
}, 30_000);
