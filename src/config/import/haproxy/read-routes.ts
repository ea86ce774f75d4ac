import { type Condition, markAcls, readCondition, splitRule, type Test } from './conditions.ts';
import type { ProxySection } from './proxy.ts';
import type { Statement } from './statement.ts';

export interface Route {
  readonly statement: Statement;
  /** Server names; "*.example.org" is every name below it. */
  readonly names: readonly string[];
  readonly backend: string;
}

export interface Routes {
  readonly routes: readonly Route[];
  /** The backend of those that no route takes. */
  readonly otherwise: { readonly statement: Statement; readonly backend: string } | undefined;
}

/** `use_backend` by TLS server name, and where everybody else goes. What else decides is told to be left out. */
export function readRoutes(front: ProxySection): Routes {
  const routes: Route[] = [];
  const taken = new Set<string>();
  let final: Statement | undefined;
  for (const statement of front.own('use_backend')) {
    const { rule, condition } = splitRule(statement);
    if (final !== undefined) {
      front.journal.remark(statement, 'needless', `line ${final.line} takes every client before it`);
      continue;
    }
    const parsed = readCondition(condition, front);
    const backend = rule[1] ?? '';
    if (backend.includes('%[')) {
      const text = 'left out: Tandem has no maps: write a [[service.sni]] for each name';
      front.journal.remark(statement, 'missing', text);
    } else if (parsed?.length === 0) final = statement;
    else {
      const names = parsed === undefined ? undefined : namesOf(parsed);
      if (names === undefined) {
        const text =
          'left out: Tandem chooses a service by the TLS server name alone, compared as a whole or with "-m end"';
        front.journal.remark(statement, 'missing', text);
        continue;
      }
      const free = names.filter((name) => !isTaken(name, taken));
      if (free.length < names.length)
        front.journal.remark(statement, null, 'without the names that an earlier line takes');
      markAcls(condition, front);
      for (const name of free) taken.add(name);
      if (free.length > 0) routes.push({ statement, names: free, backend });
    }
  }
  const fallback = final ?? front.last('default_backend');
  if (final !== undefined && front.last('default_backend') !== undefined) {
    const unused = front.last('default_backend');
    if (unused !== undefined)
      front.journal.remark(unused, 'needless', `line ${final.line} takes every client before it`);
  }
  return {
    routes,
    otherwise: fallback === undefined ? undefined : { statement: fallback, backend: fallback.words[1] ?? '' },
  };
}

/** HAProxy takes the first line that fits, Tandem the most exact name: one that never was reached must not be. */
function isTaken(name: string, taken: ReadonlySet<string>): boolean {
  if (taken.has(name)) return true;
  const labels = name.replace(/^\*\./, '').split('.');
  return labels.some((_, index) => index > 0 && taken.has(`*.${labels.slice(index).join('.')}`));
}

function namesOf(condition: Condition): string[] | undefined {
  const names: string[] = [];
  for (const terms of condition) {
    const [term, ...others] = terms.filter(({ tests }) => !tests.every(isHello));
    if (term === undefined || others.length > 0 || term.negated) return undefined;
    for (const test of term.tests) {
      const found = serverNames(test);
      if (found === undefined) return undefined;
      names.push(...found);
    }
  }
  return [...new Set(names)];
}

/** "{ req.ssl_hello_type 1 }": what every client of a service with routes has sent. */
export const isHello = ({ criterion, values }: Test): boolean =>
  /^req[._]ssl_hello_type$/.test(criterion) && values.length === 1 && values[0] === '1';

const NAME = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** Undefined for a test of something else, and for names that Tandem cannot compare so. */
function serverNames({ criterion, method = 'str', values }: Test): string[] | undefined {
  if (!/^req[._]ssl_sni$/.test(criterion) || values.length === 0) return undefined;
  if (method !== 'str' && method !== 'end') return undefined;
  const names = values.flatMap((value) => {
    const name = value.toLowerCase();
    if (method === 'str') return [name];
    // "example.org" is also the end of the name itself
    return name.startsWith('.') ? [`*${name}`] : [name, `*.${name}`];
  });
  return names.every((name) => NAME.test(name) && name.length <= 253) ? names : undefined;
}
