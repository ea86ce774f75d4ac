/**
 * PROXY protocol and TLS server names with what people run before and behind a balancer, all on this host's loopback.
 *
 *   curl ──> HAProxy or nginx ──PROXY──> [data path, in this process] ──PROXY──> HAProxy or nginx
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parsePrefix } from '../../src/lib/ip.ts';
import type { ProxyProtocolSpec } from '../../src/model/service.ts';
import { backend, DataPathRig, endpoint, serviceSpec } from '../support/data-path.ts';
import { freePort } from '../support/free-port.ts';
import { eventually, missing } from '../support/netns.ts';
import { httpProbe } from '../support/specs.ts';
import { probe } from '../unit/control-path/health/probes/support.ts';

const skip = missing('nginx', 'haproxy', 'curl', 'openssl') !== null;
const run = promisify(execFile);

let dir: string;
let rig: DataPathRig;
const children: ChildProcess[] = [];

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-proxy-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

beforeEach(async () => {
  rig = await DataPathRig.start();
});

afterEach(async () => {
  await Promise.all(children.splice(0).map(end));
  await rig.stop();
});

async function listening(port: number): Promise<void> {
  await eventually(`somebody listens on ${port}`, () =>
    execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' }).includes(`:${port}`),
  );
}

async function haproxy(port: number, ...lines: string[]): Promise<void> {
  const file = join(dir, `haproxy-${port}.cfg`);
  const defaults = 'timeout connect 2s\n timeout client 10s\n timeout server 10s';
  writeFileSync(file, `global\n nbthread 1\ndefaults\n ${defaults}\n${lines.join('\n')}\n`);
  children.push(spawn('haproxy', ['-f', file, '-db'], { stdio: 'ignore' }));
  await listening(port);
}

async function nginx(port: number, block: string): Promise<void> {
  const home = join(dir, `nginx-${port}`);
  mkdirSync(home);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (t) => `${t}_temp_path ${home}/${t};`,
  );
  writeFileSync(
    join(home, 'nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
     user root; daemon off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;
     events { worker_connections 64; }
     ${block.replace('http {', `http { access_log off; ${temp.join(' ')}`)}`,
  );
  children.push(
    spawn('nginx', ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')], {
      stdio: 'ignore',
    }),
  );
  await listening(port);
}

/** A server that answers with whom it takes for its client, by the PROXY header alone. */
async function haproxyServer(): Promise<number> {
  const port = await freePort();
  await haproxy(
    port,
    'frontend f',
    ' mode http',
    ` bind 127.0.0.1:${port} accept-proxy`,
    ' http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] > %[dst]:%[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"',
  );
  return port;
}

async function nginxServer(): Promise<number> {
  const port = await freePort();
  await nginx(
    port,
    `http { server { listen 127.0.0.1:${port} proxy_protocol;
       location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port > $proxy_protocol_server_addr:$proxy_protocol_server_port"; } } }`,
  );
  return port;
}

function open(port: number, to: number, proxyProtocol: ProxyProtocolSpec): void {
  rig.open(
    serviceSpec({
      listen: [endpoint(`127.0.0.1:${port}`)],
      backends: [backend(`127.0.0.1:${to}`)],
      proxyProtocol,
    }),
  );
}

const trusted = ['127.0.0.0/8'].flatMap((text) => parsePrefix(text) ?? []);
/** The address that curl leaves from, to tell it from everybody else's. */
const CLIENT = '127.1.2.3';

async function curl(url: string, ...options: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '5', '--interface', CLIENT, ...options, url]);
  return stdout.trim();
}

