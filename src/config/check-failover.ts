import { type Duration, formatDuration, millis, seconds } from '../lib/duration.ts';
import { type IpFamily, isUnspecified } from '../lib/ip.ts';
import type { FailoverGroupSpec, VirtualAddress } from '../model/failover.ts';
import { V2_RANGE, V3_RANGE } from './advertise.ts';
import { checkLoopback } from './check-interface.ts';
import { checkCommand, duplicates } from './check-services.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import { resolveGroup, witnessInterface } from './resolve.ts';
import type { FailoverSection, FileSchema, GroupSection } from './schema.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** A group with everything resolved, and the paths of its settings, own or taken from [failover]. */
export interface Group {
  readonly spec: FailoverGroupSpec;
  /** As written, in the group or in [failover]. */
  readonly section: Pick<GroupSection, 'notify' | 'routes'>;
  readonly path: KeyPath;
  /** Where a setting is written. */
  readonly at: (key: keyof GroupSection) => KeyPath;
}

/** [failover]: what RFC 9568, RFC 3768 and the groups among each other ask for. */
export function checkFailover(file: FileSchema): Finding[] {
  if (file.failover === undefined) return [];
  const groups = groupsOf(file.failover);
  if (groups.length === 0) {
    const hint = 'add [[failover.group]] with vrid and addresses, or remove [failover]';
    return [fault(['failover', 'group'], 'there is no group', hint)];
  }
  return unique([
    ...groups.flatMap(checkGroup),
    ...groups.flatMap((group) => checkUnicastVirtual(group, virtualAddresses(file))),
    ...checkNames(groups),
    ...checkVrids(groups),
    ...checkAddresses(groups),
    ...checkPeer(file.failover, virtualAddresses(file)),
    ...checkWitness(file.failover, virtualAddresses(file)),
    ...checkSync(groups),
    ...checkMacNames(groups),
    ...checkAccept(groups, file),
  ]);
}

export function groupsOf(failover: FailoverSection): Group[] {
  return failover.group.map((group, index) => {
    const path = ['failover', 'group', index];
    const inherited = (key: keyof GroupSection): boolean => group[key] === undefined && key in failover;
    return {
      spec: resolveGroup(group, failover),
      section: { notify: group.notify ?? failover.notify, routes: group.routes },
      path,
      at: (key) => (inherited(key) ? ['failover', key] : [...path, key]),
    };
  });
}

/** A setting in [failover] is judged once for each group that takes it, and reported once. */
function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return !seen.has(key) && seen.add(key);
  });
}

/** Every virtual address of a group, and where it is written in the group's table. */
export function placesOf({
  addresses,
  excluded,
}: FailoverGroupSpec): { prefix: VirtualAddress; at: KeyPath }[] {
  return [
    ...addresses.map((prefix, index) => ({ prefix, at: ['addresses', index] })),
    ...excluded.map((prefix, index) => ({ prefix, at: ['excluded_addresses', index] })),
  ];
}

/** The families that are advertised: an excluded address goes with whichever virtual router there is. */
export const familiesOf = (spec: FailoverGroupSpec): IpFamily[] => [
  ...new Set(spec.addresses.map((prefix) => prefix.address.family)),
];

function checkGroup(group: Group): Finding[] {
  const { spec, at } = group;
  const findings: Finding[] = [];
  if (spec.interface === '') {
    const hint = 'write interface = "eth0" here, or in [failover] for every group';
    findings.push(fault(at('interface'), 'is missing: the group has no interface', hint));
  }
  if (spec.addresses.length === 0) {
    const hint = 'write addresses = ["10.0.0.100/24"]';
    findings.push(fault(at('addresses'), 'the group has no virtual address', hint));
  }
  return [
    ...findings,
    ...checkLoopback(spec.interface, at('interface'), 'no other node hears what is said there'),
    ...checkVersion(group),
    ...checkInterval(group),
    ...checkPriority(group),
    ...checkUnicast(group),
    ...checkLease(group),
    ...checkSize(group),
    ...checkNotify(group),
  ];
}

function checkVersion({ spec, at }: Group): Finding[] {
  const findings: Finding[] = [];
  if (spec.version === 2 && familiesOf(spec).includes(6)) {
    const hint =
      'VRRPv2 (RFC 3768) is for IPv4 alone: write version = 3, or move the IPv6 addresses to another group';
    findings.push(fault(at('version'), 'version 2 cannot carry IPv6 addresses', hint));
  }
  if (spec.authPass !== null && spec.version === 3) {
    const hint = 'remove it (RFC 9568 has no authentication), or write version = 2';
    findings.push(fault(at('auth_pass'), 'means nothing to version 3', hint));
  }
  const length = Buffer.byteLength(spec.authPass ?? '');
  if (length > 8) {
    const hint = 'write 1 to 8 bytes: VRRPv2 has no room for more';
    findings.push(fault(at('auth_pass'), `is ${length} bytes long`, hint));
  }
  return findings;
}

