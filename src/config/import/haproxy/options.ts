import type { Directive } from './sections.ts';
import type { Option } from './statement.ts';

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** Options of a bind line that take a value (`haproxy -dKcfg` of 2.6). */
const BIND_VALUES = words(
  'accept-netscaler-cip backlog expose-fd gid group id interface level maxconn mode mss name namespace nice process proto quic-cc-algo severity-output shards tcp-ut thread uid user alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file ciphers ciphersuites crl-file crt crt-ignore-err crt-list curves ecdhe npn ssl-max-ver ssl-min-ver tls-ticket-keys verify',
);

/** The same of a server line. */
const SERVER_VALUES = words(
  'addr agent-addr agent-inter agent-port agent-send alpn ca-file check-alpn check-proto check-sni ciphers ciphersuites cookie crl-file crt downinter error-limit fall fastinter id init-addr inter log-proto max-reuse maxconn maxqueue minconn namespace npn observe on-error on-marked-down on-marked-up pool-low-conn pool-max-conn pool-purge-delay port proto proxy-v2-options redir resolve-net resolve-opts resolve-prefer resolvers rise slowstart sni socks4 ssl-max-ver ssl-min-ver tcp-ut track verify verifyhost weight ws source usesrc interface',
);

/** Where the options of a line begin, counted in words behind its keyword. */
const LINES: Readonly<Record<string, { readonly from: number; readonly values: ReadonlySet<string> }>> = {
  bind: { from: 1, values: BIND_VALUES },
  server: { from: 2, values: SERVER_VALUES },
  'server-template': { from: 3, values: SERVER_VALUES },
  'default-server': { from: 0, values: SERVER_VALUES },
};

/** The options of a bind or server line with their values; none for other lines. */
export function readOptions({ keyword, args, file, line }: Directive): Option[] {
  const kind = Object.hasOwn(LINES, keyword) ? LINES[keyword] : undefined;
  if (kind === undefined) return [];
  const options: Option[] = [];
  for (let at = kind.from; at < args.length; ) {
    const word = args[at];
    if (word === undefined) break;
    const count = kind.values.has(word.text) ? 1 : 0;
    const values = args.slice(at + 1, at + 1 + count).map(({ text }) => text);
    const context = keyword === 'bind' ? 'bind' : 'server';
    options.push({ context, keyword: word.text, values, file, line, column: word.index + 1 });
    at += 1 + count;
  }
  return options;
}
