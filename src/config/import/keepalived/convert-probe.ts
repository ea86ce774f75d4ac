import { shellWord } from '../../../lib/shell-word.ts';
import { isHostName } from '../http.ts';
import type { TomlValue } from '../toml.ts';
import { commandOf, remarkCommand } from './command.ts';
import { convertUrl } from './convert-url.ts';
import type { Section } from './journal.ts';
import type { RealServer, VirtualServer } from './model.ts';

export interface ProbeSource {
  readonly check: Section;
  readonly server: RealServer;
  readonly virtual: VirtualServer;
}

/** The keys of one kind of check, and keepalived's defaults for it (seconds). */
export interface Probe {
  readonly keys: Readonly<Record<string, TomlValue | undefined>>;
  readonly port: number | undefined;
  readonly retries: number;
  /** Undefined is delay_loop. */
  readonly delayBeforeRetry: number | undefined;
  /** Undefined is connect_timeout. */
  readonly timeout?: number | undefined;
}

/** Undefined when Tandem has no such check; the journal then says why. */
export function convertProbe(source: ProbeSource): Probe | undefined {
  const { check } = source;
  const port = check.number('connect_port', 1, 65_535);
  switch (check.context) {
    case 'TCP_CHECK':
      return { keys: { type: 'tcp' }, port, retries: 1, delayBeforeRetry: 1 };
    case 'SMTP_CHECK':
      return {
        keys: { type: 'tcp', exchange: greeting(check) },
        port: port ?? 25,
        retries: 1,
        delayBeforeRetry: 1,
      };
    case 'HTTP_GET':
    case 'SSL_GET':
      return convertHttp(source, port);
    case 'DNS_CHECK':
      return convertDns(source, port);
    case 'UDP_CHECK':
      return convertUdp(source, port);
    case 'MISC_CHECK':
      return convertMisc(source);
    default:
      return undefined;
  }
}

/** As keepalived speaks with a mail server. */
function greeting(check: Section): TomlValue {
  const usual = 'smtpchecker.keepalived.org';
  const given = check.text('helo_name') ?? usual;
  const statement = check.last('helo_name');
  const name = isHostName(given) ? given : usual;
  if (name !== given && statement !== undefined)
    check.journal.remark(statement, 'changed', `not a host name: "${usual}"`);
  return [
    { expect_regex: '^220[ -]' },
    { send: `HELO ${name}\r\n`, expect_regex: '^250[ -]' },
    { send: 'QUIT\r\n', expect_regex: '^221[ -]' },
  ];
}

function convertHttp({ check, server, virtual }: ProbeSource, port: number | undefined): Probe | undefined {
  const secure = check.context === 'SSL_GET';
  check.flag('enable_sni');
  const urls = check.sections('url');
  for (const { statement, journal } of urls.slice(1)) {
    journal.remark(statement, 'missing', 'one URL for each service: left out');
  }
  const named = [urls[0], check, server.section, virtual.section].find(
    (section) => section?.text('virtualhost') !== undefined,
  );
  const host = named?.text('virtualhost');
  const usable = host !== undefined && isHostName(host);
  const statement = named?.last('virtualhost');
  if (!usable && statement !== undefined) {
    check.journal.remark(statement, 'missing', 'left out: not a host name');
  }
  const url = urls[0] === undefined ? {} : convertUrl(urls[0]);
  const keys = {
    type: 'http',
    ...(secure ? { tls: true, tls_verify: false } : {}),
    ...(usable ? { host } : {}),
    ...url,
  };
  return { keys, port, retries: 1, delayBeforeRetry: 3 };
}

const RECORD_TYPES = ['A', 'AAAA', 'NS', 'SOA', 'TXT'];
const DNS_NAME = /^(?:[a-zA-Z0-9_-]{1,63}\.)*[a-zA-Z0-9_-]{1,63}\.?$/;