const isMultiple = (value: Duration, unit: Duration): boolean => value % unit === 0;

/** v2 carries whole seconds in 8 bits (RFC 3768, 5.3.7), v3 centiseconds in 12 (RFC 9568, 5.2.7). */
function checkInterval({ spec, at }: Group): Finding[] {
  const { advertiseInterval: interval, version } = spec;
  const path = at('advertise_interval');
  const written = formatDuration(interval);
  if (version === 2) {
    if (isMultiple(interval, seconds(1)) && interval >= seconds(1)) return [];
    const hint = `write ${V2_RANGE}, or version = 3`;
    return [fault(path, `${written} is not whole seconds`, hint)];
  }
  if (interval > seconds(40.95)) return [fault(path, `${written} is out of range`, `write ${V3_RANGE}`)];
  if (isMultiple(interval, millis(10))) return [];
  return [fault(path, `${written} is not a multiple of 10ms`, `write ${V3_RANGE}`)];
}

/** RFC 9568, 5.2.4 and 6.1: 255 is the owner of the addresses, who always preempts and never waits. */
function checkPriority({ spec, at }: Group): Finding[] {
  const findings: Finding[] = [];
  if (spec.priority === 255 && !spec.preempt) {
    const hint = 'write a priority of 1 to 254, or preempt = true';
    findings.push(fault(at('preempt'), 'the owner of an address (priority 255) always preempts', hint));
  }
  if (spec.priority === 255 && spec.preemptDelay > 0) {
    const hint = 'write a priority of 1 to 254, or remove preempt_delay';
    findings.push(fault(at('preempt_delay'), 'the owner of an address (priority 255) never waits', hint));
  }
  if (spec.priority !== 255 && spec.preemptDelay > 0 && !spec.preempt) {
    const hint = 'remove it, or write preempt = true';
    findings.push(warning(at('preempt_delay'), 'means nothing with preempt = false', hint));
  }
  return findings;
}

function checkUnicast({ spec, at }: Group): Finding[] {
  const { unicast } = spec;
  if (unicast === null) return [];
  const path = at('unicast');
  if (unicast.peers.length === 0) {
    const hint = 'write the other node\'s address: unicast = { peers = ["10.0.0.2"] }';
    return [fault([...path, 'peers'], 'no peer to speak to', hint)];
  }
  const findings: Finding[] = [];
  const families = familiesOf(spec);
  for (const family of families) {
    if (unicast.peers.some((peer) => peer.family === family)) continue;
    const message = `there are IPv${family} addresses in the group, and no IPv${family} peer`;
    findings.push(fault([...path, 'peers'], message, `add the peer's IPv${family} address`));
  }
  unicast.peers.forEach((peer, index) => {
    if (families.length > 0 && !families.includes(peer.family)) {
      const message = `${peer.text} is IPv${peer.family}, and the group has no IPv${peer.family} address`;
      findings.push(fault([...path, 'peers', index], message, 'remove it, or add such a virtual address'));
    }
    if (peer.text === unicast.source?.text) {
      findings.push(
        fault([...path, 'peers', index], `${peer.text} is this node's source`, 'name the other node'),
      );
    }
  });
  for (const index of duplicates(unicast.peers.map((peer) => peer.text))) {
    findings.push(fault([...path, 'peers', index], 'is named twice', 'remove one'));
  }
  const source = unicast.source;
  if (source !== null && families.length > 0 && !families.includes(source.family)) {
    const message = `${source.text} is IPv${source.family}, and the group has no IPv${source.family} address`;
    findings.push(fault([...path, 'source'], message, "write an address of the group's family"));
  }
  return findings;
}

const moves = (text: string): string => `${text} is a virtual address: it moves between the nodes`;

/** Source and peers tell the nodes apart; a virtual address, of whichever group, is now on one and now on the other. */
function checkUnicastVirtual({ spec, at }: Group, virtual: ReadonlySet<string>): Finding[] {
  const { source = null, peers = [] } = spec.unicast ?? {};
  const findings = peers.flatMap(({ text }, index) =>
    virtual.has(text)
      ? [fault([...at('unicast'), 'peers', index], moves(text), "write the other node's own address")]
      : [],
  );
  if (source !== null && virtual.has(source.text)) {
    findings.push(fault([...at('unicast'), 'source'], moves(source.text), "write this node's own address"));
  }
  return findings;
}

