import type { X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { formatEndpoint, ipOfPeer, isLoopback, networkOf } from '../lib/ip.ts';
import { readToken, requireSecret } from '../lib/secret-file.ts';
import { isTlsMaterial, readTls, type TlsMaterial } from '../lib/tls-files.ts';
import type { AdminHttpSpec } from '../model/config.ts';
import type { Emit } from '../model/event.ts';
import { type AccessPolicy, digestOf, judge } from './access.ts';
import { Attempts } from './attempts.ts';
import type { Access } from './contract.ts';
import { DenialReport } from './denial-report.ts';
import { closable, dispatcher, HTTP_OPTIONS, MAX_CONNECTIONS, type Report } from './dispatch.ts';
import { HttpError } from './http.ts';
import type { Route, Router } from './routes.ts';

export interface HttpListenerOptions {
  readonly route: Router;
  readonly emit: Emit;
  /** Hears of errors that are the daemon's own. */
  readonly report: Report;
}

interface Prepared {
  readonly spec: AdminHttpSpec;
  readonly policy: AccessPolicy;
  readonly tls: TlsMaterial | null;
}

interface Running extends Prepared {
  readonly server: Server | TlsServer;
  readonly close: () => Promise<void>;
}

/** The admin API and the status page on a TCP address, for browsers; what it may do is access.ts's. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #attempts = new Attempts();
  readonly #denials: DenialReport;
  /** Answers that are under way, to be ended when what they were allowed by is no more. */
  readonly #answers = new Set<ServerResponse>();
  readonly #closing = new Set<Promise<void>>();
  #running: Running | null = null;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#denials = new DenialReport(options.emit);
  }

  /**
   * Listens as the configuration says from now on, or no longer. Token and certificate are read again each
   * time. An address that stays is never let go, and whoever is in the middle of a request gets an answer.
   * @throws TandemError 'admin-token', 'admin-tls' or 'admin-listen', with everything as it was before
   */
  async apply(spec: AdminHttpSpec | null): Promise<void> {
    const before = this.#running;
    const next = spec === null ? null : prepare(spec);
    if (before !== null && next !== null && sameSocket(before.spec, next.spec)) {
      if (before.server instanceof TlsServer && next.tls !== null) before.server.setSecureContext(next.tls);
      this.#running = { ...before, ...next };
      if (!isDeepStrictEqual(before.policy.token, next.policy.token)) this.#endStreams();
      return;
    }
    const sameAddress = isDeepStrictEqual(before?.spec.listen, next?.spec.listen);
    // one address has one socket: the old one goes first then, and comes back when the new one cannot be
    if (before !== null && sameAddress) this.#retire(before);
    try {
      this.#running = next === null ? null : await this.#open(next);
    } catch (error) {
      if (before !== null && sameAddress) this.#running = await this.#open(before);
      throw error;
    }
    if (before !== null && !sameAddress) this.#retire(before);
  }

  /** Ends every connection within a grace; idempotent. */
  async close(): Promise<void> {
    if (this.#running !== null) this.#retire(this.#running);
    this.#running = null;
    await Promise.all(this.#closing);
  }

  #retire(running: Running): void {
    this.#endStreams();
    const closing = running.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** A stream lives for hours on a token that was right once. */
  #endStreams(): void {
    for (const response of this.#answers) {
      if (response.req.method === 'GET') response.destroy();
    }
  }

  async #open(prepared: Prepared): Promise<Running> {
    const { report, route } = this.#options;
    const answer = dispatcher({ route, admit: (request, found) => this.#admit(request, found), report });
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answers.add(response);
      response.once('close', () => this.#answers.delete(response));
      answer(request, response);
    };
    const { tls, spec } = prepared;
    const server =
      tls === null
        ? createServer(HTTP_OPTIONS, handle)
        : createTlsServer({ ...HTTP_OPTIONS, handshakeTimeout: 5_000, cert: tls.cert, key: tls.key }, handle);
    server.maxConnections = MAX_CONNECTIONS;
    await listen(server, spec);
    server.on('error', report);
    return { ...prepared, server, close: closable(server, async () => undefined).close };
  }

  #admit(request: IncomingMessage, route: Route | undefined): Access {
    const policy = this.#running?.policy;
    // between two listeners: the connection ends, and the client comes again
    if (policy === undefined) throw new HttpError(503, 'closing', 'this address is being closed');
    const { headers, method = 'GET' } = request;
    const address = request.socket.remoteAddress ?? '';
    const asked = {
      method,
      host: headers.host ?? null,
      origin: headers.origin ?? null,
      fetchSite: header(request, 'sec-fetch-site'),
      fetchMode: header(request, 'sec-fetch-mode'),
      authorization: headers.authorization ?? null,
      source: sourceOf(address),
      open: route?.open === true,
      guarded: route?.guarded === true,
    };
    const now = performance.now() / 1_000;
    try {
      const access = judge(asked, policy, this.#attempts, now);
      if (route?.method === 'POST' && method === 'POST') this.#tell(address, request.url ?? '');
      return access;
    } catch (error) {
      if (error instanceof HttpError) this.#denials.denied(error.code, address, now);
      throw error;
    }
  }

  #tell(address: string, path: string): void {
    this.#options.emit({
      level: 'info',
      name: 'admin.action',
      message: `${address} over HTTP, with the token: POST ${path}`,
      fields: { address, path },
    });
  }
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** Who has one address of an IPv6 network has all 2^64 of them. */
function sourceOf(address: string): string {
  const ip = ipOfPeer(address);
  return ip.family === 6 ? networkOf(ip, 64) : ip.text;
}

