import type { Lists } from './lists.ts';
import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

/** "req.ssl_sni -i a.example b.example": one of the values is enough. */
export interface Test {
  /** Without arguments and converters that change no more than the case: "src", "sc_conn_rate". */
  readonly criterion: string;
  /** What stands in its parentheses, such as a table. */
  readonly argument: string | undefined;
  /** "str", "end", "reg" ...: what "-m" says. */
  readonly method: string | undefined;
  /** "gt", "ge" ... of numbers. */
  readonly operator: string | undefined;
  readonly values: readonly string[];
}

export interface Term {
  readonly negated: boolean;
  /** One of them is enough: an acl may be defined in several lines. */
  readonly tests: readonly Test[];
}

/** Alternatives, each of which is a list of terms that must all hold. Empty: it always holds. */
export type Condition = readonly (readonly Term[])[];

/** A condition that is understood, or undefined: it names an acl that is not there, or files, or is no condition. */
export function readCondition(words: readonly string[], proxy: ProxySection): Condition | undefined {
  const [keyword, ...rest] = words;
  if (keyword === undefined) return [];
  if (keyword !== 'if' && keyword !== 'unless') return undefined;
  const alternatives = readAlternatives(rest, proxy);
  if (alternatives === undefined || keyword === 'if') return alternatives;
  // "unless a" is "if !a"; "unless a or b" is "if !a !b"; "unless a b" would be two alternatives
  if (alternatives.every((terms) => terms.length === 1)) {
    return [alternatives.flat().map(({ negated, tests }) => ({ negated: !negated, tests }))];
  }
  return alternatives.length === 1
    ? alternatives.flat().map(({ negated, tests }) => [{ negated: !negated, tests }])
    : undefined;
}

/** Where the condition of a rule begins: its words before are the rule itself. */
export function splitRule({ words }: Statement): { rule: readonly string[]; condition: readonly string[] } {
  const at = words.findIndex((word) => word === 'if' || word === 'unless');
  return at < 0 ? { rule: words, condition: [] } : { rule: words.slice(0, at), condition: words.slice(at) };
}

function readAlternatives(words: readonly string[], proxy: ProxySection): Condition | undefined {
  const alternatives: Term[][] = [[]];
  let negated = false;
  for (let at = 0; at < words.length; at++) {
    let word = words[at] ?? '';
    while (word.startsWith('!')) {
      negated = !negated;
      word = word.slice(1);
    }
    if (word === '') continue;
    if (word === 'or' || word === '||') {
      alternatives.push([]);
      continue;
    }
    let tests: Test[] | undefined;
    if (word === '{') {
      const end = words.indexOf('}', at);
      if (end < 0) return undefined;
      tests = listOf(readTest(words.slice(at + 1, end), proxy.lists));
      at = end;
    } else tests = namedTests(word, proxy);
    if (tests === undefined) return undefined;
    alternatives.at(-1)?.push({ negated, tests });
    negated = false;
  }
  return alternatives.some((terms) => terms.length === 0) ? undefined : alternatives;
}

const listOf = (test: Test | undefined): Test[] | undefined => (test === undefined ? undefined : [test]);

/** Those that HAProxy brings along (its manual, 7.4), as far as they mean something here. */
const PREDEFINED: Readonly<Record<string, Test>> = {
  TRUE: { criterion: 'always_true', argument: undefined, method: undefined, operator: undefined, values: [] },
  WAIT_END: {
    criterion: 'wait_end',
    argument: undefined,
    method: undefined,
    operator: undefined,
    values: [],
  },
  LOCALHOST: {
    criterion: 'src',
    argument: undefined,
    method: undefined,
    operator: undefined,
    values: ['127.0.0.1/8', '::1'],
  },
};

function namedTests(name: string, proxy: ProxySection): Test[] | undefined {
  const lines = proxy.acls(name);
  if (lines.length === 0) return Object.hasOwn(PREDEFINED, name) ? listOf(PREDEFINED[name]) : undefined;
  const tests = lines.map(({ words }) => readTest(words.slice(2), proxy.lists));
  const known = tests.filter((test) => test !== undefined);
  return known.length === tests.length ? known : undefined;
}

/** Tells the journal that what this condition names has been carried over. */
export function markAcls(words: readonly string[], proxy: ProxySection): void {
  for (const word of words) {
    for (const acl of proxy.acls(word.replace(/^!+/, ''))) proxy.journal.read(acl);
  }
}

const OPERATORS = new Set(['eq', 'ge', 'gt', 'le', 'lt']);

/** Undefined for files that are not there, and for what else is no test by itself. */
function readTest([first = '', ...rest]: readonly string[], lists: Lists): Test | undefined {
  const [, criterion = '', argument] = /^([a-z0-9_.]+)(?:\(([^()]*)\))?(?:,lower)?$/.exec(first) ?? [];
  if (criterion === '') return undefined;
  const values: string[] = [];
  let method: string | undefined;
  let at = 0;
  for (; rest[at]?.startsWith('-') === true; at++) {
    const flag = rest[at] ?? '';
    if (flag === '--') {
      at++;
      break;
    }
    if (flag === '-m') method = rest[++at];
    else if (flag === '-f') {
      const lines = lists(rest[++at] ?? '');
      if (lines === undefined) return undefined;
      for (const line of lines) values.push(line);
    } else if (flag !== '-i' && flag !== '-n') return undefined;
  }
  const operator = OPERATORS.has(rest[at] ?? '') ? rest[at++] : undefined;
  return { criterion, argument, method, operator, values: [...values, ...rest.slice(at)] };
}