/** A node that is killed whole keeps its address for a lease; its peer takes over after three intervals. */
function checkLease({ spec, at }: Group): Finding[] {
  if (!isMultiple(spec.lease, seconds(1))) {
    const message = `${formatDuration(spec.lease)} is not whole seconds`;
    return [fault(at('lease'), message, 'the kernel counts whole seconds: write "1s", "2s" or more')];
  }
  const takeover = 3 * spec.advertiseInterval;
  if (spec.lease <= seconds(2) || spec.lease <= takeover) return [];
  const message = `a node that dies keeps its address for ${formatDuration(spec.lease)}, and its peer takes it long before`;
  return [warning(at('lease'), message, 'write "2s"')];
}

const COMMANDS = ['active', 'backup', 'fault', 'stopped', 'before_claim'] as const;

/** The owner of the addresses becomes Active at once (RFC 9568, 6.4.1): there is nobody to ask. */
function checkNotify({ spec, at, section }: Group): Finding[] {
  const { notify, priority } = spec;
  if (notify === null) return [];
  const findings = COMMANDS.flatMap((key) => {
    const command = section.notify?.[key];
    return command === undefined ? [] : checkCommand(command, [...at('notify'), key]);
  });
  if (priority === 255 && notify.beforeClaim !== null) {
    const hint = 'write a priority of 1 to 254, or remove before_claim';
    const message = 'the owner of an address (priority 255) does not ask before it becomes active';
    findings.push(fault([...at('notify'), 'before_claim'], message, hint));
  }
  return findings;
}

/** The count is one byte (RFC 9568, 5.2.5), and a message must fit in one frame of 1500 bytes. */
function checkSize({ spec, at }: Group): Finding[] {
  const limits = { 4: 255, 6: 80 } as const;
  return ([4, 6] as const).flatMap((family) => {
    const count = spec.addresses.filter((prefix) => prefix.address.family === family).length;
    if (count <= limits[family]) return [];
    const message = `${count} IPv${family} addresses do not fit in one advertisement`;
    return [fault(at('addresses'), message, `at most ${limits[family]}: make another group`)];
  });
}

function checkPeer({ peer }: FailoverSection, virtual: ReadonlySet<string>): Finding[] {
  const path = ['failover', 'peer'];
  if (peer !== undefined && virtual.has(peer.address.text)) {
    return [fault([...path, 'address'], moves(peer.address.text), "write the other node's own address")];
  }
  if (peer?.listen === undefined) return [];
  const { address } = peer.listen;
  if (address.family === peer.address.family) return [];
  const message = `is IPv${address.family}, and the peer's address is IPv${peer.address.family}`;
  return [fault([...path, 'listen'], message, 'write both of one family')];
}

function checkWitness(failover: FailoverSection, virtual: ReadonlySet<string>): Finding[] {
  const { witness } = failover;
  if (witness === undefined) return [];
  const path = ['failover', 'witness'];
  const findings: Finding[] = [];
  if (witness.policy === 'resign' && failover.peer === undefined) {
    const hint =
      'add [failover.peer], or write policy = "stay": an Active node hears its peer through it alone';
    findings.push(fault([...path, 'policy'], '"resign" needs [failover.peer]', hint));
  }
  if (witness.type === 'arp' && witnessInterface(witness, failover) === null) {
    const hint = 'write interface = "eth0"';
    findings.push(fault([...path, 'interface'], 'is missing: the groups are on several interfaces', hint));
  }
  if (witness.type === 'arp') {
    findings.push(...checkLoopback(witness.interface, [...path, 'interface'], 'there is nobody to ask'));
  }
  const { text } = witness.type === 'http' ? witness.target.endpoint.address : witness.target;
  if (virtual.has(text)) {
    const hint = 'name something that is neither of the two nodes, such as the gateway';
    findings.push(
      fault([...path, 'target'], `${text} is a virtual address: the node would ask itself`, hint),
    );
  }
  if (witness.timeout > witness.interval) {
    const hint = `write at most ${formatDuration(witness.interval)}`;
    findings.push(fault([...path, 'timeout'], 'is longer than interval', hint));
  }
  return findings;
}