const sameSocket = (a: AdminHttpSpec, b: AdminHttpSpec): boolean =>
  isDeepStrictEqual(a.listen, b.listen) && (a.tls === null) === (b.tls === null);

function prepare(spec: AdminHttpSpec): Prepared {
  const { tokenFile, listen: endpoint } = spec;
  const token =
    tokenFile === null
      ? null
      : requireSecret(readToken(tokenFile), { path: tokenFile, code: 'admin-token', what: 'token file' });
  const tls = spec.tls === null ? null : loadTls(spec.tls);
  const policy: AccessPolicy = {
    secure: tls !== null,
    local: isLoopback(endpoint.address),
    token: token === null ? null : digestOf(token),
    named: (name) => tls !== null && isNameOf(tls.leaf, name),
  };
  return { spec, policy, tls };
}

const isNameOf = (certificate: X509Certificate, name: string): boolean =>
  certificate.checkHost(name) !== undefined;

function loadTls({ certificate, key }: NonNullable<AdminHttpSpec['tls']>): TlsMaterial {
  const reading = readTls(certificate, key, Date.now());
  if (isTlsMaterial(reading)) return reading;
  const path = reading.file === 'key' ? key : certificate;
  throw new TandemError('admin-tls', `the TLS ${reading.file} ${path} ${reading.fault}`, {
    hint: reading.hint,
    exitStatus: reading.denied ? EXIT.noPermission : EXIT.usage,
  });
}

function listen(server: Server | TlsServer, { listen: endpoint }: AdminHttpSpec): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenError(error, formatEndpoint(endpoint)));
    server.once('error', failed);
    server.listen({ host: endpoint.address.text, port: endpoint.port, ipv6Only: true }, () => {
      server.removeListener('error', failed);
      resolve();
    });
  });
}

function listenError(error: Error, where: string): TandemError {
  const denied = errnoOf(error) === 'EACCES';
  return new TandemError(
    'admin-listen',
    `cannot listen for the status page on ${where}: ${messageOf(error)}`,
    {
      hint: denied ? 'ports below 1024 need CAP_NET_BIND_SERVICE' : 'change [admin] listen',
      exitStatus: denied ? EXIT.noPermission : EXIT.osError,
      cause: error,
    },
  );
}
