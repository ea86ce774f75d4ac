import { createHash, timingSafeEqual } from 'node:crypto';
import { parseIp } from '../lib/ip.ts';
import type { Attempts } from './attempts.ts';
import type { Access } from './contract.ts';
import { HttpError } from './http.ts';

/** What a request says of itself, before anything of it is believed. */
export interface Asked {
  readonly method: string;
  /** Host as sent; null without. */
  readonly host: string | null;
  readonly origin: string | null;
  /** Sec-Fetch-Site and Sec-Fetch-Mode (W3C Fetch Metadata); null from whatever is no browser. */
  readonly fetchSite: string | null;
  readonly fetchMode: string | null;
  readonly authorization: string | null;
  /** The client's address, or its network: who is held responsible for wrong tokens. */
  readonly source: string;
  /** For a file that is the same for everybody. */
  readonly open: boolean;
  /** For what reading alone does not entitle to: it needs the token as a change does. */
  readonly guarded: boolean;
}

export interface AccessPolicy {
  /** Served by TLS. */
  readonly secure: boolean;
  /** On loopback: reading needs no token. */
  readonly local: boolean;
  /** {@link digestOf} the token; null when there is none. */
  readonly token: Buffer | null;
  /** Is this name, in lower case, one of the certificate's? */
  readonly named: (name: string) => boolean;
}

/** So that two texts of any length are compared in constant time. */
export const digestOf = (token: Uint8Array): Buffer => createHash('sha256').update(token).digest();

/**
 * Who may do what over HTTP. Pure but for what `attempts` remembers.
 *
 * A browser runs pages of others beside ours. Such a page can send requests here, and with a name that it
 * controls (DNS rebinding) even read the answers: hence the checks of Host and Origin before all else. The
 * token is never a cookie: nothing is allowed because of where a request comes from.
 * @throws HttpError 'foreign-host', 'foreign-origin', 'throttled', 'wrong-token', 'no-token' or 'read-only'
 */
export function judge(asked: Asked, policy: AccessPolicy, attempts: Attempts, now: number): Access {
  requireHost(asked, policy);
  requireOrigin(asked, policy);
  if (asked.open) return policy.token === null ? 'off' : 'token';
  if (asked.authorization !== null && policy.token !== null) {
    requireToken(asked, policy.token, attempts, now);
    return 'open';
  }
  const reads = (asked.method === 'GET' || asked.method === 'HEAD') && !asked.guarded;
  if (policy.token === null) {
    if (reads && policy.local) return 'off';
    const what = asked.guarded ? 'this is not told over HTTP' : 'nothing can be changed over HTTP';
    throw new HttpError(403, 'read-only', `${what}: there is no token`, {
      hint: 'write [admin] token_file, or use the tandem command on the host',
    });
  }
  if (reads && policy.local) return 'token';
  throw unauthorized('no-token', 'this needs the token of [admin] token_file');
}

/** A name that an attacker could point here is refused; an address cannot be rebound. */
function requireHost({ host }: Asked, { named }: AccessPolicy): void {
  const name = hostName(host ?? '');
  if (name !== null && (parseIp(name) !== undefined || name === 'localhost' || named(name))) return;
  throw new HttpError(403, 'foreign-host', 'the Host header names another host', {
    hint: "use an address, localhost, or a name of the certificate's",
  });
}

/** "lb-a.example:9465" and "[::1]:9465" without port and brackets, in lower case; null for anything else. */
export function hostName(host: string): string | null {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9_.-]+))(?::\d{1,5})?$/.exec(host);
  return parts === null ? null : (parts[1] ?? parts[2] ?? '').toLowerCase();
}

function requireOrigin(
  { host, origin, fetchSite, fetchMode, method }: Asked,
  { secure }: AccessPolicy,
): void {
  const own = `${secure ? 'https' : 'http'}://${host ?? ''}`.toLowerCase();
  if (origin !== null && origin.toLowerCase() !== own) throw foreignOrigin();
  const link = fetchMode === 'navigate' && method === 'GET';
  if (fetchSite === null || fetchSite === 'same-origin' || fetchSite === 'none' || link) return;
  throw foreignOrigin();
}

const foreignOrigin = (): HttpError =>
  new HttpError(403, 'foreign-origin', 'the request comes from a page of another origin');

function requireToken(
  { authorization, source }: Asked,
  token: Buffer,
  attempts: Attempts,
  now: number,
): void {
  const wait = attempts.secondsUntil(source, now);
  if (wait > 0) {
    throw new HttpError(429, 'throttled', `too many wrong tokens: wait ${wait} s`, {
      headers: { 'retry-after': String(wait) },
    });
  }
  // RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1)
  const given = /^bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1] ?? '';
  if (timingSafeEqual(digestOf(Buffer.from(given, 'latin1')), token)) return;
  attempts.failed(source, now);
  throw unauthorized('wrong-token', 'the token is wrong');
}

const unauthorized = (code: string, message: string): HttpError =>
  new HttpError(401, code, message, { headers: { 'www-authenticate': 'Bearer realm="tandem"' } });