describe.skipIf(skip)('PROXY protocol', () => {
  it.each([
    [1, 'HAProxy', haproxyServer],
    [2, 'HAProxy', haproxyServer],
    [1, 'nginx', nginxServer],
    [2, 'nginx', nginxServer],
  ] as const)('version %d tells %s who the client is', async (send, _, server) => {
    const port = await freePort();
    open(port, await server(), { accept: null, send });
    expect(await curl(`http://127.0.0.1:${port}/`)).toMatch(
      new RegExp(`^${CLIENT.replaceAll('.', '\\.')}:\\d+ > 127\\.0\\.0\\.1:${port}`),
    );
  });

  it.each([
    ['send-proxy', 1],
    ['send-proxy-v2', 1],
    ['send-proxy-v2 proxy-v2-options crc32c,unique-id', 2],
  ] as const)('HAProxy with %s is understood, and version %d goes on from there', async (option, send) => {
    const [front, port] = [await freePort(), await freePort()];
    open(port, await haproxyServer(), { accept: trusted, send });
    await haproxy(
      front,
      'listen l',
      ' mode http',
      ' unique-id-format id-%rt',
      ` bind 127.0.0.1:${front}`,
      ` server s 127.0.0.1:${port} ${option}`,
    );
    const answer = await curl(`http://127.0.0.1:${front}/`);
    expect(answer).toMatch(new RegExp(`^${CLIENT.replaceAll('.', '\\.')}:\\d+ > 127\\.0\\.0\\.1:${front}`));
    // a TLV of the sender's own reaches the server
    if (send === 2) expect(answer).toMatch(/ id-\d+$/);
  });

  it('nginx as the sender', async () => {
    const [front, port] = [await freePort(), await freePort()];
    open(port, await haproxyServer(), { accept: trusted, send: 2 });
    await nginx(
      front,
      `stream { server { listen 127.0.0.1:${front}; proxy_pass 127.0.0.1:${port}; proxy_protocol on; } }`,
    );
    expect(await curl(`http://127.0.0.1:${front}/`)).toMatch(
      new RegExp(`^${CLIENT.replaceAll('.', '\\.')}:\\d+ > 127\\.0\\.0\\.1:${front}`),
    );
  });

  it('health checks begin with a header where clients do', async () => {
    const port = await nginxServer();
    const target = endpoint(`127.0.0.1:${port}`);
    for (const sendProxy of [1, 2] as const) {
      expect(await probe(httpProbe({ sendProxy }), target)).toMatchObject({ ok: true, detail: 'HTTP 200' });
      expect(await probe({ type: 'tcp', tls: null, exchange: [], sendProxy }, target)).toMatchObject({
        ok: true,
      });
    }
    expect(await probe(httpProbe(), target)).toMatchObject({ ok: false });
    const closed = endpoint(`127.0.0.1:${await freePort()}`);
    for (const tls of [false, true]) {
      expect(await probe(httpProbe({ sendProxy: 2, tls }), closed)).toMatchObject({ reason: 'refused' });
    }
  });
});

describe.skipIf(skip)('TLS passed through', () => {
  it('goes to the server that the client names, whose certificate it sees', async () => {
    const [port, a, b] = [await freePort(), await freePort(), await freePort()];
    for (const [name, at] of [
      ['a.example.org', a],
      ['b.example.org', b],
    ] as const) {
      const [key, cert] = [join(dir, `${name}.key`), join(dir, `${name}.pem`)];
      execFileSync(
        'openssl',
        ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`].concat([
          ...['-addext', `subjectAltName=DNS:${name}`, '-keyout', key, '-out', cert],
        ]),
        { stdio: 'ignore' },
      );
      await nginx(
        at,
        `http { server { listen 127.0.0.1:${at} ssl proxy_protocol; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${cert}; ssl_certificate_key ${key};
           location / { return 200 "${name} for $proxy_protocol_addr"; } } }`,
      );
    }
    const sni = ['a', 'b'].map((service) => ({ names: [`${service}.example.org`], service }));
    rig.open(serviceSpec({ listen: [endpoint(`127.0.0.1:${port}`)], backends: [], sni }));
    for (const [name, at] of [
      ['a', a],
      ['b', b],
    ] as const) {
      const proxyProtocol = { accept: null, send: 2 } as const;
      rig.open(serviceSpec({ name, listen: [], backends: [backend(`127.0.0.1:${at}`)], proxyProtocol }));
    }
    for (const name of ['a.example.org', 'b.example.org']) {
      const options = ['--cacert', join(dir, `${name}.pem`), '--resolve', `${name}:${port}:127.0.0.1`];
      for (const version of [['--tls-max', '1.2'], ['--tlsv1.3']]) {
        expect(await curl(`https://${name}:${port}/`, ...options, ...version)).toBe(`${name} for ${CLIENT}`);
      }
    }
    const none = curl(`https://c.example.org:${port}/`, '--resolve', `c.example.org:${port}:127.0.0.1`);
    await expect(none).rejects.toThrow(/reset/i);
    expect(rig.service().refused['no-route']).toBe(1);
  });
});
