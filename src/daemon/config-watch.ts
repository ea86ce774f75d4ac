import { createHash } from 'node:crypto';
import { type FSWatcher, lstatSync, readFileSync, readlinkSync, watch } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Clock, Timer } from '../lib/clock.ts';
import { type Duration, type Instant, millis, seconds } from '../lib/duration.ts';
import { errnoOf, messageOf } from '../lib/errors.ts';

/** An editor writes a file in several steps: so long nothing must happen, and the content be the same before and after. */
const QUIET = millis(100);
/** ... but a folder in which something happens all the time does not put it off for longer. */
const LONGEST_WAIT = seconds(2);
/** Before a folder that is not there (any more) is looked for again. */
const RETRY = seconds(1);
/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

export interface ConfigWatchOptions {
  readonly path: string;
  readonly clock: Clock;
  /** The file's content is another one than at the last call, or at the start. */
  readonly changed: () => void;
  readonly warn: (message: string) => void;
}

/**
 * Notices that a file has new content, however it came there: written in place, replaced by a rename, or behind a symbolic
 * link that was turned to another file or folder (Kubernetes' ConfigMaps). It therefore watches folders, those of every link on
 * the way as well, and compares contents: the same wrong file is told of once.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #watchers = new Set<FSWatcher>();
  #seen: string;
  /** New at the last look: perhaps half of what it will be. */
  #candidate = '';
  #timer: Timer | null = null;
  #waitingSince: Instant | null = null;
  #retry: Timer | null = null;
  #warned = false;
  #closed = false;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#seen = contentOf(options.path);
    this.#arm();
  }

  /** The file as it is now has been read by somebody else, on a signal or a command. */
  refresh(): void {
    this.#seen = contentOf(this.#options.path);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#retry?.cancel();
    this.#closeWatchers();
  }

  /** Anew each time: a folder of the same name may be another one, of which the old watch says nothing. */
  #arm(): void {
    this.#closeWatchers();
    const folders = foldersOnTheWay(this.#options.path);
    for (const folder of folders) this.#watch(folder);
    if (this.#watchers.size === folders.length) this.#warned = false;
  }

  #closeWatchers(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#touched());
      watcher.on('error', (error) => this.#lost(folder, error));
      this.#watchers.add(watcher);
    } catch (error) {
      this.#lost(folder, error);
    }
  }

  #lost(folder: string, error: unknown): void {
    if (!this.#warned) this.#options.warn(`cannot watch ${folder} for now: ${messageOf(error)}`);
    this.#warned = true;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.timerAfter(RETRY, () => this.#look());
  }

  #touched(): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const now = clock.now();
    this.#waitingSince ??= now;
    const left = this.#waitingSince + LONGEST_WAIT - now;
    this.#timer?.cancel();
    this.#timer = clock.timerAfter(Math.max(0, Math.min(QUIET, left)) as Duration, () => this.#look());
  }

  #look(): void {
    this.#waitingSince = null;
    this.#timer?.cancel();
    // first, so that a change between reading and watching is not missed
    this.#arm();
    const content = contentOf(this.#options.path);
    if (content === this.#seen) return;
    if (content !== this.#candidate) {
      this.#candidate = content;
      this.#timer = this.#options.clock.timerAfter(QUIET, () => this.#look());
      return;
    }
    this.#seen = content;
    this.#options.changed();
  }
}

/** What is compared: a digest, or why there is none. */
function contentOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    return errnoOf(error) ?? messageOf(error);
  }
}

/** The folders in which a change can make `path` mean another file: that of each symbolic link on the way, and its own. */
export function foldersOnTheWay(path: string): string[] {
  const folders = new Set<string>();
  let rest = resolve(path).split(sep).slice(1);
  let at: string = sep;
  for (let links = 0; rest.length > 0; ) {
    const [name = '', ...others] = rest;
    const target = linkTarget(join(at, name));
    if (target === null) {
      if (others.length === 0) folders.add(at);
      at = join(at, name);
      rest = others;
    } else {
      folders.add(at);
      if (++links > MAX_LINKS) break;
      rest = [...resolve(at, target).split(sep).slice(1), ...others];
      at = sep;
    }
  }
  return [...folders];
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null; // not there (yet): its folder is what matters
  }
}
