/**
 * Probes and the service controller against what people run: nginx (HTTP and HTTPS) and dnsmasq (DNS), all
 * on this host's loopback.
 *
 *   controller (system clock) ──http──> nginx 127.0.0.1:A   killed, then started again
 *                             ──http──> nginx 127.0.0.1:B   its application begins to fail
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askAgent } from '../../src/control-path/agent-check/ask.ts';
import { ProbeGate } from '../../src/control-path/health/probe-gate.ts';
import { runProbe } from '../../src/control-path/health/probes/index.ts';
import { ServiceController } from '../../src/control-path/service-controller.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { millis, seconds } from '../../src/lib/duration.ts';
import type { Endpoint } from '../../src/lib/ip.ts';
import type { ProbeSpec } from '../../src/model/health.ts';
import { eventually, missing } from '../support/netns.ts';
import { backendSpec, healthSpec, httpProbe, serviceSpec } from '../support/specs.ts';
import { closedPort, probe } from '../unit/control-path/health/probes/support.ts';

const skip = missing('nginx', 'dnsmasq', 'openssl') !== null;

let dir: string;
const children: ChildProcess[] = [];

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  // nginx's master takes its workers along on SIGTERM, not on SIGKILL
  child.kill('SIGTERM');
  await gone;
}

function start(program: string, ...args: string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  children.push(child);
  return child;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-interop-'));
});

afterAll(async () => {
  await Promise.all(children.map(end));
  rmSync(dir, { recursive: true, force: true });
});

/** Writes a configuration whose one server has these lines, and returns how to start it. */
function nginx(name: string, listen: string, ...server: string[]): () => ChildProcess {
  const home = join(dir, name);
  mkdirSync(home);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (t) => `${t}_temp_path ${home}/${t};`,
  );
  writeFileSync(
    join(home, 'nginx.conf'),
    `user root; daemon off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;
     events { worker_connections 64; }
     http { access_log off; ${temp.join(' ')} server { listen ${listen}; ${server.join('\n')} } }`,
  );
  return () => start('nginx', '-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log'));
}

const text = ({ address, port }: Endpoint): string => `${address.text}:${port}`;

const up = (spec: ProbeSpec, target: Endpoint): Promise<void> =>
  eventually('the server answers', async () => (await probe(spec, target)).ok);

describe.skipIf(skip)('nginx', () => {
  it('is checked over HTTP: status, body, JSON, redirect, HEAD', async () => {
    const target = await closedPort();
    nginx(
      'http',
      text(target),
      'location = /health { default_type application/json; return 200 \'{"database":{"up":true},"lag":3}\'; }',
      'location = /down { return 503; }',
      'location = /moved { return 301 /health; }',
    )();
    await up(httpProbe({ path: '/health' }), target);
    const ask = (over: Parameters<typeof httpProbe>[0]) => probe(httpProbe(over), target);
    expect(await ask({ path: '/health', expectJson: { '/database/up': true, '/lag': 3 } })).toMatchObject({
      ok: true,
    });
    expect(await ask({ path: '/health', expectJson: { '/database/up': false } })).toMatchObject({
      reason: 'json-mismatch',
    });
    expect(await ask({ path: '/health', expectRegex: '"lag":[0-5]\\b' })).toMatchObject({ ok: true });
    expect(await ask({ path: '/health', method: 'HEAD' })).toMatchObject({ ok: true });
    expect(await ask({ path: '/down' })).toMatchObject({ reason: 'status', detail: 'HTTP 503' });
    expect(await ask({ path: '/moved' })).toMatchObject({ reason: 'status', detail: 'HTTP 301' });
    expect(await probe({ type: 'tcp', tls: null, exchange: [], sendProxy: null }, target)).toMatchObject({
      ok: true,
    });
    expect(await ask({ tls: true })).toMatchObject({ ok: false, reason: 'tls' });
  });

  it('is checked over HTTPS', async () => {
    const target = await closedPort();
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=app',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'pipe' },
    );
    const lines = [
      `ssl_certificate ${cert};`,
      `ssl_certificate_key ${key};`,
      'location / { return 200 $ssl_server_name; }',
    ];
    nginx('https', `${text(target)} ssl`, ...lines)();
    await up(httpProbe({ tls: true, tlsVerify: false }), target);
    const named = httpProbe({
      tls: true,
      tlsVerify: false,
      host: 'app.example.org',
      expectBody: 'app.example.org',
    });
    expect(await probe(named, target)).toMatchObject({ ok: true });
    expect(await probe(httpProbe({ tls: true }), target)).toMatchObject({ ok: false, reason: 'tls' });
  });
});

