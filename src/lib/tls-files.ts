import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { errnoOf, messageOf } from './errors.ts';

/** A chain with a few intermediates has some 10 KiB. */
const MAX_PEM_BYTES = 256 * 1_024;
const OTHERS = 0o007;

/** PEM, as node:tls takes them. */
export interface TlsMaterial {
  /** The server's certificate first, then the chain. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The first certificate, to ask for its names. */
  readonly leaf: X509Certificate;
}

/** Why certificate and key cannot be used. Its words never hold what is in the files. */
export interface TlsFault {
  readonly file: 'certificate' | 'key';
  /** "is not a PEM certificate": to be said of the file. */
  readonly fault: string;
  readonly hint: string;
  /** This process may not read it; another one might. */
  readonly denied: boolean;
}

/** Reads a server's certificate and key. @param now wall-clock milliseconds since 1970. Never throws. */
export function readTls(certificate: string, key: string, now: number): TlsMaterial | TlsFault {
  const cert = readPem(certificate, 'certificate');
  if (!Buffer.isBuffer(cert)) return cert;
  const secret = readPem(key, 'key');
  if (!Buffer.isBuffer(secret)) return secret;
  const leaf = parsed(() => new X509Certificate(cert));
  if (leaf === undefined)
    return fault('certificate', 'is not a certificate in PEM', 'write the chain in PEM');
  const own = parsed(() => createPrivateKey(secret));
  if (own === undefined)
    return fault('key', 'is not a private key in PEM', 'write it in PEM, without a passphrase');
  if (!leaf.checkPrivateKey(own)) {
    return fault(
      'key',
      'does not belong to the certificate',
      'name the key that the certificate was made for',
    );
  }
  if (Date.parse(leaf.validTo) < now) {
    return fault('certificate', `expired on ${leaf.validTo}`, 'renew it');
  }
  return { cert, key: secret, leaf };
}

export const isTlsMaterial = (reading: TlsMaterial | TlsFault): reading is TlsMaterial => 'leaf' in reading;

function readPem(path: string, file: TlsFault['file']): Buffer | TlsFault {
  let fd: number | undefined;
  try {
    // a pipe must not hold the caller up
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return fault(file, 'is not a file', 'name a file in PEM');
    if (file === 'key' && (stat.mode & OTHERS) !== 0)
      return fault(file, 'may be read or written by everybody', `chmod o= ${path}`);
    if (stat.size > MAX_PEM_BYTES)
      return fault(file, `is longer than ${MAX_PEM_BYTES} bytes`, 'name a file in PEM');
    return readFileSync(fd);
  } catch (error) {
    return unreadable(file, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function unreadable(file: TlsFault['file'], error: unknown): TlsFault {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return fault(file, 'does not exist', 'name a file in PEM');
    case 'EACCES':
      return {
        ...fault(file, 'cannot be read by this user', "let the daemon's user or group read it"),
        denied: true,
      };
    default:
      return fault(file, `cannot be read: ${messageOf(error)}`, 'name a file in PEM');
  }
}

function parsed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // OpenSSL's words are about its own code; the caller says what was expected
  }
}

const fault = (file: TlsFault['file'], words: string, hint: string): TlsFault => ({
  file,
  fault: words,
  hint,
  denied: false,
});
