import type { Journal } from '../journal.ts';
import type { Lists } from './lists.ts';
import { ProxySection } from './proxy.ts';
import { readServers, type Server } from './read-server.ts';
import type { Block, Item } from './statement.ts';

/** The proxies of a configuration: which are in TCP mode, and what each inherits. */
export class Proxies {
  readonly #journal: Journal<Item>;
  readonly #all: ProxySection[] = [];
  /** Of several with one name the first counts. */
  readonly #backends = new Map<string, ProxySection>();
  readonly #used = new Set<ProxySection>();
  readonly #served = new Set<ProxySection>();
  readonly #servers = new Map<ProxySection, ReadonlyMap<string, Server>>();

  constructor(blocks: readonly Block[], journal: Journal<Item>, lists: Lists) {
    this.#journal = journal;
    let defaults: ProxySection | undefined;
    const named = new Map<string, ProxySection>();
    for (const block of blocks) {
      const { kind, head } = block.section;
      if (!KINDS.has(kind)) continue;
      const words = head.args.map(({ text }) => text);
      const from = words[words[0] === 'from' ? 1 : words[1] === 'from' ? 2 : -1];
      const inherited = from === undefined ? (kind === 'defaults' ? undefined : defaults) : named.get(from);
      if (from !== undefined && inherited === undefined)
        journal.remark(block.head, 'missing', `there is no defaults section ${from}`);
      const proxy = new ProxySection(block, inherited, journal, lists);
      if (kind === 'defaults') {
        defaults = proxy;
        if (words[0] !== 'from' && words[0] !== undefined) named.set(words[0], proxy);
        continue;
      }
      remarkExtra(proxy, from === undefined ? 1 : 3);
      this.#all.push(proxy);
      if (kind !== 'frontend' && !this.#backends.has(proxy.name)) this.#backends.set(proxy.name, proxy);
    }
  }

  /** Frontends that are to be carried over; of the others it is told why not. */
  fronts(): ProxySection[] {
    return this.#all.filter((proxy) => proxy.isFrontend && this.#isForTandem(proxy));
  }

  /** The proxy that holds the stick-table of this name. */
  tableOf(name: string): ProxySection | undefined {
    return this.#all.find(
      ({ name: own, block }) =>
        own === name && block.statements.some(({ keyword }) => keyword === 'stick-table'),
    );
  }

  /** A backend in TCP mode that somebody leads to. */
  backend(name: string): ProxySection | undefined {
    const proxy = this.#backends.get(name);
    if (proxy === undefined || modeOf(proxy) !== 'tcp' || isOff(proxy)) return undefined;
    this.#used.add(proxy);
    this.#journal.read(proxy.head);
    return proxy;
  }

  readonly findServer = (
    proxyName: string,
    server: string,
  ): { proxy: ProxySection; server: Server } | undefined => {
    const proxy = this.#backends.get(proxyName);
    if (proxy === undefined) return undefined;
    const known = this.#servers.get(proxy) ?? new Map(readServers(proxy).map((one) => [one.name, one]));
    this.#servers.set(proxy, known);
    const found = known.get(server);
    return found === undefined ? undefined : { proxy, server: found };
  };

  /** Some service has the servers of this one. */
  served(proxy: ProxySection | undefined): void {
    if (proxy !== undefined) this.#served.add(proxy);
  }

  /** Backends that nothing leads to, or whose servers nobody could take. */
  remarkUnused(): void {
    for (const proxy of this.#all) {
      if (proxy.kind !== 'backend' || this.#served.has(proxy)) continue;
      if (this.#used.has(proxy)) {
        this.#journal.remark(proxy.head, 'missing', 'left out: none of its servers is carried over');
        continue;
      }
      if (this.#journal.remarks(proxy.head).length > 0 || !this.#isForTandem(proxy)) continue;
      this.#journal.remark(proxy.head, 'missing', 'left out: nothing that is carried over leads here');
    }
  }

  #isForTandem(proxy: ProxySection): boolean {
    if (isOff(proxy)) {
      this.#journal.remark(proxy.head, 'needless', 'left out: it is disabled');
      return false;
    }
    const mode = modeOf(proxy);
    if (mode === 'tcp') return true;
    if (showsStatistics(proxy)) {
      const text = 'left out: `[admin] listen` has a status page, `[metrics]` is for Prometheus';
      this.#journal.remark(proxy.head, 'changed', text);
    } else {
      const text = `left out: mode ${mode}: Tandem works below HTTP; keep HAProxy or another proxy for it, behind Tandem if you like`;
      this.#journal.remark(proxy.head, 'missing', text);
    }
    return false;
  }
}

/** "listen web 10.0.0.1:80", as HAProxy had it once. */
function remarkExtra(proxy: ProxySection, known: number): void {
  if (proxy.block.section.head.args.length <= known) return;
  proxy.journal.remark(proxy.head, 'missing', 'the words behind its name are not read: write a bind line');
}

const KINDS = new Set(['defaults', 'frontend', 'backend', 'listen']);

const modeOf = (proxy: ProxySection): string => proxy.text(1, 'mode') ?? 'tcp';
const isOff = (proxy: ProxySection): boolean => proxy.last('disabled', 'enabled')?.keyword === 'disabled';

/** "listen stats": nothing but the statistics page, or metrics. */
const showsStatistics = (proxy: ProxySection): boolean =>
  !proxy.block.statements.some(({ keyword }) => /^(?:server|default_backend|use_backend)/.test(keyword)) &&
  proxy.block.statements.some(({ words }) => words[0] === 'stats' || words.includes('prometheus-exporter'));
