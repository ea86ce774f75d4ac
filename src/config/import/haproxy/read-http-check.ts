import { invertedRegex, isHostName, isRegex, statusesBetween } from '../http.ts';
import type { TomlValue } from '../toml.ts';
import { type Connection, connectionOf, matchOf, ruleset } from './check-rules.ts';
import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

/** The keys of an http check, and what `http-check connect` says of the connection. */
export interface HttpCheck extends Connection {
  readonly keys: Readonly<Record<string, TomlValue | undefined>>;
}

/** `option httpchk` with the http-check lines of a backend, which take the place of those of its defaults. */
export function readHttpCheck(back: ProxySection, option: Statement): HttpCheck {
  const request = readRequest(back, option);
  const connect = onlyFirst(back, 'http-check connect', 'one connection for each check: left out');
  return {
    keys: { ...request, ...readExpectations(back) },
    ...connectionOf(back, connect),
  };
}

function onlyFirst(back: ProxySection, phrase: string, otherwise: string): Statement | undefined {
  const [first, ...others] = ruleset(back, phrase.split(' ')[0] ?? '', phrase);
  for (const other of others) back.journal.remark(other, 'missing', otherwise);
  return first;
}

/** RFC 9110, section 9.1: what a method looks like; HAProxy takes OPTIONS unless it is told otherwise. */
const METHOD = /^[A-Z]{1,20}$/;
const PATH = /^\/[\x21-\x7e]*$/;

function readRequest(back: ProxySection, option: Statement): Record<string, TomlValue | undefined> {
  const [, , first, second, version = ''] = option.words;
  const send = onlyFirst(back, 'http-check send', 'one request for each check: left out');
  const wordAfter = (word: string): string | undefined => {
    const at = send?.words.indexOf(word, 2) ?? -1;
    return at < 0 ? undefined : send?.words[at + 1];
  };
  const method = wordAfter('meth') ?? (second === undefined ? undefined : first) ?? 'OPTIONS';
  const path = wordAfter('uri') ?? second ?? first ?? '/';
  const host = hostOf(back, send) ?? /\r\nhost:[ \t]*([^\r\n]*)/i.exec(`${version}`)?.[1]?.trim();
  const source = send ?? option;
  if (!METHOD.test(method))
    back.journal.remark(source, 'missing', 'not a method of HTTP: OPTIONS is asked with');
  if (!PATH.test(path)) back.journal.remark(source, 'missing', 'not a path of a request: "/" is asked for');
  if (host !== undefined && !isHostName(host))
    back.journal.remark(source, 'missing', 'without its Host: not a host name');
  if (send?.words.includes('body') || send?.words.includes('body-lf')) {
    back.journal.remark(send, 'missing', 'without the body: Tandem sends none');
  }
  return {
    method: METHOD.test(method) ? method : 'OPTIONS',
    path: PATH.test(path) ? path : '/',
    host: host !== undefined && isHostName(host) ? host : undefined,
  };
}

/** "hdr Host www", and a remark about other headers. */
function hostOf(back: ProxySection, send: Statement | undefined): string | undefined {
  let host: string | undefined;
  for (const [index, word] of send?.words.entries() ?? []) {
    if (word !== 'hdr' || send === undefined) continue;
    const [name = '', value = ''] = send.words.slice(index + 1);
    if (name.toLowerCase() === 'host') host = value;
    else back.journal.remark(send, 'missing', 'without its other headers: Tandem sends none of them');
  }
  return host;
}

/** What HAProxy takes for well unless it is told otherwise. */
const WELL = statusesBetween(200, 399);
const ANY = statusesBetween(100, 599);

interface Expectations {
  expect_status?: readonly number[];
  expect_body?: string;
  expect_regex?: string;
}

function readExpectations(back: ProxySection): Record<string, TomlValue | undefined> {
  const found: Expectations = {};
  for (const statement of ruleset(back, 'http-check', 'http-check expect')) {
    const fault = addExpectation(found, statement);
    if (fault !== undefined) back.journal.remark(statement, 'missing', `left out: ${fault}`);
  }
  const content = found.expect_body !== undefined || found.expect_regex !== undefined;
  return { ...found, expect_status: found.expect_status ?? (content ? ANY : WELL) };
}

const MATCHES = new Set(['status', 'rstatus', 'hdr', 'fhdr', 'string', 'rstring']);

/** @returns why it cannot be had */
function addExpectation(found: Expectations, statement: Statement): string | undefined {
  const match = matchOf(statement, MATCHES);
  if (match === undefined) return 'nothing that Tandem could compare';
  const { kind, inverted, pattern } = match;
  if (kind === 'status' || kind === 'rstatus') {
    if (found.expect_status !== undefined) return 'one list of statuses for each check';
    const listed = kind === 'status' ? statusesIn(pattern) : statusesLike(pattern);
    const statuses = inverted ? ANY.filter((status) => !listed.includes(status)) : listed;
    if (statuses.length === 0) return 'no status from 100 to 599';
    found.expect_status = statuses;
    return undefined;
  }
  if (kind === 'hdr' || kind === 'fhdr') return 'Tandem does not look at headers';
  if (kind === 'string' && !inverted) {
    if (found.expect_body !== undefined) return 'one text for each check';
    if (Buffer.byteLength(pattern) > 4_096) return 'longer than 4096 bytes';
    found.expect_body = pattern;
    return undefined;
  }
  const plain = kind === 'string' ? pattern.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&') : pattern;
  const regex = inverted ? invertedRegex(plain) : plain;
  if (found.expect_regex !== undefined) return 'one expression for each check';
  if (!isRegex(plain) || !isRegex(regex)) return 'not a regular expression of JavaScript';
  found.expect_regex = regex;
  return undefined;
}

/** "200,201,300-310". */
function statusesIn(text: string): number[] {
  const statuses = text.split(',').flatMap((part) => {
    const [, from = '', to] = /^(\d{3})(?:-(\d{3}))?$/.exec(part) ?? [];
    if (to !== undefined) return statusesBetween(Number(from), Number(to));
    return Number(from) >= 100 && Number(from) <= 599 ? [Number(from)] : [];
  });
  return [...new Set(statuses)];
}

function statusesLike(pattern: string): number[] {
  if (!isRegex(pattern)) return [];
  // three digits give no expression time to go astray
  const regex = new RegExp(pattern);
  return ANY.filter((status) => regex.test(String(status)));
}
