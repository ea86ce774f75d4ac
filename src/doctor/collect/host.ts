import { release } from 'node:os';
import type { HostFacts, InterfaceFacts } from '../facts.ts';
import { type Files, readNumber } from './files.ts';

const PROGRAM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Files that time services keep while they run. */
const TIME_SERVICES: readonly (readonly [path: string, name: string])[] = [
  ['/run/systemd/timesync/synchronized', 'systemd-timesyncd'],
  ['/run/chrony/chronyd.pid', 'chrony'],
  ['/run/chronyd.pid', 'chrony'],
  ['/run/ntpd.pid', 'ntpd'],
];

/** Sysctls, versions and programs of this host. */
export function hostFacts(files: Files, interfaces: readonly InterfaceFacts[]): HostFacts {
  const sysctl = (key: string): number | null => readNumber(files, `/proc/sys/net/${key}`);
  return {
    interfaces,
    nonlocalBind: { v4: sysctl('ipv4/ip_nonlocal_bind'), v6: sysctl('ipv6/ip_nonlocal_bind') },
    kernel: release(),
    node: process.versions.node,
    machine: machineOf(files),
    clockKeptBy: TIME_SERVICES.find(([path]) => files.exists(path))?.[1] ?? null,
    nft: PROGRAM_FOLDERS.map((folder) => `${folder}/nft`).find((path) => files.executable(path)) ?? null,
    somaxconn: sysctl('core/somaxconn'),
    localPorts: localPortsOf(files),
    conntrack: conntrackOf(files),
    firstUnprivilegedPort: sysctl('ipv4/ip_unprivileged_port_start') ?? 1_024,
  };
}

function machineOf(files: Files): string | null {
  const words = ['sys_vendor', 'product_name'].map(
    (name) => files.read(`/sys/class/dmi/id/${name}`)?.trim() ?? '',
  );
  const text = words.filter((word) => word !== '').join(' ');
  return text === '' ? null : text;
}

function localPortsOf(files: Files): HostFacts['localPorts'] {
  const text = files.read('/proc/sys/net/ipv4/ip_local_port_range') ?? '';
  const match = /^(\d+)\s+(\d+)/.exec(text);
  return match === null ? null : { first: Number(match[1]), last: Number(match[2]) };
}

function conntrackOf(files: Files): HostFacts['conntrack'] {
  const count = readNumber(files, '/proc/sys/net/netfilter/nf_conntrack_count');
  const max = readNumber(files, '/proc/sys/net/netfilter/nf_conntrack_max');
  return count === null || max === null || max === 0 ? null : { count, max };
}
