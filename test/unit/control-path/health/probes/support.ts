import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProbeOutcome } from '../../../../../src/control-path/health/probe.ts';
import { runProbe } from '../../../../../src/control-path/health/probes/index.ts';
import { type Endpoint, parseIp } from '../../../../../src/lib/ip.ts';
import type { ProbeSpec } from '../../../../../src/model/health.ts';

/** What a test opened; `close` ends it, connections included. */
export interface Opened {
  readonly target: Endpoint;
  close(): Promise<void>;
}

export function at(address: string, port: number): Endpoint {
  const parsed = parseIp(address);
  if (parsed === undefined) throw new Error(`not an address: ${address}`);
  return { address: parsed, port };
}

/** Waits for the server to listen on a port of the kernel's choice and keeps track of its connections. */
export async function listen(server: Server, host = '127.0.0.1'): Promise<Opened> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    target: at(host, address.port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A TCP server that treats each connection in this way. */
export const tcpServer = (serve: (socket: Socket) => void, host?: string): Promise<Opened> =>
  listen(createServer(serve), host);

/** A UDP server that answers each datagram with these, in turn. */
export async function udpServer(answer: (query: Buffer) => readonly Uint8Array[]): Promise<Opened> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    for (const reply of answer(query)) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return {
    target: at('127.0.0.1', socket.address().port),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** A port where nobody listens (any more). */
export async function closedPort(): Promise<Endpoint> {
  const server = await tcpServer(() => undefined);
  await server.close();
  return server.target;
}

/** A certificate for `name` that nobody vouches for, and its key. */
export function selfSigned(name: string): { readonly key: Buffer; readonly cert: Buffer } {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-tls-'));
  try {
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem'), '-days', '2'];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
    execFileSync('openssl', [...kind, ...files, ...subject], { stdio: 'pipe' });
    return { key: readFileSync(join(dir, 'key.pem')), cert: readFileSync(join(dir, 'cert.pem')) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs one probe, aborted after `timeoutMs` as the prober would; tells whether it had to be. */
export async function probe(
  spec: ProbeSpec,
  target: Endpoint,
  timeoutMs = 10_000,
): Promise<ProbeOutcome & { readonly aborted: boolean }> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  const outcome = await runProbe(spec, target, abort.signal);
  clearTimeout(timer);
  return { ...outcome, aborted: abort.signal.aborted };
}
