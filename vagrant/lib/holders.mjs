/** Who holds the address, over time: from what `ip monitor` of both balancers says. No input or output in here. */

// 3: eth1    inet 10.0.0.100/24 scope global ...    or    Deleted 3: eth1    inet ...
const LINE = /^(Deleted )?\d+: (\S+)\s+inet6? ([^/ ]+)/;

/**
 * @param {string} line of `ip -o monitor address` or `ip -o address`
 * @returns {{ interface: string, address: string, gone: boolean } | null} null for anything else
 */
export function addressLine(line) {
  const found = LINE.exec(line);
  return found && { gone: found[1] !== undefined, interface: found[2], address: found[3] };
}

export class Holders {
  /** Names of those who hold it now. */
  #now = new Set();
  /** In order: whoever took it when somebody else, or nobody, had it before. */
  #takers = [];
  #doubleSince = null;
  #doubleMs = 0;

  /** @param {number} at milliseconds of any one clock, never less than before */
  changed(at, name, holds) {
    // a lease that is renewed says again what is known
    if (this.#now.has(name) === holds) return;
    if (holds) {
      this.#now.add(name);
      if (this.#takers.at(-1) !== name) this.#takers.push(name);
    } else {
      this.#now.delete(name);
    }
    if (this.#now.size > 1) this.#doubleSince ??= at;
    else if (this.#doubleSince !== null) {
      this.#doubleMs = Math.max(this.#doubleMs, at - this.#doubleSince);
      this.#doubleSince = null;
    }
  }

  /** Forgets what was, keeps who holds it: the next fault begins. */
  begin(at) {
    this.#takers = this.now;
    this.#doubleMs = 0;
    this.#doubleSince = this.#now.size > 1 ? at : null;
  }

  get now() {
    return [...this.#now].sort();
  }

  get takers() {
    return [...this.#takers];
  }

  /** The longest time that more than one had it, in milliseconds, up to `at`. */
  doubleMs(at) {
    return Math.max(this.#doubleMs, this.#doubleSince === null ? 0 : at - this.#doubleSince);
  }
}