function convertDns({ check }: ProbeSource, port: number | undefined): Probe {
  const asked = check.text('type')?.toUpperCase() ?? 'SOA';
  const known = RECORD_TYPES.includes(asked);
  const type = check.last('type');
  if (!known && type !== undefined)
    check.journal.remark(type, 'changed', 'Tandem cannot ask for this type: SOA');
  const name = check.text('name') ?? '.';
  const usable = name === '.' || (name.length <= 254 && DNS_NAME.test(name));
  const statement = check.last('name');
  if (!usable && statement !== undefined) check.journal.remark(statement, 'changed', 'not a DNS name: "."');
  const keys = { type: 'dns', query: usable ? name : '.', record_type: known ? asked : 'SOA' };
  return { keys, port, retries: 3, delayBeforeRetry: undefined };
}

function convertUdp({ check }: ProbeSource, port: number | undefined): Probe | undefined {
  const payload = check.last('payload');
  const reply = check.last('require_reply');
  if (reply === undefined) {
    const text = 'no reply is asked for, so there is no check: ICMP unreachable is a passive failure';
    check.journal.remark(check.statement, 'changed', text);
    return undefined;
  }
  const send = payload === undefined ? '00' : hexOf(payload.args);
  if (payload === undefined) {
    check.journal.remark(check.statement, 'changed', 'a zero byte is sent instead of random ones');
  }
  const pattern = hexOf(reply.args);
  const fixed = (/^(?:[0-9a-f]{2})*/.exec(pattern)?.[0] ?? '').slice(0, 2_000);
  if (fixed !== pattern)
    check.journal.remark(reply, 'changed', 'compared up to the first digit that may be any');
  if (payload !== undefined && !/^(?:[0-9a-f]{2})+$/.test(send)) {
    check.journal.remark(payload, 'missing', 'not hexadecimal digits: the check is left out');
    return undefined;
  }
  const expect = fixed === '' ? undefined : `hex:${fixed}`;
  return { keys: { type: 'udp', send: `hex:${send}`, expect }, port, retries: 1, delayBeforeRetry: 1 };
}

/** "Ab12f 3" is AB 12 0F 03: words are cut into bytes, and a digit that is left alone is a byte. */
function hexOf(words: readonly string[]): string {
  const bytes =
    words
      .join(' ')
      .toLowerCase()
      .match(/[^\s]{1,2}/g) ?? [];
  return bytes.map((pair) => pair.padStart(2, '0')).join('');
}

function convertMisc({ check, server }: ProbeSource): Probe | undefined {
  check.all('user');
  const statement = check.last('misc_path');
  const command = commandOf(statement?.args[0] ?? '');
  if ('fault' in command) {
    check.journal.remark(statement ?? check.statement, 'missing', `left out: ${command.fault}`);
    return undefined;
  }
  const { words, difference } = command;
  if (statement !== undefined) remarkCommand(statement, difference, check.journal);
  const own = withBackend(words, server);
  if (own !== undefined && statement !== undefined) {
    check.journal.remark(
      statement,
      'changed',
      "each server's own address comes from $TANDEM_BACKEND_ADDRESS",
    );
  }
  const timeout = check.number('misc_timeout', 0, 1e6) ?? Number.POSITIVE_INFINITY;
  return {
    keys: { type: 'exec', command: own ?? words },
    port: undefined,
    retries: 0,
    delayBeforeRetry: 1,
    timeout,
  };
}

/**
 * keepalived names each server in its command; Tandem has one command for all of them, and hands the address
 * over in the environment. Undefined when the command names no server.
 */
function withBackend(words: readonly string[], server: RealServer): string[] | undefined {
  const address = server.address.text;
  if (!words.slice(1).includes(address)) return undefined;
  const port = String(server.port);
  const spelled = words.map((word, index) => {
    if (index > 0 && word === address) return '"$TANDEM_BACKEND_ADDRESS"';
    if (index > 0 && word === port) return '"$TANDEM_BACKEND_PORT"';
    return shellWord(word);
  });
  return ['/bin/sh', '-c', `exec ${spelled.join(' ')}`];
}
