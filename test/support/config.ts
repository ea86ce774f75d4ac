/** Helpers for tests of the configuration: a host made up for the test, and the problems of a text. */
import type { Environment } from '../../src/config/environment.ts';
import { ConfigError, type Problem } from '../../src/config/errors.ts';
import { type LoadOptions, parseConfig } from '../../src/config/load.ts';
import { parsePrefix } from '../../src/lib/ip.ts';
import type { Config } from '../../src/model/config.ts';

/** A host with these interfaces: `{ eth0: ['10.0.0.2/24'] }`. */
export function hostWith(interfaces: Readonly<Record<string, readonly string[]>>): Environment {
  return {
    hostname: () => 'test-host',
    interfaces: () =>
      Object.entries(interfaces).map(([name, addresses]) => ({
        name,
        addresses: addresses.map((text) => {
          const prefix = parsePrefix(text);
          if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
          return prefix;
        }),
      })),
    groups: () => ['root', 'adm', 'tandem'],
    programFault: () => undefined,
    secretFault: () => undefined,
    tokenFault: () => undefined,
    tlsFault: () => undefined,
  };
}

export const testHost: Environment = hostWith({
  lo: ['127.0.0.1/8', '::1/128'],
  eth0: ['10.0.0.2/24', '2001:db8::2/64', 'fe80::2/64'],
});

/** The configuration of a text that must be right; warnings fail too unless a list takes them. */
export function load(text: string, options: LoadOptions & { warnings?: Problem[] } = {}): Config {
  return parseConfig(text, '/etc/tandem/test.toml', {
    environment: testHost,
    onWarning: (problem) => {
      if (options.warnings === undefined) throw new Error(`unexpected warning: ${problem.message}`);
      options.warnings.push(problem);
    },
    ...options,
  });
}

/** Every problem of a text, errors and warnings; empty when it loads without any. */
export function problemsOf(text: string, options: LoadOptions = {}): readonly Problem[] {
  const warnings: Problem[] = [];
  try {
    load(text, { ...options, warnings });
    return warnings;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** A service with everything that is required, and `extra` lines of its own. */
export const service = (extra = '', name = 'web', listen = '"10.0.0.100:80"'): string =>
  `[[service]]\nname = "${name}"\nlisten = [${listen}]\n${extra}\n`;

export const backend = (address = '10.0.1.11:80', extra = ''): string =>
  `[[service.backend]]\naddress = "${address}"\n${extra}\n`;
