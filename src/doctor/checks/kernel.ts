import type { Check, HostFacts, InterfaceFacts } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** IPV6_FREEBIND came with Linux 4.15; before, a standby cannot listen on an IPv6 address that it lacks. */
const MIN_KERNEL = [4, 15] as const;
/** package.json's "engines". */
const MIN_NODE = [20, 11] as const;

/** Sysctls that decide about packets and ARP, and the versions of what is below us. */
export const checkKernel: Check = ({ host, routers }) => [
  ...host.interfaces
    .filter(({ link }) => link !== null)
    .flatMap((facts) => [...packets(facts), ...arp(facts), ...ipv6(facts)]),
  nonlocalBind(host),
  atLeast('kernel-version', `Linux ${host.kernel}`, host.kernel, MIN_KERNEL),
  atLeast('node-version', `Node ${host.node}`, host.node, MIN_NODE),
  ...(routers.length === 0 ? [] : [clock(host)]),
];

const setting = (name: string, key: string, value: number): string =>
  `sysctl -w net.ipv4.conf.${name}.${key}=${value} net.ipv4.conf.all.${key}=${value} (and in /etc/sysctl.d)`;

function packets({ name, families, rpFilter, otherInterfaces }: InterfaceFacts): Finding[] {
  if (!families.includes(4)) return [];
  if (rpFilter === null) return [skipped('rp-filter', name, 'rp_filter cannot be read')];
  if (rpFilter !== 1) return [ok('rp-filter', name, rpFilter === 0 ? 'off' : 'loose')];
  if (otherInterfaces.length === 0) return [ok('rp-filter', name, 'strict; harmless with one interface')];
  const seen = `strict: packets whose way back is another interface (${otherInterfaces.join(', ')}) are dropped`;
  return [warning('rp-filter', name, seen, setting(name, 'rp_filter', 2))];
}

function arp(facts: InterfaceFacts): Finding[] {
  if (!facts.families.includes(4)) return [];
  return [arpIgnore(facts), arpAnnounce(facts)];
}

function arpIgnore({ name, arpIgnore: value, sameSubnet, hostPrefix }: InterfaceFacts): Finding {
  if (value === null) return skipped('arp-ignore', name, 'arp_ignore cannot be read');
  if (value === 8) {
    const seen = 'arp_ignore is 8: no ARP request is answered, the virtual address cannot be reached';
    return problem('arp-ignore', name, seen, setting(name, 'arp_ignore', 1));
  }
  if (value === 2 && hostPrefix) {
    const seen =
      'arp_ignore is 2 and a virtual address is a /32: no requester is in its subnet, none is answered';
    return problem('arp-ignore', name, seen, setting(name, 'arp_ignore', 1));
  }
  if (value === 0 && sameSubnet.length > 0) {
    const seen = `arp_ignore is 0 and ${sameSubnet.join(', ')} is in the same subnet: it answers for the virtual address with another MAC`;
    return warning('arp-ignore', name, seen, setting(name, 'arp_ignore', 1));
  }
  return ok('arp-ignore', name, `arp_ignore is ${value}`);
}

function arpAnnounce({ name, arpAnnounce: value, sameSubnet }: InterfaceFacts): Finding {
  if (value === null) return skipped('arp-announce', name, 'arp_announce cannot be read');
  if (value === 0 && sameSubnet.length > 0) {
    const seen = `arp_announce is 0 and ${sameSubnet.join(', ')} is in the same subnet: it may announce the virtual address as its own`;
    return warning('arp-announce', name, seen, setting(name, 'arp_announce', 2));
  }
  return ok('arp-announce', name, `arp_announce is ${value}`);
}

function ipv6({ name, families, ipv6Disabled, acceptDad, duplicates }: InterfaceFacts): Finding[] {
  if (!families.includes(6)) return [];
  if (ipv6Disabled) {
    const fix = `sysctl -w net.ipv6.conf.${name}.disable_ipv6=0`;
    return [problem('accept-dad', name, 'IPv6 is disabled on it, and a group has IPv6 addresses', fix)];
  }
  if (duplicates.length > 0) {
    const seen = `another host has ${duplicates.join(', ')}: duplicate address detection failed`;
    return [
      problem(
        'accept-dad',
        name,
        seen,
        `give this host another address: ip -6 addr show dev ${name} dadfailed`,
      ),
    ];
  }
  if (acceptDad === 2) {
    const seen = 'accept_dad is 2: a forged duplicate of its link-local address switches IPv6 off';
    return [
      warning(
        'accept-dad',
        name,
        seen,
        `sysctl -w net.ipv6.conf.${name}.accept_dad=1 net.ipv6.conf.all.accept_dad=0`,
      ),
    ];
  }
  const value = acceptDad === null ? 'unknown' : `${acceptDad}`;
  return [ok('accept-dad', name, `accept_dad is ${value}; virtual addresses skip the detection`)];
}

function nonlocalBind({ nonlocalBind: { v4, v6 } }: HostFacts): Finding {
  const set = v4 === 1 || v6 === 1;
  return ok('nonlocal-bind', null, `ip_nonlocal_bind is ${set ? 'on' : 'off'} and not needed (IP_FREEBIND)`);
}

function atLeast(
  code: 'kernel-version' | 'node-version',
  name: string,
  version: string,
  [major, minor]: readonly [number, number],
): Finding {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (a > major || (a === major && b >= minor)) return ok(code, null, name);
  return problem(code, null, `${name} is older than ${major}.${minor}`, `install ${major}.${minor} or newer`);
}

/** VRRP messages carry no time, so the peer's clock is seen by nobody here. */
function clock({ clockKeptBy }: HostFacts): Finding {
  if (clockKeptBy !== null)
    return ok('clock', null, `kept by ${clockKeptBy}; VRRP does not need it, logs do`);
  const why = "the peer's clock is not visible over VRRP, and no time service of this host was found";
  return skipped(
    'clock',
    null,
    why,
    'run chrony or systemd-timesyncd, so that the logs of both nodes can be compared',
  );
}
