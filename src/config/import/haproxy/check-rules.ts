import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

// What `http-check` and `tcp-check` lines have in common.

/** Rules of one kind: its own, else those of the defaults section. */
export function ruleset(proxy: ProxySection | undefined, family: string, phrase: string): Statement[] {
  if (proxy === undefined) return [];
  if (proxy.mentions(family)) return proxy.own(phrase);
  return ruleset(proxy.inherited, family, phrase);
}

/** What a `connect` line says of the connection. */
export interface Connection {
  readonly port: number | undefined;
  readonly tls: boolean;
  readonly sendProxy: boolean;
}

export function connectionOf(back: ProxySection, connect: Statement | undefined): Connection {
  const words = connect?.words ?? [];
  const at = words.indexOf('port');
  return {
    port: connect === undefined || at < 0 ? undefined : back.numberIn(connect, words[at + 1], 1, 65_535),
    tls: words.includes('ssl'),
    sendProxy: words.includes('send-proxy'),
  };
}

/** What an `expect` line looks for: "! string down". */
export interface Match {
  readonly kind: string;
  readonly inverted: boolean;
  readonly pattern: string;
}

/** @param kinds that the family of lines has; undefined where there is none, or no pattern */
export function matchOf({ words }: Statement, kinds: ReadonlySet<string>): Match | undefined {
  const at = words.findIndex((word, index) => index > 1 && kinds.has(word.replace(/^!/, '')));
  const [kind = '', pattern = ''] = words.slice(at, at + 2);
  if (at < 0 || pattern === '') return undefined;
  return { kind: kind.replace(/^!/, ''), inverted: kind.startsWith('!') || words[at - 1] === '!', pattern };
}
