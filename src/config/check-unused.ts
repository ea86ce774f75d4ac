import type { Protocol } from '../model/service.ts';
import { type Finding, warning } from './finding.ts';
import { valueAt } from './issues.ts';
import type { KeyPath } from './positions.ts';

/** What the forwarder of each protocol never looks at. */
const UNUSED: Readonly<Record<Protocol, readonly KeyPath[]>> = {
  tcp: [['timeout', 'session']],
  udp: [
    ['on_limit'],
    ['on_down'],
    ['retries'],
    ['redispatch'],
    ['no_delay'],
    ['keep_alive'],
    ['backlog'],
    ['proxy_protocol'],
    ['sni'],
    ['queue'],
    ['timeout', 'connect'],
    ['timeout', 'idle'],
    ['timeout', 'fin'],
    ['timeout', 'preface'],
  ],
};

/**
 * Keys of a service that the other protocol alone takes notice of. `raw` is the file before defaults: once they
 * are filled in, nobody can tell what was written.
 */
export function checkUnused(raw: unknown): Finding[] {
  const services = valueAt(raw, ['service']);
  if (!Array.isArray(services)) return [];
  return services.flatMap((service, index) => unusedIn(service, ['service', index]));
}

function unusedIn(service: unknown, path: KeyPath): Finding[] {
  const protocol = valueAt(service, ['protocol']) ?? 'tcp';
  if (protocol !== 'tcp' && protocol !== 'udp') return [];
  const other = protocol === 'tcp' ? 'udp' : 'tcp';
  return UNUSED[protocol]
    .filter((key) => valueAt(service, key) !== undefined)
    .map((key) => {
      const message = `has no effect: it is for ${other.toUpperCase()}, and this service is ${protocol.toUpperCase()}`;
      return { ...warning([...path, ...key], message, hintFor(key, protocol)), at: 'key' };
    });
}

function hintFor(key: KeyPath, protocol: Protocol): string {
  if (key[0] !== 'timeout') return 'remove it';
  if (protocol === 'tcp') return 'remove it; a TCP connection without traffic ends after timeout.idle';
  return 'remove it; a UDP session without traffic ends after timeout.session';
}