function checkNames(groups: readonly Group[]): Finding[] {
  return duplicates(groups.map(({ spec }) => spec.name)).map((index) => {
    const name = quote(groups[index]?.spec.name ?? '');
    const path = groups[index]?.path ?? [];
    return fault(
      [...path, 'name'],
      `${name} is the name of an earlier group`,
      'give each group a name of its own',
    );
  });
}

function checkVrids(groups: readonly Group[]): Finding[] {
  const routers = groups.flatMap(({ spec, path }) =>
    familiesOf(spec).map((family) => ({
      family,
      spec,
      path,
      key: `${spec.interface} ${spec.vrid} ${family}`,
    })),
  );
  return duplicates(routers.map((router) => router.key)).flatMap((index) => {
    const router = routers[index];
    if (router === undefined) return [];
    const { spec, family, path } = router;
    const message = `${spec.vrid} is used by an earlier group on ${spec.interface} for IPv${family}`;
    return [fault([...path, 'vrid'], message, 'choose another VRID from 1 to 255, the same on both nodes')];
  });
}

/** Settings that decide elections: partners that differ in them would pull each other to and fro. */
const SYNC_SETTINGS = ['priority', 'preempt', 'preempt_delay'] as const;

function checkSync(groups: readonly Group[]): Finding[] {
  return groups.flatMap(({ spec, at }, index) => {
    if (spec.sync === null) return [];
    const partners = groups.filter((other) => other.spec.sync === spec.sync);
    const first = partners[0];
    if (first === undefined || groups.indexOf(first) === index) return [];
    return SYNC_SETTINGS.filter((key) => settingOf(spec, key) !== settingOf(first.spec, key)).map((key) =>
      fault(
        at(key),
        `differs from group ${quote(first.spec.name)}, with which this one moves`,
        `write the same ${key} in every group with sync = ${quote(spec.sync ?? '')}`,
      ),
    );
  });
}

function settingOf(spec: FailoverGroupSpec, key: (typeof SYNC_SETTINGS)[number]): unknown {
  return key === 'preempt_delay' ? spec.preemptDelay : spec[key];
}

function checkAddresses(groups: readonly Group[]): Finding[] {
  const all = groups.flatMap(({ spec, path }) =>
    placesOf(spec).map(({ prefix, at }) => ({ address: prefix.address, path: [...path, ...at] })),
  );
  return duplicates(all.map(({ address }) => address.text)).flatMap((index) => {
    const found = all[index];
    if (found === undefined || isUnspecified(found.address)) return [];
    return [fault(found.path, `${found.address.text} is a virtual address already`, 'list it once')];
  });
}

/** One interface for each virtual router, and none that is there already for something else. */
function checkMacNames(groups: readonly Group[]): Finding[] {
  const macs = groups.flatMap(({ spec, path }) =>
    familiesOf(spec).flatMap((family) => {
      const name = spec.virtualMac?.[family];
      return name === undefined
        ? []
        : [{ name, at: [...path, 'virtual_mac', family === 4 ? 'name' : 'name_v6'] }];
    }),
  );
  const links = new Set(groups.map(({ spec }) => spec.interface));
  const taken = macs.flatMap(({ name, at }) =>
    links.has(name) ? [fault(at, `${quote(name)} is the interface of a group`, 'choose another name')] : [],
  );
  const twice = duplicates(macs.map(({ name }) => name)).flatMap((index) => {
    const mac = macs[index];
    if (mac === undefined) return [];
    const hint = 'write virtual_mac = { name = "...", name_v6 = "..." } with names of its own';
    return [fault(mac.at, `${quote(mac.name)} is the interface of an earlier virtual MAC address`, hint)];
  });
  return [...taken, ...twice];
}

/** RFC 9568, 6.1: without Accept_Mode nobody can speak to the address; its owner always accepts. */
function checkAccept(groups: readonly Group[], { service }: FileSchema): Finding[] {
  return groups.flatMap(({ spec, at }) => {
    if (spec.accept) return [];
    if (spec.priority === 255) {
      const hint = 'remove it, or write a priority of 1 to 254';
      return [warning(at('accept'), 'means nothing to the owner of the addresses (priority 255)', hint)];
    }
    const virtual = new Set(placesOf(spec).map(({ prefix }) => prefix.address.text));
    const served = service.flatMap(({ name, listen }) =>
      listen.some(({ address }) => virtual.has(address.text)) ? [quote(name)] : [],
    );
    if (served.length === 0) return [];
    const message = `packets to the group's addresses are dropped, and service ${served.join(', ')} listens there`;
    return [warning(at('accept'), message, 'write accept = true')];
  });
}
