import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { decodeState, encodeState, type KeptState, MAX_STATE_BYTES } from './runtime-state.ts';

/** What the state file had when the daemon started. */
export interface Loaded {
  readonly state: KeptState;
  /** The file could not be used and has this name now; null when there is nothing to tell. */
  readonly setAside: { readonly path: string; readonly fault: string } | null;
}

/**
 * The state file: read once, then written whole at each change, so that it has either the old content or the new one,
 * whatever happens. For one daemon alone; the calls must not overlap.
 */
export class RuntimeStore {
  readonly path: string;
  readonly #wallMillis: () => number;
  /** Of the file as this daemon read or wrote it; null when there was none. */
  #stamp: string | null = null;

  /** @param wallMillis wall-clock milliseconds since 1970 */
  constructor(path: string, wallMillis: () => number) {
    this.path = path;
    this.#wallMillis = wallMillis;
  }

  /**
   * A file that cannot be used gets another name beside it, so that nothing of it is lost.
   * @throws TandemError 'state-file' when it can neither be read nor set aside: then nothing may be written over it
   */
  async load(): Promise<Loaded> {
    let fault: string;
    try {
      const read = await readText(this.path);
      if (read === null) return { state: new Map(), setAside: null };
      const decoded = decodeState(read.text);
      this.#stamp = read.stamp;
      if ('state' in decoded) return { state: decoded.state, setAside: null };
      fault = decoded.fault;
    } catch (error) {
      if (!(error instanceof UnusableError)) throw this.#failed('read', error);
      fault = error.message;
    }
    const aside = `${this.path}.unusable-${new Date(this.#wallMillis()).toISOString().replaceAll(':', '')}`;
    try {
      await rename(this.path, aside);
      await syncDirectory(dirname(this.path));
      this.#stamp = null;
    } catch (error) {
      throw this.#failed('set aside', error);
    }
    return { state: new Map(), setAside: { path: aside, fault } };
  }

  /**
   * On disk when it resolves. What another daemon has kept in the same file is not written over.
   * @throws TandemError 'state-file', with the file as it was
   */
  async save(state: KeptState): Promise<void> {
    const text = encodeState(state, new Date(this.#wallMillis()).toISOString());
    const fresh = `${this.path}.new`;
    try {
      await this.#requireOwn();
      await makeDirectory(dirname(this.path));
      // one that a crash has left; "wx" then never writes through somebody's link
      await rm(fresh, { force: true });
      const stamp = await writeDurably(fresh, text);
      await rename(fresh, this.path);
      this.#stamp = stamp;
      await syncDirectory(dirname(this.path));
    } catch (error) {
      if (error instanceof TandemError) throw error;
      await rm(fresh, { force: true }).catch(() => undefined);
      throw this.#failed('write', error);
    }
  }

  async #requireOwn(): Promise<void> {
    const now = await stat(this.path, { bigint: true }).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    });
    if (now === null || stampOf(now) === this.#stamp) return;
    throw new TandemError('state-file', `another program has written the state file ${this.path}`, {
      hint: 'every daemon needs its own [admin] state_file; a restart reads it as it is now',
      exitStatus: EXIT.osError,
    });
  }

  #failed(what: string, error: unknown): TandemError {
    const errno = errnoOf(error) ?? '';
    const denied = ['EACCES', 'EPERM', 'EROFS'].includes(errno);
    return new TandemError('state-file', `cannot ${what} the state file ${this.path}: ${messageOf(error)}`, {
      hint: `${denied ? GRANT : (REMEDIES[errno] ?? 'look at that disk')}, or change [admin] state_file`,
      exitStatus: denied ? EXIT.noPermission : EXIT.osError,
      cause: error,
    });
  }
}

const GRANT = 'let the daemon write to that directory (systemd: StateDirectory=tandem)';

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'make its directory',
  ENOTDIR: 'make its directory',
  ENOSPC: 'free some space there',
  EDQUOT: 'free some space there',
};

/** It was read, and is nothing of ours. */
class UnusableError extends Error {}

/** Writing makes a new file each time. */
const stampOf = ({ dev, ino, size, mtimeNs }: BigIntStats): string => [dev, ino, size, mtimeNs].join();

async function readText(path: string): Promise<{ readonly text: string; readonly stamp: string } | null> {
  let file: FileHandle;
  try {
    // a pipe of that name must not stop the start
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const found = await file.stat({ bigint: true });
    if (!found.isFile()) throw new UnusableError('it is not a regular file');
    if (found.size > MAX_STATE_BYTES) throw new UnusableError(`it is larger than ${MAX_STATE_BYTES} bytes`);
    return { text: await file.readFile('utf8'), stamp: stampOf(found) };
  } finally {
    await file.close();
  }
}

async function writeDurably(path: string, text: string): Promise<string> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    return stampOf(await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

/** So that the new name is on disk as well (open(2), fsync(2)). */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The last step may be missing; more than that is a wrong path. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o750 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
