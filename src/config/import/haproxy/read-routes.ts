import type { Fate } from '../keyword-table.ts';
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
  const reader = new RouteReader(front);
  for (const statement of front.own('use_backend')) reader.read(statement);
  return reader.finish();
}

class RouteReader {
  readonly #front: ProxySection;
  readonly #routes: Route[] = [];
  readonly #taken = new Set<string>();
  /** The line behind which no client comes. */
  #final: Routes['otherwise'];

  constructor(front: ProxySection) {
    this.#front = front;
  }

  read(statement: Statement): void {
    const { rule, condition } = splitRule(statement);
    const backend = rule[1] ?? '';
    if (this.#final !== undefined) {
      this.#remark(statement, 'needless', `line ${this.#final.statement.line} takes every client before it`);
      return;
    }
    const parsed = readCondition(condition, this.#front);
    if (backend.includes('%[')) this.#map(statement, backend, parsed);
    else if (parsed?.length === 0) this.#final = { statement, backend };
    else {
      const names = parsed === undefined ? undefined : namesOf(parsed);
      if (names === undefined) this.#remark(statement, 'missing', NO_CHOICE);
      else {
        markAcls(condition, this.#front);
        this.#add(statement, backend, names);
      }
    }
  }

  finish(): Routes {
    const usual = this.#front.last('default_backend');
    if (this.#final === undefined) {
      const otherwise = usual === undefined ? undefined : { statement: usual, backend: usual.words[1] ?? '' };
      return { routes: this.#routes, otherwise };
    }
    if (usual !== undefined) {
      this.#remark(usual, 'needless', `line ${this.#final.statement.line} takes every client before it`);
    }
    return { routes: this.#routes, otherwise: this.#final };
  }

  #remark(statement: Statement, fate: Fate | null, text: string): void {
    this.#front.journal.remark(statement, fate, text);
  }

  #add(statement: Statement, backend: string, names: readonly string[]): void {
    const free = names.filter((name) => !isTaken(name, this.#taken));
    if (free.length < names.length)
      this.#remark(statement, null, 'without the names that an earlier line takes');
    for (const name of free) this.#taken.add(name);
    if (free.length > 0) this.#routes.push({ statement, names: free, backend });
  }

  /** "%[req.ssl_sni,lower,map(/etc/haproxy/hosts.map,web)]": a route for each backend of the file. */
  #map(statement: Statement, expression: string, condition: Condition | undefined): void {
    const [, end, path = '', otherwise] = MAP.exec(expression) ?? [];
    const lines = path === '' ? undefined : this.#front.lists(path);
    const always = condition?.every((terms) =>
      terms.every(({ negated, tests }) => !negated && tests.every(isHello)),
    );
    if (lines === undefined || always !== true) {
      const text =
        'left out: not a map by req.ssl_sni whose file can be read here: write a [[service.sni]] for each name';
      this.#remark(statement, 'missing', text);
      return;
    }
    const backends = new Map<string, string[]>();
    for (const line of lines) {
      const [key = '', backend = ''] = line.split(/\s+/, 2);
      const test = {
        criterion: 'req.ssl_sni',
        argument: undefined,
        method: end === undefined ? 'str' : 'end',
        operator: undefined,
      };
      const names = serverNames({ ...test, values: [key] });
      if (names === undefined || backend === '') {
        this.#remark(statement, 'missing', 'without lines of the map that are no server name and backend');
      } else {
        const known = backends.get(backend);
        if (known === undefined) backends.set(backend, names);
        else known.push(...names);
      }
    }
    for (const [backend, names] of backends) this.#add(statement, backend, names);
    if (otherwise !== undefined && condition?.length === 0) this.#final = { statement, backend: otherwise };
  }
}

const NO_CHOICE =
  'left out: Tandem chooses a service by the TLS server name alone, compared as a whole or with "-m end"';
const MAP = /^%\[req[._]ssl_sni(?:,lower)?,map(?:_str|_(end))?\(([^,()]+)(?:,([^,()]+))?\)\]$/;

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
