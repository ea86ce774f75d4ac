import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf, messageOf } from '../lib/errors.ts';
import { ConfigError, wholeFile } from './errors.ts';

/** Far above any sensible configuration; a wrong path (a log, a device) must not fill the memory. */
export const MAX_FILE_BYTES = 4 * 1_024 * 1_024;

/** The same for as long as nobody writes to the file or puts another in its place; null when that cannot be told. */
export function fileStamp(path: string): string | null {
  let stat: BigIntStats;
  try {
    stat = statSync(path, { bigint: true });
  } catch {
    // reading it says why
    return null;
  }
  const { dev, ino, size, mtimeNs, ctimeNs } = stat;
  return stat.isFile() ? [dev, ino, size, mtimeNs, ctimeNs].join() : null;
}

/**
 * Reads a UTF-8 text file of at most MAX_FILE_BYTES. Pipes work too (`tandem check -c <(...)`).
 * @throws ConfigError when there is no such file, it cannot be read, is too large or not UTF-8.
 */
export function readConfigFile(path: string): string {
  const bytes = readBytes(path);
  if (bytes.byteLength > MAX_FILE_BYTES) {
    throw unreadable(path, `is larger than ${MAX_FILE_BYTES} bytes`, 'is this the right file?');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(path, 'is not UTF-8 text', 'save it as UTF-8', error);
  }
}

function readBytes(path: string): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (fstatSync(fd).isDirectory()) throw unreadable(path, 'is a directory', 'name the TOML file in it');
    return readUpTo(fd, MAX_FILE_BYTES + 1);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw unreadable(path, ...reasonOf(error), error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function readUpTo(fd: number, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (total < limit) {
    const chunk = new Uint8Array(Math.min(65_536, limit - total));
    const length = readSync(fd, chunk);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return Buffer.concat(chunks);
}

function reasonOf(error: unknown): [message: string, hint: string] {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return ['no such file', 'name the configuration with --config, or write one with "tandem init"'];
    case 'EACCES':
    case 'EPERM':
      return ['may not be read by this user', 'check its owner and mode'];
    default:
      return [`cannot be read: ${messageOf(error)}`, 'check the path'];
  }
}

function unreadable(path: string, message: string, hint: string, cause?: unknown): ConfigError {
  return new ConfigError([wholeFile(path, message, hint)], { cause });
}
