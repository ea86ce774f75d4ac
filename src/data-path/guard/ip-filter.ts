import type { IpAddress, IpFamily, IpPrefix } from '../../lib/ip.ts';
import { type NetworkKey, networkKey } from './network-key.ts';

/**
 * A set of networks. One hash set for each prefix length in use, as Linux' ipset hash:net has it: real lists
 * use a handful of lengths, so that a look-up costs a handful of probes however long the list is.
 */
class PrefixSet {
  readonly #byLength4: ReadonlyMap<number, ReadonlySet<NetworkKey>>;
  readonly #byLength6: ReadonlyMap<number, ReadonlySet<NetworkKey>>;
  readonly isEmpty: boolean;

  constructor(prefixes: readonly IpPrefix[]) {
    this.#byLength4 = group(prefixes, 4);
    this.#byLength6 = group(prefixes, 6);
    this.isEmpty = prefixes.length === 0;
  }

  has(address: IpAddress): boolean {
    for (const [length, networks] of address.family === 4 ? this.#byLength4 : this.#byLength6) {
      if (networks.has(networkKey(address, length))) return true;
    }
    return false;
  }
}

function group(prefixes: readonly IpPrefix[], family: IpFamily): Map<number, Set<NetworkKey>> {
  const groups = new Map<number, Set<NetworkKey>>();
  for (const { address, length } of prefixes) {
    if (address.family !== family) continue;
    const networks = groups.get(length) ?? new Set();
    groups.set(length, networks.add(networkKey(address, length)));
  }
  return groups;
}

/** Allow and deny lists: what is on `deny` is out; when `allow` is not empty, what is not on it is out too. */
export class IpFilter {
  readonly #allow: PrefixSet;
  readonly #deny: PrefixSet;

  constructor(allow: readonly IpPrefix[], deny: readonly IpPrefix[]) {
    this.#allow = new PrefixSet(allow);
    this.#deny = new PrefixSet(deny);
  }

  permits(client: IpAddress): boolean {
    return !this.#deny.has(client) && (this.#allow.isEmpty || this.#allow.has(client));
  }
}
