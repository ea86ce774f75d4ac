import type { Journal } from '../journal.ts';
import type { Fate } from '../keyword-table.ts';
import { type Fault, parseAddress, type Written } from './address.ts';
import type { ProxySection } from './proxy.ts';
import type { Item, Option, Statement } from './statement.ts';

/** A server line with what it takes of default-server lines. Every option that is asked for is in the journal. */
export class Server {
  readonly statement: Statement;
  readonly name: string;
  readonly written: Written | Fault;
  readonly #options: ReadonlyMap<string, Option>;
  readonly #journal: Journal<Item>;

  constructor(statement: Statement, inherited: readonly Option[], journal: Journal<Item>) {
    this.statement = statement;
    const dispatch = statement.keyword === 'dispatch';
    this.name = dispatch ? 'dispatch' : (statement.words[1] ?? '');
    this.written = parseAddress(statement.words[dispatch ? 1 : 2] ?? '');
    this.#options = effective([...inherited, ...statement.options]);
    this.#journal = journal;
    for (const option of statement.options) if (UNDOES.test(option.keyword)) journal.read(option);
  }

  has(name: string): boolean {
    return this.option(name) !== undefined;
  }

  option(name: string): Option | undefined {
    const option = this.#options.get(name);
    if (option !== undefined) this.#journal.read(option);
    return option;
  }

  value(name: string): string | undefined {
    return this.option(name)?.values[0];
  }

  remark(fate: Fate | null, text: string): void {
    this.#journal.remark(this.statement, fate, text);
  }

  /** The same of an option of its own line: one of default-server may hold for others. */
  remarkOwnOption(name: string, fate: Fate | null, text: string): void {
    const option = this.#options.get(name);
    if (option !== undefined && this.statement.options.includes(option))
      this.#journal.remark(option, fate, text);
  }

  remarkOption(name: string, fate: Fate | null, text: string): void {
    const option = this.#options.get(name);
    if (option !== undefined) this.#journal.remark(option, fate, text);
  }
}

/** They have done their work when the options are put together. */
const UNDOES = /^(?:no-|enabled$)/;

/** Options of which one takes the place of the others. */
const HEADERS = ['send-proxy', 'send-proxy-v2', 'send-proxy-v2-ssl', 'send-proxy-v2-ssl-cn'];

/** In their order: "no-check" takes "check" back, "enabled" takes "disabled". */
function effective(options: readonly Option[]): Map<string, Option> {
  const result = new Map<string, Option>();
  for (const option of options) {
    const { keyword } = option;
    if (keyword.startsWith('no-')) result.delete(keyword.slice(3));
    if (keyword === 'enabled') result.delete('disabled');
    if (HEADERS.includes(keyword)) for (const other of HEADERS) result.delete(other);
    result.set(keyword, option);
  }
  return result;
}

/** The servers of a backend or listen section, each with the default-server lines above it. */
export function readServers(proxy: ProxySection): Server[] {
  let defaults = inheritedOptions(proxy.inherited);
  const servers: Server[] = [];
  for (const statement of proxy.own('server', 'default-server', 'dispatch')) {
    if (statement.keyword === 'default-server') defaults = merged(defaults, statement.options);
    else servers.push(new Server(statement, defaults, proxy.journal));
  }
  return servers;
}

function inheritedOptions(proxy: ProxySection | undefined): Option[] {
  if (proxy === undefined) return [];
  const own = proxy.own('default-server').flatMap(({ options }) => options);
  return merged(inheritedOptions(proxy.inherited), own);
}

const merged = (earlier: readonly Option[], later: readonly Option[]): Option[] => [
  ...effective([...earlier, ...later]).values(),
];
