import { formatHostPort } from '../../../lib/ip.ts';
import { parseAddress, type Written } from './address.ts';
import type { ProxySection } from './proxy.ts';
import type { Option, Statement } from './statement.ts';

/** Where clients connect, as one service can have it: PROXY headers come from all of them or from none. */
export interface Listening {
  readonly endpoints: readonly ListenEndpoint[];
  /** The one port, where there is only one: what a server without a port is reached on. */
  readonly port: number | undefined;
  readonly accept: boolean;
  readonly backlog: number | undefined;
  readonly maxConnections: number | undefined;
}

interface Bind {
  readonly statement: Statement;
  readonly endpoints: readonly ListenEndpoint[];
  readonly accept: boolean;
}

export interface ListenEndpoint {
  /** "10.0.0.100:80" */
  readonly text: string;
  readonly port: number;
}

/** Who listens where. A wildcard and an address on one port are for one service, where HAProxy would share them. */
export class Taken {
  readonly #owners = new Map<string, ProxySection>();

  /** @returns false where somebody listens already */
  take({ text, port }: ListenEndpoint, front: ProxySection): boolean {
    const anything = `${text.startsWith('[') ? 6 : 4} ${port}`;
    const wildcard = wildcardOf(text);
    const others = text === wildcard ? [text, anything] : [text, wildcard];
    if (others.some((other) => this.#owners.has(other))) return false;
    this.#owners.set(text, front);
    this.#owners.set(anything, front);
    return true;
  }

  /** Does this frontend have its clients all the same? */
  covers(text: string, front: ProxySection): boolean {
    return this.#owners.get(text) === front || this.#owners.get(wildcardOf(text)) === front;
  }
}

const wildcardOf = (text: string): string =>
  text.replace(/^\[.*\]|^[^[:]*/, (address) => (address.startsWith('[') ? '[::]' : '0.0.0.0'));

/** A service for each port: servers without a port of their own are reached on that of the client. */
export function byPort(listening: Listening): Listening[] {
  const ports = [...new Set(listening.endpoints.map(({ port }) => port))];
  return ports.map((port) => ({
    ...listening,
    port,
    endpoints: listening.endpoints.filter((endpoint) => endpoint.port === port),
  }));
}

/** More ports than this are left out: each is a listener of its own. */
const MAX_ENDPOINTS = 256;

/** The listeners of a frontend. `taken` are those of frontends before it: Tandem has one service for each address. */
export function readBinds(front: ProxySection, taken: Taken): Listening[] {
  const binds = front.own('bind').flatMap((statement) => readBind(front, statement, taken));
  return [false, true].flatMap((accept) => {
    const group = binds.filter((bind) => bind.accept === accept);
    return group.length === 0 ? [] : [listeningOf(front, group, binds.length === 1)];
  });
}

function listeningOf(front: ProxySection, binds: readonly Bind[], alone: boolean): Listening {
  const endpoints = binds.flatMap((bind) => bind.endpoints);
  const ports = new Set(endpoints.map(({ port }) => port));
  const number = (name: string): number | undefined => {
    const options = binds.flatMap(({ statement }) => optionsNamed(front, statement, name));
    const values = options.map((option) => front.numberIn(option, option.values[0], 1, 10_000_000));
    return values.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
  };
  const maxConnections = number('maxconn');
  if (maxConnections !== undefined && !alone) {
    for (const { statement } of binds)
      for (const option of optionsNamed(front, statement, 'maxconn'))
        front.journal.remark(option, 'missing', 'left out: a service has one limit for all its addresses');
  }
  return {
    endpoints,
    port: ports.size === 1 ? [...ports][0] : undefined,
    accept: binds.some(({ accept }) => accept),
    backlog: number('backlog'),
    maxConnections: alone ? maxConnections : undefined,
  };
}

function optionsNamed(front: ProxySection, { options }: Statement, name: string): Option[] {
  const found = options.filter(({ keyword }) => keyword === name);
  for (const option of found) front.journal.read(option);
  return found;
}

function readBind(front: ProxySection, statement: Statement, taken: Taken): Bind[] {
  const has = (name: string): boolean => optionsNamed(front, statement, name).length > 0;
  const leaveOut = (reason: string): Bind[] => {
    front.journal.remark(statement, 'missing', `left out: ${reason}`);
    return [];
  };
  const accept = has('accept-proxy');
  const [v6only, v4v6] = [has('v6only'), has('v4v6')];
  if (has('ssl')) return leaveOut('it ends TLS, which Tandem passes through: let the servers do that');
  const parts = (statement.words[1] ?? '').split(',').map(parseAddress);
  const fault = parts.find((part) => 'fault' in part);
  if (fault !== undefined && 'fault' in fault) return leaveOut(fault.fault);
  const written = parts.filter((part) => 'address' in part);
  if (written.some(({ ports }) => ports === undefined)) return leaveOut('it has no port');
  const count = written.reduce(
    (sum, { ports }) => sum + (ports === undefined ? 0 : ports.last - ports.first + 1),
    0,
  );
  if (count > MAX_ENDPOINTS) return leaveOut(`more than ${MAX_ENDPOINTS} ports`);
  if (written.some(({ bothFamilies }) => bothFamilies) && !v6only && !v4v6) {
    const text = '"::" takes IPv4 clients as well (net.ipv6.bindv6only = 0): both are listened on';
    front.journal.remark(statement, null, text);
  }
  const all = written.flatMap((part) => endpointsOf(part, part.bothFamilies && !v6only));
  const endpoints = all.filter((endpoint) => taken.take(endpoint, front));
  if (endpoints.length === 0 && all.every(({ text }) => taken.covers(text, front))) {
    front.journal.remark(statement, 'needless', 'a line before it listens there');
    return [];
  }
  if (endpoints.length === 0) return leaveOut('a line before it listens there');
  for (const { text } of all.filter((endpoint) => !endpoints.includes(endpoint))) {
    const covered = taken.covers(text, front);
    front.journal.remark(
      statement,
      covered ? null : 'missing',
      `without ${text}: a line before it listens there`,
    );
  }
  return [{ statement, endpoints, accept }];
}

function endpointsOf({ address, ports }: Written, both: boolean): ListenEndpoint[] {
  const { first = 0, last = -1 } = ports ?? {};
  const texts = both ? [address.text, '0.0.0.0'] : [address.text];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index).flatMap((port) =>
    texts.map((text) => ({ text: formatHostPort(text, port), port })),
  );
}
