import { nearest } from '../lib/nearest.ts';
import type { HostInterface } from './environment.ts';
import { type Finding, fault } from './finding.ts';
import type { KeyPath } from './positions.ts';
import { quote } from './values.ts';

/** The name that Linux gives the loopback interface in every network namespace. */
export const LOOPBACK = 'lo';

/** What is wrong with an interface that is named, seen from the host that reads the file. */
export function missingInterface(wanted: string, at: KeyPath, interfaces: readonly HostInterface[]): Finding {
  const names = interfaces.map(({ name }) => name);
  const guess = nearest(wanted, names);
  const hint = guess === undefined ? '' : `; did you mean "${guess}"?`;
  const list = names.sort().join(', ') || 'none';
  return fault(at, `this host has no interface ${quote(wanted)}`, `it has ${list}${hint}`);
}

/** `lo` where other hosts have to be reached. */
export function checkLoopback(name: string | undefined, at: KeyPath, consequence: string): Finding[] {
  if (name !== LOOPBACK) return [];
  const hint = 'write the interface on whose network the other node and the clients are, such as "eth0"';
  return [fault(at, `"${LOOPBACK}" never leaves this host: ${consequence}`, hint)];
}
