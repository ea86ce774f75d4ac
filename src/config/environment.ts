import { readdirSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { type IpPrefix, parsePrefix } from '../lib/ip.ts';

/** A network interface of this host with the addresses that it carries now. */
export interface HostInterface {
  readonly name: string;
  readonly addresses: readonly IpPrefix[];
}

/** What the checks ask of the host; tests hand in their own. */
export interface Environment {
  hostname(): string;
  interfaces(): readonly HostInterface[];
}

/** The host that this process runs on. */
export const systemEnvironment: Environment = {
  hostname,
  interfaces() {
    const carried = networkInterfaces();
    const found = new Set([...Object.keys(carried), ...kernelInterfaces()]);
    return [...found].map((name) => ({
      name,
      addresses: (carried[name] ?? []).flatMap(({ cidr }) => {
        const prefix = cidr === null ? undefined : parsePrefix(cidr);
        return prefix === undefined ? [] : [prefix];
      }),
    }));
  },
};

/** os.networkInterfaces() leaves out what is down or has no address; sysfs does not. */
function kernelInterfaces(): string[] {
  try {
    return readdirSync('/sys/class/net', { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink())
      .map((entry) => entry.name);
  } catch {
    return []; // no sysfs in this container: what os knows has to do
  }
}
