import { ConfigError, wholeFile } from '../../errors.ts';
import { Journal } from '../journal.ts';
import { Names } from '../names.ts';
import { type ImportResult, renderFile, resultOf } from '../result.ts';
import type { SourceReader } from '../source.ts';
import type { TomlTable } from '../toml.ts';
import { hashesNames } from './convert-schedule.ts';
import { convertService } from './convert-service.ts';
import { type Globals, readGlobals } from './globals.ts';
import type { Variables } from './lexer.ts';
import { listsOf } from './lists.ts';
import { Proxies } from './proxies.ts';
import type { ProxySection } from './proxy.ts';
import { byPort, type Listening, readBinds, Taken } from './read-binds.ts';
import { type Route, type Routes, readRoutes } from './read-routes.ts';
import { type Rules, readRules } from './read-rules.ts';
import { readServers } from './read-server.ts';
import { mayHoldPassword } from './read-tcp-check.ts';
import { buildReport } from './report.ts';
import { readSections } from './sections.ts';
import { type Item, readBlock } from './statement.ts';

/**
 * Turns a HAProxy configuration into Tandem's: what is in TCP mode. `paths` are read as if they were one file, as
 * with several `-f` of HAProxy; `environment` gives the values of variables.
 * @throws ConfigError (exit status 64) when a file cannot be read or parsed, with file, line and column.
 */
export function importHaproxy(
  paths: readonly string[],
  reader: SourceReader,
  environment: Variables,
): ImportResult {
  const sources = paths.map((path) => ({ path, text: reader.read(path) }));
  const { sections, decisions } = readSections(sources, environment);
  const blocks = sections.map(readBlock);
  const [first] = paths;
  if (first === undefined || blocks.length === 0) throw nothingIn(first ?? '');
  const journal = new Journal<Item>();
  const globals = readGlobals(
    blocks.filter(({ section }) => section.kind === 'global'),
    journal,
  );
  const proxies = new Proxies(blocks, journal, listsOf(reader));
  const services = new Converter(proxies, globals).run();
  proxies.remarkUnused();
  const toml = renderFile(first, 'docs/coming-from-haproxy.md', [...globals.tables, ...services]);
  const secret = blocks.some(({ statements }) => statements.some(mayHoldPassword));
  return resultOf(toml, buildReport(blocks, decisions, journal), { secret, files: paths });
}

function nothingIn(file: string): ConfigError {
  const hint = 'name a haproxy.cfg, with sections such as "frontend" and "backend"';
  return new ConfigError([wholeFile(file, 'there is nothing in it', hint)]);
}

interface Front {
  readonly proxy: ProxySection;
  readonly routes: Routes['routes'];
  readonly back: ProxySection | undefined;
  /** One service for each. */
  readonly groups: readonly Group[];
}

interface Group {
  readonly name: string;
  readonly listening: Listening;
}

class Converter {
  readonly #proxies: Proxies;
  readonly #globals: Globals;
  readonly #names = new Names();
  readonly #taken = new Taken();

  constructor(proxies: Proxies, globals: Globals) {
    this.#proxies = proxies;
    this.#globals = globals;
  }

  /** Names of frontends are taken first: people know them. */
  run(): TomlTable[] {
    const fronts = this.#proxies.fronts().map((proxy): Front => {
      const listening = readBinds(proxy, this.#taken);
      const { routes, otherwise } = readRoutes(proxy);
      const back = listening.length === 0 ? undefined : this.#backOf(proxy, otherwise);
      return { proxy, routes, back, groups: this.#groups(proxy, back, listening) };
    });
    return fronts.flatMap((front) => this.#front(front));
  }

  #groups(front: ProxySection, back: ProxySection | undefined, listening: readonly Listening[]): Group[] {
    const apart = back !== undefined && listening.some(({ port }) => port === undefined) && isPortless(back);
    const all = apart ? listening.flatMap(byPort) : listening;
    if (all.length > 1) {
      const why = apart
        ? 'one for each port, since servers are reached on the port of the client'
        : 'one for clients that begin with a PROXY header, one for the others';
      const text = `${all.length} services: ${why}; limits and checks count for each apart`;
      front.journal.remark(front.head, 'changed', text);
    }
    return all.map((one) => ({
      name: this.#names.take(apart ? `${front.name}-${one.port}` : front.name),
      listening: one,
    }));
  }

