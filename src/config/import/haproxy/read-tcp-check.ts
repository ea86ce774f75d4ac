import { Buffer } from 'node:buffer';
import { isHostName, isRegex } from '../http.ts';
import type { TomlValue } from '../toml.ts';
import { type Connection, connectionOf, matchOf, ruleset } from './check-rules.ts';
import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

type Step = { send?: TomlValue; expect?: TomlValue; expect_regex?: TomlValue };

/** `health.exchange`, and what `tcp-check connect` says of the connection. */
export interface TcpCheck extends Connection {
  /** Undefined where connecting is all. */
  readonly exchange: readonly TomlValue[] | undefined;
  readonly sni: string | undefined;
}

/** As many as `health.exchange` takes, and as many bytes. */
const MAX_STEPS = 16;
const MAX_SAID = 4_096;

/** What a check sends may be `AUTH` of Redis. */
export const mayHoldPassword = ({ words: [family, verb] }: Statement): boolean =>
  family === 'tcp-check' && verb?.startsWith('send') === true;

/** `option tcp-check` with its lines, or those of its defaults. */
export function readTcpCheck(back: ProxySection): TcpCheck {
  const script = new Script(back);
  let connect: Statement | undefined;
  let others = false;
  for (const rule of ruleset(back, 'tcp-check', 'tcp-check')) {
    back.journal.read(rule);
    const connects = rule.words[1] === 'connect';
    others ||= connects && (connect !== undefined || !script.empty);
    if (others) back.journal.remark(rule, 'missing', 'one connection for each check: left out');
    else if (connects) connect = rule;
    else script.add(rule);
  }
  return {
    exchange: script.empty ? undefined : script.steps,
    ...connectionOf(back, connect),
    sni: nameOf(back, connect),
  };
}

function nameOf(back: ProxySection, connect: Statement | undefined): string | undefined {
  const at = connect?.words.indexOf('sni', 2) ?? -1;
  const name = at < 0 ? undefined : connect?.words[at + 1];
  if (connect === undefined || name === undefined || isHostName(name)) return name;
  back.journal.remark(connect, 'missing', 'without its server name: not a host name');
  return undefined;
}

/** What tcp-check lines say, as steps. */
class Script {
  readonly #back: ProxySection;
  readonly #steps: Step[] = [];

  constructor(back: ProxySection) {
    this.#back = back;
  }

  get empty(): boolean {
    return this.#steps.length === 0;
  }

  get steps(): readonly TomlValue[] {
    return this.#steps;
  }

  add(rule: Statement): void {
    const [, verb = '', said = ''] = rule.words;
    let fault: string | undefined;
    if (verb.startsWith('send')) fault = this.#send(said, verb);
    else if (verb === 'expect') fault = this.#expect(rule);
    if (fault !== undefined) this.#back.journal.remark(rule, 'missing', `left out: ${fault}`);
  }

  #send(said: string, verb: string): string | undefined {
    const bytes = bytesOf(said, verb.includes('binary'), verb.endsWith('-lf'));
    return typeof bytes === 'string' ? bytes : this.#append({ send: textOf(bytes) });
  }

  #expect(rule: Statement): string | undefined {
    const match = matchOf(rule, MATCHES);
    if (match === undefined) return 'nothing that Tandem could compare';
    const { kind, inverted, pattern } = match;
    if (inverted) return 'Tandem waits for what comes, not for what does not';
    if (kind === 'rbinary') return 'an expression over hexadecimal digits';
    if (kind === 'rstring') {
      if (!isRegex(pattern)) return 'not a regular expression of JavaScript';
      return this.#answer({ expect_regex: pattern });
    }
    const bytes = bytesOf(pattern, kind.startsWith('binary'), kind.endsWith('-lf'));
    return typeof bytes === 'string' ? bytes : this.#answer({ expect: textOf(bytes) });
  }

  /** What is expected belongs to what was sent before. */
  #answer(answer: Step): string | undefined {
    const last = this.#steps.at(-1);
    if (last?.send === undefined || last.expect !== undefined || last.expect_regex !== undefined)
      return this.#append(answer);
    Object.assign(last, answer);
    return undefined;
  }

  #append(step: Step): string | undefined {
    if (this.#steps.length >= MAX_STEPS) return `more than ${MAX_STEPS} steps`;
    this.#steps.push(step);
    return undefined;
  }
}