describe.skipIf(skip)('dnsmasq', () => {
  it('is checked over DNS', async () => {
    const target = await closedPort(); // of TCP, and dnsmasq wants both
    start(
      'dnsmasq',
      ...['--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--bind-interfaces'],
      ...['--listen-address=127.0.0.1', '--except-interface=none', `--port=${target.port}`],
      ...[
        '--user=root',
        '--pid-file=',
        '--local=/example.org/',
        '--host-record=www.example.org,192.0.2.1,2001:db8::1',
      ],
      `--txt-record=big.example.org,${Array(8).fill('x'.repeat(200)).join(',')}`,
    );
    const dns = (query: string, recordType: 'A' | 'AAAA' | 'TXT', expectRcode = 0): ProbeSpec => ({
      type: 'dns',
      query,
      recordType,
      expectRcode,
    });
    await eventually(
      'dnsmasq answers',
      async () => (await probe(dns('www.example.org', 'A'), target, 500)).ok,
    );
    expect(await probe(dns('WWW.Example.ORG.', 'AAAA'), target)).toMatchObject({
      ok: true,
      detail: 'NOERROR',
    });
    expect(await probe(dns('no.example.org', 'A', 3), target)).toMatchObject({
      ok: true,
      detail: 'NXDOMAIN',
    });
    expect(await probe(dns('no.example.org', 'A'), target)).toMatchObject({
      ok: false,
      reason: 'rcode',
      detail: 'NXDOMAIN, wanted NOERROR',
    });
    // more than 512 bytes without EDNS: truncated, and good enough
    expect(await probe(dns('big.example.org', 'TXT'), target)).toMatchObject({ ok: true });
    // no upstream for it
    expect(await probe(dns('example.net', 'A', 5), target)).toMatchObject({ ok: true, detail: 'REFUSED' });
  });
});

describe.skipIf(skip)('the service controller over two nginx', () => {
  it('sees one die and come back, and the other one fail while it still answers', async () => {
    const [a, b] = [await closedPort(), await closedPort()];
    const broken = join(dir, 'broken');
    const lines = ['location / { return 200 up; }', `if (-f ${broken}) { return 503; }`];
    const [startA, startB] = [nginx('a', text(a), ...lines), nginx('b', text(b), ...lines)];
    const first = startA();
    const events: string[] = [];
    const controller = new ServiceController({
      spec: serviceSpec({
        health: healthSpec({
          probe: httpProbe({ expectBody: 'up' }),
          interval: millis(100),
          fastInterval: millis(50),
          jitter: 0.1,
          timeout: seconds(2),
        }),
        backends: [backendSpec('a', { endpoint: a }), backendSpec('b', { endpoint: b })],
      }),
      clock: systemClock,
      random: Math.random,
      gate: new ProbeGate(8),
      probe: runProbe,
      ask: askAgent,
      slotOf: () => 0,
      onSet: () => undefined,
      emit: ({ name, fields }) =>
        events.push(`${name} ${fields['backend'] ?? ''} ${fields['reason'] ?? ''}`.trim()),
      onBackendDown: () => undefined,
    });
    const eligible = (): string =>
      controller.set.members
        .filter((m) => m.disposition === 'eligible')
        .map((m) => m.id)
        .join();
    try {
      controller.start();
      startB();
      await eventually('both are up', () => eligible() === 'a,b');
      await end(first);
      await eventually('a is out', () => eligible() === 'b');
      expect(events).toContain('backend.down a refused');
      startA();
      await eventually('a is back', () => eligible() === 'a,b');
      writeFileSync(broken, '');
      await eventually('nobody is left', () => eligible() === '');
      expect(controller.snapshot().map((s) => s.lastCheck)).toEqual(['HTTP 503', 'HTTP 503']);
      expect(events).toContain('service.none-eligible');
      rmSync(broken);
      await eventually('both are up again', () => eligible() === 'a,b');
      expect(events.slice(-3)).toContain('service.eligible-again');
    } finally {
      controller.stop();
    }
  });
});
