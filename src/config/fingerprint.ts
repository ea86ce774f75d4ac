import { createHmac } from 'node:crypto';
import { type Endpoint, formatHostPort, isUnspecified } from '../lib/ip.ts';
import type { Config } from '../model/config.ts';
import type { FailoverGroupSpec, VirtualAddress } from '../model/failover.ts';
import { type ConfigSection, MAX_SECTIONS } from '../model/peer-report.ts';
import type { ServiceSpec } from '../model/service.ts';

/** Hex digits of a digest: 64 bits, against accidents. That nobody forges one is up to the channel. */
const DIGITS = 16;

/** Made again only for another configuration: it is asked for several times a second. */
export class Fingerprint {
  #of: Config | null = null;
  #sections: readonly ConfigSection[] = [];

  /** @param key always the same one */
  of(config: Config, key: Uint8Array): readonly ConfigSection[] {
    if (this.#of !== config) this.#sections = fingerprint(config, key);
    this.#of = config;
    return this.#sections;
  }
}

/**
 * Digests of what the two nodes of a pair must have in common, by section, so that it can be said where they differ.
 * What belongs to one node is left out: names, interfaces, priorities, addresses of its own, the host's resources.
 * @param key of the pair: some of what goes in is secret, and short enough to be guessed from a plain digest
 */
export function fingerprint(config: Config, key: Uint8Array): ConfigSection[] {
  const shared = sharedAddresses(config);
  const parts: [section: string, value: unknown][] = [
    ['limits', { maxConnections: config.limits.maxConnections }],
    ['drain_timeout', config.drainTimeout],
    ...(config.failover?.groups ?? []).map(groupPart),
    ...config.services.map((service) => servicePart(service, shared)),
  ];
  const sections = parts.map(([section, value]) => ({ section, digest: digest(key, value) }));
  if (sections.length <= MAX_SECTIONS) return sections;
  const rest = sections.slice(MAX_SECTIONS - 1);
  return [
    ...sections.slice(0, MAX_SECTIONS - 1),
    { section: `${rest.length} further services`, digest: digest(key, rest) },
  ];
}

function groupPart(group: FailoverGroupSpec): [string, unknown] {
  const { vrid, version, advertiseInterval, accept, checksum, authPass, sync } = group;
  const value = {
    ...{ vrid, version, advertiseInterval, accept, checksum, authPass, sync },
    addresses: addressesOf(group.addresses),
    excluded: addressesOf(group.excluded),
    virtualMac: group.virtualMac !== null,
    unicast: group.unicast !== null,
  };
  return [`failover group with vrid ${vrid}`, value];
}

const addressesOf = (addresses: readonly VirtualAddress[]): string[] =>
  addresses.map(({ address, length }) => `${address.text}/${length}`).sort();

function servicePart(service: ServiceSpec, shared: ReadonlySet<string>): [string, unknown] {
  // a pool of source addresses is each node's own
  const { name, listen, source, ...rest } = service;
  const value = {
    ...rest,
    listen: listen.map((endpoint) => sharedEndpoint(endpoint, shared)).sort(),
    source: source?.kind ?? null,
  };
  return [`service ${name}`, value];
}

/** Where a service listens on an address of the node itself, only the port can be the same. */
const sharedEndpoint = ({ address, port }: Endpoint, shared: ReadonlySet<string>): string =>
  formatHostPort(isUnspecified(address) || shared.has(address.text) ? address.text : 'own address', port);

const sharedAddresses = ({ failover }: Config): ReadonlySet<string> =>
  new Set(
    (failover?.groups ?? []).flatMap(({ addresses, excluded }) =>
      [...addresses, ...excluded].map(({ address }) => address.text),
    ),
  );

const digest = (key: Uint8Array, value: unknown): string =>
  createHmac('sha256', key)
    .update('tandem configuration\0')
    .update(canonical(value))
    .digest('hex')
    .slice(0, DIGITS);

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Uint8Array) return Buffer.from(part).toString('hex');
    if (part instanceof RegExp) return String(part);
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
