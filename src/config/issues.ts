import type { z } from 'zod';
import { type Finding, fault, UNKNOWN_KEY } from './finding.ts';
import type { KeyPath } from './positions.ts';
import { isTable } from './schema-common.ts';
import { suggestKey } from './suggest.ts';
import { describe, quote } from './values.ts';

type Issue = z.core.$ZodIssue;

/** Zod's issues as findings; `raw` is what was judged, to say what was found. */
export function findingsOf(issues: readonly Issue[], raw: unknown): Finding[] {
  return issues.flatMap((issue) => findingOf(issue, raw));
}

function findingOf(issue: Issue, raw: unknown): Finding[] {
  const path = written(
    issue.path.map((part) => (typeof part === 'number' ? part : String(part))),
    raw,
  );
  const found = valueAt(raw, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, found));
    case 'invalid_union':
      return [wrongVariant(path, found, issue)];
    case 'invalid_type':
      return [wrongType(path, found, issue.expected)];
    case 'custom': {
      const { hint, at } = issue.params ?? {};
      const finding = fault(path, issue.message, typeof hint === 'string' ? hint : '');
      return [{ ...finding, at: at === 'key' ? 'key' : 'value' }];
    }
    default:
      return [fault(path, issue.message, 'see config/full.toml')];
  }
}

function unknownKey(path: KeyPath, key: string, table: unknown): Finding {
  const hint = suggestKey(path, key, valueAt(table, ['type']));
  return { severity: 'error', path: [...path, key], at: 'key', message: UNKNOWN_KEY, hint };
}

function wrongVariant(path: KeyPath, found: unknown, issue: z.core.$ZodIssueInvalidUnion): Finding {
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
  const known = `write one of ${options.map((option) => JSON.stringify(option)).join(', ')}`;
  if (found === undefined) return fault(path, 'is missing', known);
  if (found === 'https') return fault(path, '"https" is not a type', 'write type = "http" and tls = true');
  const what = typeof found === 'string' ? quote(found) : describe(found);
  return fault(path, `${what} is not known here`, known);
}

/** Lists of tables, which TOML writes with two brackets; short forms of their entries (`addresses`) apart. */
const TABLE_LISTS: readonly string[] = ['service', 'backend', 'sni', 'group', 'routes', 'track'];

function wrongType(path: KeyPath, found: unknown, expected: string): Finding {
  const isList = expected === 'array';
  const want = isList ? 'a list' : 'a table';
  const hint = typeHint(path, found, isList);
  if (found === undefined) return fault(path, `is missing: ${want} is needed`, hint);
  return fault(path, `must be ${want}, not ${describe(found)}`, hint);
}

function typeHint(path: KeyPath, found: unknown, isList: boolean): string {
  const names = path.filter((part) => typeof part === 'string');
  const table = names.join('.');
  const key = names.at(-1) ?? '';
  // what a group calls "track" is a list of names
  if (TABLE_LISTS.includes(key) && table !== 'failover.group.track') {
    return isList ? `write [[${table}]], with two brackets` : `write [[${table}]] or ${key} = [{ ... }]`;
  }
  if (isList) {
    return `write ${key} = [...]${listExample(key, found)}`;
  }
  const short = SHORT_FORMS[key] ?? '';
  if (Array.isArray(found) && found.every(isTable))
    return `write [${table}], with one bracket: there is one alone`;
  return `write ${short}[${table}] or ${key} = { ${TABLE_EXAMPLES[key] ?? '...'} }`;
}

function listExample(key: string, found: unknown): string {
  if (key === 'command') return ', such as command = ["/usr/local/bin/check", "--fast"]';
  if (typeof found !== 'string' && typeof found !== 'number') return '';
  const isNumber = key === 'expect_status' && /^\d+$/.test(String(found));
  return `, such as ${key} = [${isNumber ? String(found) : JSON.stringify(found)}]`;
}

/** Tables that may be written as something else, too. */
const SHORT_FORMS: Readonly<Record<string, string>> = {
  virtual_mac: 'true, false, ',
  schedule: 'schedule = "least-connections", ',
};

const TABLE_EXAMPLES: Readonly<Record<string, string>> = {
  agent_check: 'port = 9777',
  announce: 'repeat = 5',
  expect_json: '"/database" = "up"',
  health: 'type = "tcp"',
  node: 'name = "lb-a"',
  tls: 'certificate = "/etc/tandem/admin.crt", key = "/etc/tandem/admin.key"',
  metrics: 'listen = "127.0.0.1:9464"',
  notify: 'active = ["/usr/local/bin/on-active"]',
  peer: 'address = "10.0.0.3", secret_file = "/etc/tandem/peer.key"',
  proxy_protocol: 'send = "v2"',
  queue: 'max = 1000',
  schedule: 'algorithm = "maglev"',
  timeout: 'idle = "10m"',
  unicast: 'peers = ["10.0.0.3"]',
  witness: 'type = "arp", target = "10.0.0.1"',
};

/** Short forms (`schedule = "first"`) are judged as the table that they stand for: back to what is written. */
function written(path: KeyPath, raw: unknown): KeyPath {
  const parent = valueAt(raw, path.slice(0, -1));
  return path.length === 0 || (typeof parent === 'object' && parent !== null) || parent === undefined
    ? path
    : path.slice(0, -1);
}

/** The value at a path, own properties only. */
export function valueAt(raw: unknown, path: KeyPath): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}
