import { Timed } from './timer-wheel.ts';

/** A session's links in its table's order of use. */
export abstract class TableEntry extends Timed {
  readonly key: string;
  older: TableEntry | null = null;
  newer: TableEntry | null = null;

  constructor(key: string) {
    super();
    this.key = key;
  }
}

/** The client's address and port, and which of the service's addresses it wrote to. */
export function sessionKey(listener: number, address: string, port: number): string {
  return `${address}/${port}/${listener}`;
}

/** Sessions by key and in the order of their last use. Pure; every operation is O(1). */
export class UdpSessionTable<S extends TableEntry> {
  readonly #byKey = new Map<string, S>();
  #oldest: S | null = null;
  #newest: S | null = null;

  get size(): number {
    return this.#byKey.size;
  }

  find(key: string): S | undefined {
    return this.#byKey.get(key);
  }

  /** Replaces nothing: the key must be free. @throws RangeError when it is not */
  add(session: S): void {
    if (this.#byKey.has(session.key)) throw new RangeError(`session ${session.key} exists`);
    this.#byKey.set(session.key, session);
    this.#append(session);
  }

  /** Marks a session as the one used last. */
  touch(session: S): void {
    if (this.#newest === session) return;
    this.#unlink(session);
    this.#append(session);
  }

  /** @returns false when the session is not (or no longer) here */
  delete(session: S): boolean {
    if (this.#byKey.get(session.key) !== session) return false;
    this.#byKey.delete(session.key);
    this.#unlink(session);
    return true;
  }

  /** The one not used for longest: what an eviction takes. */
  get leastRecent(): S | null {
    return this.#oldest;
  }

  /** In no particular order; deleting the session at hand is safe. */
  [Symbol.iterator](): IterableIterator<S> {
    return this.#byKey.values();
  }

  #append(session: S): void {
    session.older = this.#newest;
    session.newer = null;
    if (this.#newest === null) this.#oldest = session;
    else this.#newest.newer = session;
    this.#newest = session;
  }

  #unlink(session: S): void {
    // entries of this table are linked only to each other
    const [older, newer] = [session.older as S | null, session.newer as S | null];
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    session.older = null;
    session.newer = null;
  }
}
