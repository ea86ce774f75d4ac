import type { Section } from './journal.ts';
import type { TomlValue } from './toml.ts';

/** The statuses in IANA's registry: what a range such as 200-299 stands for. */
const REGISTERED = [
  100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
  308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422,
  423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];

/** The keys of an http check that one `url` block says. */
export function convertUrl(url: Section): Readonly<Record<string, TomlValue | undefined>> {
  const path = url.text('path') ?? '/';
  const usable = /^\/[\x21-\x7e]*$/.test(path);
  const statement = url.last('path');
  if (!usable && statement !== undefined)
    url.journal.remark(statement, 'missing', 'not a path of a request: "/"');
  const regex = convertRegex(url);
  return {
    path: usable ? path : '/',
    expect_status: convertStatuses(url),
    ...(regex === undefined ? {} : { expect_regex: regex }),
  };
}

/** Without status_code keepalived takes 200 to 299. */
function convertStatuses(url: Section): number[] {
  const statement = url.last('status_code');
  const statuses = (statement?.args ?? ['200-299']).flatMap((word) => statusesOf(word));
  const unique = [...new Set(statuses)];
  if (unique.length > 0) return unique;
  if (statement !== undefined)
    url.journal.remark(statement, 'missing', 'no status from 100 to 599: 200 is asked for');
  return [200];
}

function statusesOf(word: string): number[] {
  const [, from = '', to] = /^(\d{3})(?:-(\d{3}))?$/.exec(word) ?? [];
  const [first, last] = [Number(from), Number(to ?? from)];
  if (to === undefined) return first >= 100 && first <= 599 ? [first] : [];
  return REGISTERED.filter((status) => status >= first && status <= last);
}

/** PCRE and JavaScript agree on what checks mostly use; what does not compile is told. */
function convertRegex(url: Section): string | undefined {
  const statement = url.last('regex');
  const inverted = url.last('regex_no_match') !== undefined;
  const pattern = statement?.args[0];
  if (statement === undefined || pattern === undefined || pattern === '') return undefined;
  const regex = inverted ? `^(?![\\s\\S]*(?:${pattern}))` : pattern;
  try {
    new RegExp(pattern);
    new RegExp(regex);
    return regex;
  } catch {
    // not a fault: PCRE has what JavaScript does not
    url.journal.remark(statement, 'missing', 'left out: not a regular expression of JavaScript');
    return undefined;
  }
}
