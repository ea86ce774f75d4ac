import type { Check, InterfaceFacts, LinkFacts } from '../facts.ts';
import { type Finding, ok, problem, warning } from '../finding.ts';

/** RFC 8200, 5: what every IPv6 link must carry. */
const IPV6_MIN_MTU = 1_280;

/** The interfaces that VRRP runs on, and what stands between them and the peer. */
export const checkInterfaces: Check = ({ host }) =>
  host.interfaces.flatMap((facts) => {
    if (facts.link === null) {
      const seen = 'this host has no such interface';
      return [problem('interface', facts.name, seen, '"ip link" lists them; set interface in [failover]')];
    }
    return [
      ...state(facts, facts.link),
      ...multicast(facts, facts.link),
      ...macFilter(facts, facts.link, host.machine),
      ...manager(facts),
    ];
  });

function state({ name, families }: InterfaceFacts, link: LinkFacts): Finding[] {
  if (!link.up) return [problem('interface', name, 'is down', `ip link set ${name} up`)];
  if (!link.carrier) {
    return [problem('link', name, 'has no carrier', 'check cable, switch port and the far end of a veth')];
  }
  const findings: Finding[] = [];
  if (families.includes(6) && link.mtu < IPV6_MIN_MTU) {
    const seen = `MTU ${link.mtu} is below the ${IPV6_MIN_MTU} that IPv6 needs`;
    findings.push(problem('interface', name, seen, `ip link set ${name} mtu 1500`));
  }
  if (link.duplex === 'half') {
    const fix = `ethtool -s ${name} autoneg on; the switch port must negotiate too`;
    findings.push(warning('link', name, 'half duplex: collisions lose advertisements', fix));
  }
  if (findings.length > 0) return findings;
  const speed = link.speed === null ? '' : `, ${link.speed} Mbit/s`;
  return [ok('interface', name, 'is up'), ok('link', name, `carrier, MTU ${link.mtu}${speed}`)];
}

function multicast(facts: InterfaceFacts, link: LinkFacts): Finding[] {
  if (!facts.multicast) return [];
  const findings: Finding[] = [];
  if (link.multicast === false) {
    const seen = 'has no MULTICAST flag: advertisements cannot be received';
    findings.push(problem('multicast-flag', facts.name, seen, `ip link set ${facts.name} multicast on`));
  } else if (link.multicast) findings.push(ok('multicast-flag', facts.name, 'takes multicast'));
  if (link.bridge === null) return findings;
  const { name, snooping, querier } = link.bridge;
  if (!snooping || querier) {
    const why = snooping ? 'with a querier of its own' : 'off';
    return [...findings, ok('igmp-snooping', facts.name, `multicast snooping of bridge ${name}: ${why}`)];
  }
  const seen = `bridge ${name} snoops multicast and is no querier: without one on the link memberships expire`;
  const fix = `ip link set ${name} type bridge mcast_querier 1 (or mcast_snooping 0)`;
  return [...findings, warning('igmp-snooping', facts.name, seen, fix)];
}

/** Clouds whose networks deliver neither multicast nor an address that moves by announcement. */
const CLOUDS = /Amazon EC2|Google/i;

function macFilter({ name }: InterfaceFacts, link: LinkFacts, machine: string | null): Finding[] {
  if (link.wireless) {
    const seen = 'is wireless: access points filter multicast and addresses that move';
    return [warning('mac-filter', name, seen, 'use a wired interface')];
  }
  if (machine !== null && CLOUDS.test(machine)) {
    const seen = `${machine}: its network drops multicast and gratuitous ARP`;
    const fix = "[failover.group.unicast] peers, and move the address with the provider's API";
    return [warning('mac-filter', name, seen, fix)];
  }
  const virtual = machine === null ? '' : ` (${machine})`;
  const seen = `announcements carry the interface's own MAC${virtual}: port security must let the IP address move`;
  return [ok('mac-filter', name, seen)];
}

function manager({ name, manager: by }: InterfaceFacts): Finding[] {
  if (by === null) return [ok('network-manager', name, 'neither systemd-networkd nor NetworkManager has it')];
  if (by.kind === 'NetworkManager') {
    const seen = 'NetworkManager manages it and may take the virtual address off (it is put back at once)';
    const fix = `unmanaged-devices=interface-name:${name} in [keyfile] of /etc/NetworkManager/conf.d/tandem.conf, where the host's own addresses are set otherwise`;
    return [warning('network-manager', name, seen, fix)];
  }
  if (by.keep === 'static' || by.keep === 'yes' || by.keep === 'true') {
    return [ok('network-manager', name, `systemd-networkd keeps addresses (KeepConfiguration=${by.keep})`)];
  }
  const seen =
    'systemd-networkd manages it and takes foreign addresses off when it restarts (they are put back at once)';
  const fix = `KeepConfiguration=static in [Network] of ${by.file ?? `the .network file of ${name}`}, then networkctl reload`;
  return [warning('network-manager', name, seen, fix)];
}
