import {
  compareIp,
  formatHostPort,
  type IpAddress,
  type IpPrefix,
  isUnspecified,
  prefixContains,
} from '../lib/ip.ts';
import { nearest } from '../lib/nearest.ts';
import { checkAdminFiles } from './check-admin.ts';
import { type Group, groupsOf, placesOf } from './check-failover.ts';
import { missingInterface } from './check-interface.ts';
import { checkRoutesHere } from './check-routes-here.ts';
import { checkSourcesHere } from './check-source.ts';
import type { Environment } from './environment.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema } from './schema.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** How the file goes with the host that reads it: its interfaces and what they carry, its groups and programs. */
export function checkHost(file: FileSchema, environment: Environment): Finding[] {
  return [
    ...checkInterfaces(file, environment),
    ...checkAdminGroup(file, environment),
    ...checkPrograms(file, environment),
    ...checkSecret(file, environment),
    ...checkAdminFiles(file, environment),
    ...checkPeerAddress(file, environment),
    ...checkWitnessInterface(file, environment),
    ...checkSourcesHere(file, environment),
    ...checkRoutesHere(file, environment),
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

/**
 * The programs of checks, trackers and notifications. Without one of the last nothing but that is missing: a
 * warning. Paths that are not absolute are the business of the other checks.
 */
function checkPrograms(file: FileSchema, environment: Environment): Finding[] {
  return programsOf(file).flatMap(({ program, at, level }) => {
    if (!program.startsWith('/') || program.includes('\0')) return [];
    const message = environment.programFault(program);
    if (message === undefined) return [];
    return [level(at, `${quote(program)} ${message}`, 'name a program that the daemon may run')];
  });
}

interface Program {
  readonly program: string;
  readonly at: KeyPath;
  readonly level: typeof fault | typeof warning;
}

const NOTIFICATIONS = ['active', 'backup', 'fault', 'stopped', 'before_claim'] as const;

function programsOf({ service, failover }: FileSchema): Program[] {
  const first = (
    command: readonly string[] | undefined,
    at: KeyPath,
    level: Program['level'] = fault,
  ): Program[] => (command?.[0] === undefined ? [] : [{ program: command[0], at: [...at, 0], level }]);
  const checks = service.flatMap(({ health }, index) =>
    health?.type === 'exec' ? first(health.command, ['service', index, 'health', 'command']) : [],
  );
  const trackers = (failover?.track ?? []).flatMap((track, index) =>
    track.type === 'script' ? first(track.command, ['failover', 'track', index, 'command']) : [],
  );
  const notified = (failover === undefined ? [] : [failover, ...failover.group]).flatMap(
    ({ notify }, index) => {
      const path = index === 0 ? ['failover', 'notify'] : ['failover', 'group', index - 1, 'notify'];
      return NOTIFICATIONS.flatMap((key) => first(notify?.[key], [...path, key], warning));
    },
  );
  return [...checks, ...trackers, ...notified];
}

/** The daemon may run as another user than this one: what this one may not read proves nothing. */
function checkSecret({ failover }: FileSchema, environment: Environment): Finding[] {
  const path = failover?.peer?.secret_file;
  if (path === undefined) return [];
  const found = environment.secretFault(path);
  if (found === undefined) return [];
  const report = found.denied ? warning : fault;
  return [report(['failover', 'peer', 'secret_file'], `${quote(path)} ${found.fault}`, found.hint)];
}

/** A node that takes itself for its peer asks itself to take over. */
function checkPeerAddress(file: FileSchema, environment: Environment): Finding[] {
  const address = file.failover?.peer?.address;
  // a virtual address is told by check-failover.ts
  if (address === undefined || virtualAddresses(file).has(address.text)) return [];
  const own = environment
    .interfaces()
    .find((nic) => nic.addresses.some((prefix) => compareIp(prefix.address, address) === 0));
  if (own === undefined) return [];
  const message = `${address.text} is this host's own address, on ${own.name}`;
  return [fault(['failover', 'peer', 'address'], message, "write the other node's address")];
}

function checkWitnessInterface({ failover }: FileSchema, environment: Environment): Finding[] {
  const witness = failover?.witness;
  if (witness?.type !== 'arp' || witness.interface === undefined) return [];
  const interfaces = environment.interfaces();
  if (interfaces.some(({ name }) => name === witness.interface)) return [];
  return [missingInterface(witness.interface, ['failover', 'witness', 'interface'], interfaces)];
}

function checkInterfaces(file: FileSchema, environment: Environment): Finding[] {
  if (file.failover === undefined) return [];
  const interfaces = environment.interfaces();
  const groups = groupsOf(file.failover).filter(({ spec }) => spec.interface !== '');
  // the active node carries the virtual addresses themselves: they prove nothing about the subnet
  const virtual = virtualAddresses(file);
  const ownOf = (name: string): readonly IpPrefix[] | undefined =>
    interfaces
      .find((nic) => nic.name === name)
      ?.addresses.filter(({ address }) => !virtual.has(address.text));
  const findings = groups.flatMap((group) => {
    const own = ownOf(group.spec.interface);
    if (own === undefined) return [missingInterface(group.spec.interface, group.at('interface'), interfaces)];
    const places = placesOf(group.spec).flatMap(({ prefix, at }) => {
      const path = [...group.path, ...at];
      const device = prefix.device ?? group.spec.interface;
      const carried = ownOf(device);
      if (carried === undefined) return [missingInterface(device, [...path, 'interface'], interfaces)];
      return checkUsable(prefix, { path, device, carried }, file);
    });
    return [...places, ...checkUnicast(group, own, virtual)];
  });
  const seen = new Set<string>();
  return findings.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return !seen.has(key) && seen.add(key);
  });
}

interface Place {
  readonly path: KeyPath;
  readonly device: string;
  /** What the device carries, virtual addresses apart. */
  readonly carried: readonly IpPrefix[];
}

/** A virtual address is of use when a service listens on it, or when hosts of its subnet can reach it. */
function checkUsable(virtual: IpPrefix, { path, device, carried }: Place, file: FileSchema): Finding[] {
  if (isServed(virtual.address, file) || inSubnet(virtual, carried)) return [];
  const { text } = virtual.address;
  const hint = `listen on "${formatHostPort(text, 80)}" in a service, or write an address of the interface's subnet`;
  if (carried.length === 0) {
    // an unplugged interface looks the same as one without addresses: nothing is proved
    return [warning(path, `no service listens on ${text}, and ${device} has no address now`, hint)];
  }
  const carries = carried.map((prefix) => prefix.text).join(', ');
  const message = `no service listens on ${text}, and ${device} (${carries}) is not in its subnet`;
  return [fault(path, message, hint)];
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
