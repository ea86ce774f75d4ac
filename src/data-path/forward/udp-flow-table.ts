/** A flow's links in its table's order of use. */
export abstract class TableEntry {
  readonly key: string;
  older: TableEntry | null = null;
  newer: TableEntry | null = null;

  constructor(key: string) {
    this.key = key;
  }
}

/** The client's address and port, and which of the service's addresses it wrote to. */
export function flowKey(listener: number, address: string, port: number): string {
  return `${address}/${port}/${listener}`;
}

/** Flows by key and in the order of their last use. Pure; every operation is O(1). */
export class UdpFlowTable<S extends TableEntry> {
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
  add(flow: S): void {
    if (this.#byKey.has(flow.key)) throw new RangeError(`flow ${flow.key} exists`);
    this.#byKey.set(flow.key, flow);
    this.#append(flow);
  }

  /** Marks a flow as the one used last. */
  touch(flow: S): void {
    if (this.#newest === flow) return;
    this.#unlink(flow);
    this.#append(flow);
  }

  /** @returns false when the flow is not (or no longer) here */
  delete(flow: S): boolean {
    if (this.#byKey.get(flow.key) !== flow) return false;
    this.#byKey.delete(flow.key);
    this.#unlink(flow);
    return true;
  }

  /** The one not used for longest: what an eviction takes. */
  get leastRecent(): S | null {
    return this.#oldest;
  }

  /** In no particular order; deleting the flow at hand is safe. */
  [Symbol.iterator](): IterableIterator<S> {
    return this.#byKey.values();
  }

  #append(flow: S): void {
    flow.older = this.#newest;
    flow.newer = null;
    if (this.#newest === null) this.#oldest = flow;
    else this.#newest.newer = flow;
    this.#newest = flow;
  }

  #unlink(flow: S): void {
    // entries of this table are linked only to each other
    const [older, newer] = [flow.older as S | null, flow.newer as S | null];
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    flow.older = null;
    flow.newer = null;
  }
}
