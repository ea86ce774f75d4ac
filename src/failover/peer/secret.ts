import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { EXIT, errnoOf, messageOf, TandemError } from '../../lib/errors.ts';

export const MIN_SECRET_BYTES = 32;
export const MAX_SECRET_BYTES = 4_096;
const OTHERS = 0o007;

/**
 * The pre-shared key, without white space around it. Both sides of a handshake see a proof made with it, from
 * which a short one could be guessed; hence the minimum.
 * @throws TandemError 'peer-secret'; the message never holds the key
 */
export function loadSecret(path: string): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unusable(path, 'is not a file');
    if ((stat.mode & OTHERS) !== 0) {
      throw unusable(path, 'may be read or written by everybody', `chmod o= ${path}`);
    }
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readSync(fd, bytes);
    if (length > MAX_SECRET_BYTES) throw unusable(path, `is longer than ${MAX_SECRET_BYTES} bytes`);
    return trimmed(path, bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof TandemError) throw error;
    const denied = errnoOf(error) === 'EACCES';
    throw new TandemError('peer-secret', `the secret file ${path} cannot be read: ${messageOf(error)}`, {
      hint: denied ? "let the daemon's user or group read it" : 'write one: openssl rand -hex 32',
      exitStatus: denied ? EXIT.noPermission : EXIT.usage,
      cause: error,
    });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function trimmed(path: string, bytes: Buffer): Uint8Array {
  const text = Buffer.from(bytes.toString('latin1').trim(), 'latin1');
  if (text.byteLength < MIN_SECRET_BYTES) {
    throw unusable(path, `is shorter than ${MIN_SECRET_BYTES} bytes`);
  }
  return text;
}

function unusable(path: string, what: string, hint = 'write one: openssl rand -hex 32'): TandemError {
  return new TandemError('peer-secret', `the secret file ${path} ${what}`, { hint, exitStatus: EXIT.usage });
}