  #front({ proxy, routes, back, groups }: Front): TomlTable[] {
    const leaveOut = (reason: string): TomlTable[] => {
      proxy.journal.remark(proxy.head, 'missing', `left out: ${reason}`);
      return [];
    };
    if (groups.length === 0) return leaveOut('it has nothing to listen on that Tandem could take');
    const hello = routes.length > 0 || (back !== undefined && hashesNames(back));
    const rules = readRules(proxy, (name) => this.#proxies.tableOf(name), hello);
    remarkTrust(proxy, groups, rules);
    const port = portOf(groups);
    const common = { front: proxy, globals: this.#globals, findServer: this.#proxies.findServer };
    const targets = this.#targets(routes, { ...common, port, rules });
    const services = groups.flatMap(({ name, listening }) => {
      const tables = convertService({
        ...common,
        name,
        back,
        listening,
        port: listening.port,
        rules,
        routes: targets.routes,
      });
      return tables === undefined ? [] : [tables];
    });
    if (targets.tables.length > 0) remarkApart(proxy);
    if (services.length === 0) return leaveOut('it leads to no server that Tandem could reach');
    proxy.journal.read(proxy.head);
    this.#proxies.served(back);
    return [...services.flat(), ...targets.tables];
  }

  #backOf(front: ProxySection, otherwise: Routes['otherwise']): ProxySection | undefined {
    if (otherwise === undefined) return front.kind === 'listen' ? front : undefined;
    const back = this.#proxies.backend(otherwise.backend);
    if (back === undefined) {
      const text = 'left out: there is no such backend in TCP mode';
      front.journal.remark(otherwise.statement, 'missing', text);
    }
    return back;
  }

  /** A service for each backend that is reached by a server name. */
  #targets(
    routes: readonly Route[],
    common: Omit<Parameters<typeof convertService>[0], 'name' | 'back' | 'listening' | 'routes'>,
  ): {
    readonly tables: TomlTable[];
    readonly routes: { readonly route: Route; readonly service: string }[];
  } {
    const made = new Map<string, string>();
    const tables: TomlTable[] = [];
    const used = routes.flatMap((route) => {
      const known = made.get(route.backend);
      if (known !== undefined) return [{ route, service: known }];
      const back = this.#proxies.backend(route.backend);
      const name = this.#names.take(route.backend);
      const own =
        back === undefined
          ? undefined
          : convertService({ ...common, name, back, listening: undefined, routes: [] });
      if (own === undefined) {
        common.front.journal.remark(
          route.statement,
          'missing',
          'left out: there is no such backend with a server that Tandem could reach',
        );
        return [];
      }
      made.set(route.backend, name);
      this.#proxies.served(back);
      tables.push(...own);
      return [{ route, service: name }];
    });
    return { tables, routes: used };
  }
}

/** Has it servers that are reached on the client's port? */
const isPortless = (back: ProxySection): boolean =>
  readServers(back).some(({ written }) => 'address' in written && written.ports === undefined);

function portOf(groups: Front['groups']): number | undefined {
  const ports = new Set(groups.map(({ listening }) => listening.port));
  return ports.size === 1 ? [...ports][0] : undefined;
}

/** What a frontend limits as a whole, each service behind a route limits for itself. */
function remarkApart(front: ProxySection): void {
  for (const phrase of ['maxconn', 'rate-limit sessions']) {
    const statement = front.last(phrase);
    if (statement === undefined) continue;
    front.journal.remark(
      statement,
      'changed',
      'each service behind a [[service.sni]] has this limit for itself',
    );
  }
}

/** HAProxy believes everybody who connects to such an address; Tandem does so only when it is told. */
function remarkTrust(front: ProxySection, groups: Front['groups'], rules: Rules): void {
  if (rules.trusted !== undefined || !groups.some(({ listening }) => listening.accept)) return;
  for (const { options } of front.own('bind')) {
    for (const option of options.filter(({ keyword }) => keyword === 'accept-proxy')) {
      const text =
        '`proxy_protocol.accept`; `trusted` is everybody, as in HAProxy: write the proxies before this one, or clients can claim any address';
      front.journal.remark(option, 'changed', text);
    }
  }
}
