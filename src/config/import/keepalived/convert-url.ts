import { invertedRegex, isRegex, statusesBetween } from '../http.ts';
import type { TomlValue } from '../toml.ts';
import type { Section } from './journal.ts';

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
  return statusesBetween(first, last);
}

/** PCRE and JavaScript agree on what checks mostly use; what does not compile is told. */
function convertRegex(url: Section): string | undefined {
  const statement = url.last('regex');
  const inverted = url.last('regex_no_match') !== undefined;
  const pattern = statement?.args[0];
  if (statement === undefined || pattern === undefined || pattern === '') return undefined;
  const regex = inverted ? invertedRegex(pattern) : pattern;
  if (isRegex(pattern) && isRegex(regex)) return regex;
  url.journal.remark(statement, 'missing', 'left out: not a regular expression of JavaScript');
  return undefined;
}
