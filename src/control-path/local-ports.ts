import { readFileSync } from 'node:fs';

/** Linux' own default range, 32768 to 60999. */
const USUAL = 28_232;
const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

/** How many ports the kernel has for outgoing connections from one address; the range is IPv6's, too. */
export function localPorts(): number {
  try {
    return portsIn(readFileSync(RANGE, 'utf8'));
  } catch {
    return USUAL; // no /proc in this container
  }
}

/** The size of a range as the kernel writes it: "32768\t60999". */
export function portsIn(text: string): number {
  const [first = Number.NaN, last = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return last >= first ? last - first + 1 : USUAL;
}
