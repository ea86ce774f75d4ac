import type { ServiceSpec } from '../../model/service.ts';
import type { Check, Facts } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** Above this share a table is near its end. */
const NEARLY_FULL = 0.8;
/** Without a limit in the configuration, fewer connections than this are worth a word. */
const FEW_CONNECTIONS = 10_000;

/** Whether the limits of the kernel leave room for those of the configuration. */
export const checkCapacity: Check = (facts) => [
  descriptors(facts),
  ...backlog(facts),
  ...localPorts(facts),
  ...conntrack(facts),
];

function descriptors({ config, process }: Facts): Finding {
  const found = process.descriptors;
  if ('why' in found) {
    if (process.of === 'daemon') return problem('descriptors', null, found.why, found.fix);
    // the daemon may be started with another limit than this shell's
    return warning('descriptors', null, `as started from here, ${found.why}`, found.fix);
  }
  const { fits, hardLimit } = found;
  const seen = `${hardLimit} descriptors: ${fits} connections at once`;
  const unlimited = config.limits.maxConnections === null;
  if (
    unlimited &&
    fits < FEW_CONNECTIONS &&
    config.services.some((service) => service.maxConnections === null)
  ) {
    return warning('descriptors', null, seen, 'LimitNOFILE=1048576 in the systemd unit, or ulimit -Hn');
  }
  return ok('descriptors', null, seen);
}

function backlog({ config, host }: Facts): Finding[] {
  const { somaxconn } = host;
  const tcp = config.services.filter(({ protocol }) => protocol === 'tcp');
  if (tcp.length === 0) return [];
  if (somaxconn === null) return [skipped('backlog', null, 'somaxconn cannot be read')];
  const most = Math.max(...tcp.map((service) => service.backlog));
  if (most <= somaxconn)
    return [ok('backlog', null, `somaxconn is ${somaxconn}, the largest backlog ${most}`)];
  const names = tcp.filter((service) => service.backlog > somaxconn).map(({ name }) => name);
  const seen = `somaxconn ${somaxconn} caps the backlog of ${names.join(', ')} (${most})`;
  return [warning('backlog', null, seen, `sysctl -w net.core.somaxconn=${most} (and in /etc/sysctl.d)`)];
}

/** Connections that the configuration lets go to one backend at once; null without an explicit limit. */
function largestLoad(service: ServiceSpec, ofProcess: number | null): number | null {
  const bounds = [service.maxConnections, ofProcess].filter((bound) => bound !== null);
  const each = service.backends.map(({ maxConnections }) =>
    maxConnections === null ? bounds : [...bounds, maxConnections],
  );
  const loads = each.filter((list) => list.length > 0).map((list) => Math.min(...list));
  return loads.length === 0 ? null : Math.max(...loads);
}

function localPorts({ config, host }: Facts): Finding[] {
  if (config.services.length === 0) return [];
  if (host.localPorts === null) return [skipped('local-ports', null, 'ip_local_port_range cannot be read')];
  const { first, last } = host.localPorts;
  const ports = last - first + 1;
  const short = config.services.flatMap((service) => {
    const load = largestLoad(service, config.limits.maxConnections);
    return load !== null && load > ports ? [{ name: service.name, load }] : [];
  });
  if (short.length === 0)
    return [ok('local-ports', null, `${ports} (${first} to ${last}) towards each backend`)];
  return short.map(({ name, load }) => {
    const seen = `may send ${load} connections to one backend, and there are ${ports} local ports`;
    const fix =
      'sysctl -w net.ipv4.ip_local_port_range="1024 65535", more backends, or a lower max_connections';
    return warning('local-ports', name, seen, fix);
  });
}

function conntrack({ config, host }: Facts): Finding[] {
  if (host.conntrack === null) return [ok('conntrack', null, 'connections are not tracked here')];
  const { count, max } = host.conntrack;
  const raise = (to: number): string =>
    `sysctl -w net.netfilter.nf_conntrack_max=${to}, or a notrack rule for the services`;
  const used = `${count} of ${max} entries are used`;
  if (count >= max * NEARLY_FULL) return [warning('conntrack', null, used, raise(2 * max))];
  // a proxied connection is two: the client's and the backend's
  const needed = 2 * (config.limits.maxConnections ?? 0);
  if (needed <= max) return [ok('conntrack', null, used)];
  return [warning('conntrack', null, `${max} entries, and max_connections needs ${needed}`, raise(needed))];
}
