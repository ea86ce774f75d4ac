import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, errnoOf, TandemError } from '../lib/errors.ts';

/** Why a daemon's socket cannot be connected to, in words. */

/** sun_path of unix(7) has 108 bytes, the last of them NUL. */
const MAX_PATH = 107;

const START_HINT = 'is it running? Start it with "tandem run", or name its socket with --socket';

/**
 * The error for an attempt to connect: "unreachable" (EXIT.unavailable), "forbidden-socket" (EXIT.noPermission), or
 * "not-a-socket" (EXIT.usage) where no daemon can ever be. Undefined for what has nothing to do with connecting.
 */
export function connectFailure(socket: string, error: unknown): TandemError | undefined {
  return FAILURES[errnoOf(error) ?? '']?.(socket, error);
}

const FAILURES: Readonly<Record<string, (socket: string, cause: unknown) => TandemError>> = {
  ENOENT: noSocket,
  ENOTDIR: (socket, cause) =>
    wrongSocket(`there can be no socket ${socket}: ${dirname(socket)} is not a directory`, cause),
  ELOOP: (socket, cause) => wrongSocket(`${socket} is a symbolic link that leads round in circles`, cause),
  ENAMETOOLONG: tooLong,
  EINVAL: tooLong,
  EPROTOTYPE: (socket, cause) => wrongSocket(`${socket} is the socket of another program`, cause),
  ECONNREFUSED: refused,
  EACCES: forbidden,
  ECONNRESET: connectionLost,
  EPIPE: connectionLost,
};

/** Says whether the socket alone is missing: a whole directory that is not there is a slip of the pen more often. */
function noSocket(socket: string, cause: unknown): TandemError {
  // Node cuts what does not fit into sun_path off, and looks for the rest
  if (Buffer.byteLength(socket) > MAX_PATH) return tooLong(socket, cause);
  const folder = dirname(socket);
  const what = existsSync(folder) ? 'no such socket' : `there is no directory ${folder} either`;
  return unreachable(`there is no daemon at ${socket}: ${what}`, cause);
}

/** Linux says ECONNREFUSED of everything that nobody listens on, be it a socket or not. */
function refused(socket: string, cause: unknown): TandemError {
  const other = otherThanSocket(socket);
  if (other !== null) return wrongSocket(`${socket} is ${other}, not a socket`, cause);
  return unreachable(`no daemon listens on ${socket}: it was left by one that has died`, cause);
}

function forbidden(socket: string, cause: unknown): TandemError {
  const other = otherThanSocket(socket);
  if (other !== null) return wrongSocket(`${socket} is ${other}, not a socket`, cause);
  return new TandemError('forbidden-socket', `no permission to use ${socket}`, {
    hint: "run as the daemon's user (sudo), or as a member of the group in [admin] group",
    exitStatus: EXIT.noPermission,
    cause,
  });
}

/** What stands there instead of a socket; null when it is one, or cannot be looked at. */
function otherThanSocket(path: string): string | null {
  try {
    const found = statSync(path);
    if (found.isSocket()) return null;
    if (found.isDirectory()) return 'a directory';
    return found.isFile() ? 'a file' : 'a device or a pipe';
  } catch {
    return null; // in a directory that may not be entered, or gone meanwhile
  }
}

function tooLong(socket: string, cause: unknown): TandemError {
  return wrongSocket(
    `${socket} is too long for the path of a socket: it has at most ${MAX_PATH} bytes`,
    cause,
  );
}

function unreachable(message: string, cause: unknown): TandemError {
  return new TandemError('unreachable', message, {
    hint: START_HINT,
    exitStatus: EXIT.unavailable,
    cause,
  });
}

function wrongSocket(message: string, cause: unknown): TandemError {
  return new TandemError('not-a-socket', message, {
    hint: 'name that of a daemon with --socket: its configuration says which, in [admin] socket',
    exitStatus: EXIT.usage,
    cause,
  });
}

/** The daemon went away in the middle. */
export function connectionLost(socket: string): TandemError {
  return new TandemError('connection-lost', `the daemon at ${socket} has closed the connection`, {
    exitStatus: EXIT.unavailable,
  });
}
