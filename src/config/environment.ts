import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { errnoOf, messageOf } from '../lib/errors.ts';
import { type IpPrefix, parsePrefix } from '../lib/ip.ts';
import { isSecret, readSecret, readToken, type SecretFault } from '../lib/secret-file.ts';
import { isTlsMaterial, readTls, type TlsFault } from '../lib/tls-files.ts';

/** A network interface of this host with the addresses that it carries now. */
export interface HostInterface {
  readonly name: string;
  readonly addresses: readonly IpPrefix[];
}

/** What the checks ask of the host; tests hand in their own. */
export interface Environment {
  hostname(): string;
  interfaces(): readonly HostInterface[];
  /** The names of the groups in /etc/group; undefined when it cannot be read. */
  groups(): readonly string[] | undefined;
  /** Why this process cannot run the program at an absolute path; undefined when it can. */
  programFault(path: string): string | undefined;
  /** Why the key in the file at an absolute path cannot be used; undefined when it can. */
  secretFault(path: string): SecretFault | undefined;
  /** The same for a token that is sent in an HTTP header. */
  tokenFault(path: string): SecretFault | undefined;
  /** Why a server's certificate and key cannot be used; undefined when they can. */
  tlsFault(certificate: string, key: string): TlsFault | undefined;
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
  groups() {
    try {
      const lines = readFileSync('/etc/group', 'utf8').split('\n');
      return lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':'))] : []));
    } catch {
      return undefined; // nothing is proved; the admin socket tells it when it is opened
    }
  },
  programFault(path) {
    try {
      const found = statSync(path);
      if (found.isDirectory()) return 'is a directory';
      if (!found.isFile()) return 'is not a file';
      accessSync(path, constants.X_OK);
      return undefined;
    } catch (error) {
      return programErrors[errnoOf(error) ?? ''] ?? `cannot be looked at: ${messageOf(error)}`;
    }
  },
  secretFault(path) {
    const reading = readSecret(path);
    return isSecret(reading) ? undefined : reading;
  },
  tokenFault(path) {
    const reading = readToken(path);
    return isSecret(reading) ? undefined : reading;
  },
  tlsFault(certificate, key) {
    const reading = readTls(certificate, key, Date.now());
    return isTlsMaterial(reading) ? undefined : reading;
  },
};

const programErrors: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'is not executable for this user',
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
