/**
 * One Tandem and one foreign VRRP router on a switch, for the interoperation tests:
 *
 *     tandem             peer             watcher
 *   10.97.0.1         10.97.0.2         10.97.0.50        /24
 *   db8:97::1         db8:97::2         db8:97::50        /64
 *       |                 |                 |
 *   ====+=================+=================+====   lan     the address: 10.97.0.100, fe80::97:100, db8:97::100
 */
import { execFileSync } from 'node:child_process';
import { type Host, Lab } from './netns.ts';

export const VIP4 = '10.97.0.100';
export const VIP6 = '2001:db8:97::100';
export const VIP6_LINK_LOCAL = 'fe80::97:100';
export const VRID = 51;

export interface Peering {
  readonly lab: Lab;
  readonly tandem: Host;
  readonly peer: Host;
  readonly watcher: Host;
}

export function createPeering(name: string): Peering {
  const lab = Lab.create(name);
  const lan = lab.bridge('lan');
  const host = (called: string, number: number): Host => {
    const made = lab.host(called);
    made.join(lan, 'eth0', [`10.97.0.${number}/24`, `2001:db8:97::${number}/64`]);
    return made;
  };
  return { lab, tandem: host('tandem', 1), peer: host('peer', 2), watcher: host('watcher', 50) };
}

/** A daemon that does nothing but failover; `group` is TOML of the `[[failover.group]]`. */
export function failoverToml(node: string, group: string): string {
  return `
[node]
name = "${node}"

[failover]
interface = "eth0"

[[failover.group]]
vrid = ${VRID}
${group}
`;
}

/**
 * kill -9 of everything on a host, as a power cut would end it: all are stopped first, or the one that is
 * killed last would still say goodbye on behalf of the first.
 */
export function powerCut(host: Host): void {
  const pids = execFileSync('ip', ['netns', 'pids', host.ns], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pids) process.kill(pid, signal);
}
