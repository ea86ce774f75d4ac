import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { EXIT, errnoOf, messageOf, TandemError } from './errors.ts';

export const MIN_SECRET_BYTES = 32;
export const MAX_SECRET_BYTES = 4_096;
const OTHERS = 0o007;
const WRITE_ONE = 'write one: openssl rand -hex 32';
/** What an HTTP header can carry as one word (RFC 6750, section 2.1, takes less). */
const HEADER_WORD = /^[\x21-\x7e]+$/;

/** Why a secret file cannot be used. Its words never hold what is in the file. */
export interface SecretFault {
  /** "is empty": to be said of the file. */
  readonly fault: string;
  readonly hint: string;
  /** This process may not read it; another one might. */
  readonly denied: boolean;
}

/**
 * The key in a file, without white space around it. Both sides of a handshake see a proof made with it, from
 * which a short one could be guessed; hence the minimum. Never throws.
 */
export function readSecret(path: string): Uint8Array | SecretFault {
  let fd: number | undefined;
  try {
    // a pipe must not hold the caller up
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return unusable('is not a file');
    if ((stat.mode & OTHERS) !== 0)
      return unusable('may be read or written by everybody', `chmod o= ${path}`);
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readSync(fd, bytes);
    if (length > MAX_SECRET_BYTES) return unusable(`is longer than ${MAX_SECRET_BYTES} bytes`);
    return trimmed(bytes.subarray(0, length));
  } catch (error) {
    return unreadable(error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

export const isSecret = (reading: Uint8Array | SecretFault): reading is Uint8Array =>
  reading instanceof Uint8Array;

/** The same for a token that is sent in an HTTP header. Never throws. */
export function readToken(path: string): Uint8Array | SecretFault {
  const reading = readSecret(path);
  if (!isSecret(reading) || HEADER_WORD.test(Buffer.from(reading).toString('latin1'))) return reading;
  return unusable('holds characters that an HTTP header cannot carry, or blanks');
}

/** What was read. @throws TandemError `code`; the message never holds the secret */
export function requireSecret(
  reading: Uint8Array | SecretFault,
  { path, code, what }: { path: string; code: string; what: string },
): Uint8Array {
  if (isSecret(reading)) return reading;
  throw new TandemError(code, `the ${what} ${path} ${reading.fault}`, {
    hint: reading.hint,
    exitStatus: reading.denied ? EXIT.noPermission : EXIT.usage,
  });
}

function trimmed(bytes: Buffer): Uint8Array | SecretFault {
  const text = Buffer.from(bytes.toString('latin1').trim(), 'latin1');
  if (text.byteLength === 0) return unusable('is empty');
  if (text.byteLength < MIN_SECRET_BYTES) return unusable(`is shorter than ${MIN_SECRET_BYTES} bytes`);
  return text;
}

function unreadable(error: unknown): SecretFault {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return unusable('does not exist');
    case 'EACCES':
      return {
        fault: 'cannot be read by this user',
        hint: "let the daemon's user or group read it",
        denied: true,
      };
    default:
      return unusable(`cannot be read: ${messageOf(error)}`);
  }
}

const unusable = (fault: string, hint = WRITE_ONE): SecretFault => ({ fault, hint, denied: false });
