/** What may wait for each virtual router; one more, and only the newest stays. */
const MAX_WAITING = 8;

/** First in, first out over all keys, bounded for each of them: the last of a key always gets its turn. */
export class NotifyQueue<T extends { readonly key: string }> {
  #waiting: T[] = [];

  /** @returns what was dropped for it: everything that waited under its key, when that was full. */
  push(item: T): T[] {
    const sameKey = this.#waiting.filter(({ key }) => key === item.key);
    const dropped = sameKey.length < MAX_WAITING ? [] : sameKey;
    if (dropped.length > 0) this.#waiting = this.#waiting.filter(({ key }) => key !== item.key);
    this.#waiting.push(item);
    return dropped;
  }

  next(): T | undefined {
    return this.#waiting.shift();
  }

  /** Empties the queue. */
  clear(): T[] {
    return this.#waiting.splice(0);
  }
}
