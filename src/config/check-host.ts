import {
  compareIp,
  formatHostPort,
  type IpAddress,
  type IpPrefix,
  isUnspecified,
  prefixContains,
} from '../lib/ip.ts';
import { type Group, groupsOf } from './check-failover.ts';
import type { Environment, HostInterface } from './environment.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { FileSchema } from './schema.ts';
import { nearest } from './suggest.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** How the file goes with the host that reads it: its interfaces and what they carry, its groups and programs. */
export function checkHost(file: FileSchema, environment: Environment): Finding[] {
  return [
    ...checkInterfaces(file, environment),
    ...checkAdminGroup(file, environment),
    ...checkPrograms(file, environment),
  ].map((finding) => ({ ...finding, aboutHost: true }));
}

function checkAdminGroup({ admin: { group } }: FileSchema, environment: Environment): Finding[] {
  // a number is taken as it is, whether the group has a name or not
  if (group === undefined || /^\d+$/.test(group)) return [];
  const groups = environment.groups();
  if (groups === undefined || groups.includes(group)) return [];
  const guess = nearest(group, groups);
  const hint = `create it (groupadd ${group}), or name another${guess === undefined ? '' : `; did you mean "${guess}"?`}`;
  return [fault(['admin', 'group'], `this host has no group ${quote(group)}`, hint)];
}

/** The programs of exec checks. Paths that are not absolute are check-services.ts's business. */
function checkPrograms(file: FileSchema, environment: Environment): Finding[] {
  return file.service.flatMap(({ health }, index) => {
    const program = health?.type === 'exec' ? health.command[0] : undefined;
    if (program === undefined || !program.startsWith('/') || program.includes('\0')) return [];
    const message = environment.programFault(program);
    if (message === undefined) return [];
    const at = ['service', index, 'health', 'command', 0];
    return [fault(at, `${quote(program)} ${message}`, 'name a program that the daemon may run')];
  });
}

function checkInterfaces(file: FileSchema, environment: Environment): Finding[] {
  if (file.failover === undefined) return [];
  const interfaces = environment.interfaces();
  const groups = groupsOf(file.failover).filter(({ spec }) => spec.interface !== '');
  // the active node carries the virtual addresses themselves: they prove nothing about the subnet
  const virtual = virtualAddresses(file);
  const findings = groups.flatMap((group) => {
    const nic = interfaces.find(({ name }) => name === group.spec.interface);
    if (nic === undefined) return [missingInterface(group, interfaces)];
    const own = nic.addresses.filter(({ address }) => !virtual.has(address.text));
    return [...checkUsable(group, own, file), ...checkUnicast(group, own, virtual)];
  });
  const seen = new Set<string>();
  return findings.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return !seen.has(key) && seen.add(key);
  });
}

function missingInterface({ spec, at }: Group, interfaces: readonly HostInterface[]): Finding {
  const names = interfaces.map(({ name }) => name);
  const guess = nearest(spec.interface, names);
  const hint = guess === undefined ? '' : `; did you mean "${guess}"?`;
  return fault(
    at('interface'),
    `this host has no interface ${quote(spec.interface)}`,
    `it has ${names.sort().join(', ') || 'none'}${hint}`,
  );
}

/** A virtual address is of use when a service listens on it, or when hosts of its subnet can reach it. */
function checkUsable({ spec, path }: Group, carried: readonly IpPrefix[], file: FileSchema): Finding[] {
  return spec.addresses.flatMap((virtual, index) => {
    if (isServed(virtual.address, file) || inSubnet(virtual, carried)) return [];
    const { text } = virtual.address;
    const at = [...path, 'addresses', index];
    const hint = `listen on "${formatHostPort(text, 80)}" in a service, or write an address of the interface's subnet`;
    if (carried.length === 0) {
      // an unplugged interface looks the same as one without addresses: nothing is proved
      return [warning(at, `no service listens on ${text}, and ${spec.interface} has no address now`, hint)];
    }
    const carries = carried.map((prefix) => prefix.text).join(', ');
    const message = `no service listens on ${text}, and ${spec.interface} (${carries}) is not in its subnet`;
    return [fault(at, message, hint)];
  });
}

const isServed = (address: IpAddress, file: FileSchema): boolean =>
  file.service.some(({ listen }) =>
    listen.some(
      ({ address: own }) =>
        compareIp(own, address) === 0 || (isUnspecified(own) && own.family === address.family),
    ),
  );

const inSubnet = (virtual: IpPrefix, carried: readonly IpPrefix[]): boolean =>
  carried.some(
    (prefix) => prefixContains(prefix, virtual.address) || prefixContains(virtual, prefix.address),
  );

function checkUnicast(
  { spec, at }: Group,
  carried: readonly IpPrefix[],
  virtual: ReadonlySet<string>,
): Finding[] {
  if (spec.unicast === null || carried.length === 0) return [];
  const { source, peers } = spec.unicast;
  const isOwn = (address: IpAddress): boolean =>
    carried.some((prefix) => compareIp(prefix.address, address) === 0);
  const list = carried.map(({ address }) => address.text).join(', ');
  const findings: Finding[] = [];
  // a virtual address is told by check-failover.ts
  if (source !== null && !virtual.has(source.text) && !isOwn(source)) {
    const message = `${source.text} is not an address of ${spec.interface}`;
    findings.push(fault([...at('unicast'), 'source'], message, `it carries ${list}`));
  }
  peers.forEach((peer, index) => {
    if (!isOwn(peer)) return;
    const message = `${peer.text} is this host's own address`;
    findings.push(fault([...at('unicast'), 'peers', index], message, "write the other node's address"));
  });
  return findings;
}