const MATCHES = new Set(['string', 'rstring', 'string-lf', 'binary', 'rbinary', 'binary-lf']);

/** @returns in words why it cannot be had */
function bytesOf(said: string, binary: boolean, logFormat: boolean): Uint8Array | string {
  if (logFormat && said.includes('%')) return 'Tandem fills in no variables';
  if (binary && !/^(?:[0-9a-fA-F]{2})*$/.test(said)) return 'not pairs of hexadecimal digits';
  // \xHH of the line is one byte
  const bytes = Buffer.from(said, binary ? 'hex' : /[^\0-\xff]/.test(said) ? 'utf8' : 'latin1');
  return bytes.byteLength <= MAX_SAID ? bytes : `longer than ${MAX_SAID} bytes`;
}

const textOf = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString('latin1');
  return /^(?!hex:)[\x20-\x7e\t\r\n]*$/.test(text) ? text : `hex:${Buffer.from(bytes).toString('hex')}`;
};

/** No server has longer names. */
const MAX_USER = 255;

/** MySQL: a packet that is none of an error (0xff after three bytes of length and one of sequence). */
const MYSQL_WELL = '^[^]{4}[^\\xff]';

/**
 * The options that stand for a conversation; what HAProxy 2.6 says and wants in each (configuration manual, 4.2).
 * @returns undefined for options that Tandem has nothing for
 */
export function conversation({ keyword, words }: Statement): readonly TomlValue[] | undefined {
  const [, , first = '', second = ''] = words;
  const user = first === 'user' ? second.slice(0, MAX_USER) : '';
  switch (keyword) {
    case 'option redis-check':
      return [{ send: '*1\r\n$4\r\nPING\r\n', expect: '+PONG\r\n' }];
    case 'option smtpchk': {
      const greets = /^(?:HELO|EHLO)$/i.test(first) && isHostName(second);
      const greeting = greets ? `${first.toUpperCase()} ${second}` : 'HELO localhost';
      return [
        { expect_regex: '^2' },
        { send: `${greeting}\r\n`, expect_regex: '^2' },
        { send: 'QUIT\r\n', expect_regex: '^2' },
      ];
    }
    case 'option pgsql-check': {
      const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(`user\0${user}\0\0`)]);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.byteLength + 4);
      // it asks for a password, or for none
      return [{ send: textOf(Buffer.concat([length, body])), expect_regex: '^R' }];
    }
    case 'option mysql-check':
      return [
        { expect_regex: MYSQL_WELL },
        ...(user === '' ? [] : [{ send: textOf(mysqlLogin(user)), expect_regex: MYSQL_WELL }]),
      ];
    case 'option ldap-check':
      // an anonymous bind, and its success
      return [
        {
          send: 'hex:300c020101600702010304008000',
          expect_regex: '^0[^]{1,5}\\x02\\x01\\x01a[^]{1,5}\\x0a\\x01\\x00',
        },
      ];
    default:
      return undefined;
  }
}

/** HandshakeResponse41 of a user without a password (CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION), then COM_QUIT. */
function mysqlLogin(user: string): Uint8Array {
  const body = Buffer.concat([
    Buffer.from('008200000080000121', 'hex'),
    Buffer.alloc(23),
    Buffer.from(`${user}\0\0`),
  ]);
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.byteLength, 0, 3);
  head.writeUInt8(1, 3);
  return Buffer.concat([head, body, Buffer.from('0100000001', 'hex')]);
}
