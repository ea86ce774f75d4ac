import {
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  isMulticast,
  networkOf,
  parseIp,
  parsePrefix,
} from '../../../lib/ip.ts';
import { readVirtualAddress } from '../../addresses.ts';
import { isDeviceName } from '../names.ts';
import type { TomlValue } from '../toml.ts';
import type { Section } from './journal.ts';
import type { Statement } from './parser.ts';

/** rt_tables(5) */
const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254 };
/** What says nothing that Tandem would do otherwise. */
const NEEDLESS = new Set(['no_track', 'unicast', 'inet', 'inet6']);
/** Options that a word follows, beyond those that are carried over. */
const WITH_VALUE = new Set([
  ...['scope', 'tos', 'dsfield', 'protocol', 'proto', 'mtu', 'hoplimit', 'advmss', 'rtt', 'rttvar', 'window'],
  ...['reordering', 'cwnd', 'ssthresh', 'realms', 'rto_min', 'initcwnd', 'initrwnd', 'features', 'quickack'],
  ...['congctl', 'pref', 'ttl-propagate', 'fastopen_no_cookie', 'weight', 'or', 'vrf', 'track_group', 'as'],
]);

/** The words of a line of virtual_routes, in the order in which they say something. */
interface Words {
  readonly named: ReadonlyMap<string, string>;
  readonly others: readonly string[];
}

/** `routes` of a group; `taken` is false for a route that is there already. */
export function convertRoutes(
  section: Section,
  device: string,
  taken: (key: string) => boolean,
): TomlValue[] {
  const { journal } = section;
  return section.items('virtual_routes').flatMap((item) => {
    journal.read(item);
    const words = readWords(item);
    const route = routeOf(words, device);
    if (typeof route === 'string') {
      journal.remark(item, 'missing', `left out: ${route}`);
      return [];
    }
    if (!taken(`route ${route['to']} ${route['table'] ?? 254} ${route['metric'] ?? 0}`)) {
      journal.remark(item, 'missing', 'left out: another route has this destination, table and metric');
      return [];
    }
    for (const word of words.others) journal.remark(item, 'missing', 'the route comes without it', word);
    return [route];
  });
}

const NAMES: Readonly<Record<string, string>> = {
  to: 'to',
  via: 'via',
  gw: 'via',
  dev: 'dev',
  oif: 'dev',
  src: 'src',
  table: 'table',
  metric: 'metric',
  priority: 'metric',
  preference: 'metric',
};

function readWords(item: Statement): Words {
  const named = new Map<string, string>();
  const others: string[] = [];
  const words = [item.keyword, ...item.args];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const name = Object.hasOwn(NAMES, word) ? NAMES[word] : undefined;
    if (name !== undefined) {
      let value = words[++index] ?? '';
      // "via inet6 fe80::1"
      if (name === 'via' && /^inet6?$/.test(value)) value = words[++index] ?? '';
      named.set(name, value);
    } else if (WITH_VALUE.has(word)) {
      const value = words[++index];
      if (!(word === 'scope' && /^(?:global|link|universe)$/.test(value ?? ''))) others.push(word);
    } else if (!named.has('to') && (word === 'default' || parsePrefix(word) !== undefined)) {
      named.set('to', word);
    } else if (!NEEDLESS.has(word)) others.push(word);
  }
  return { named, others };
}

const UNSUPPORTED = /^(?:blackhole|unreachable|prohibit|throw|local|broadcast|multicast|nat|nexthop|encap)$/;

/** The table of a route, or why there is none. */
function routeOf({ named, others }: Words, device: string): Record<string, TomlValue> | string {
  const kind = others.find((word) => UNSUPPORTED.test(word));
  if (kind !== undefined) return `Tandem has no ${kind} routes`;
  const [via, source] = [addressOf(named.get('via')), addressOf(named.get('src'))];
  if (via === null || source === null) return 'its gateway or source is not an address';
  const to = destinationOf(named.get('to'), (via ?? source)?.family);
  if (to === undefined) return 'its destination is not a network';
  const family = to.address.family;
  if ((via ?? to.address).family !== family || (source ?? to.address).family !== family) {
    return 'its addresses are of different families';
  }
  const dev = named.get('dev');
  if (dev !== undefined && !isDeviceName(dev)) return 'its interface has no usable name';
  const table = numberOf(named.get('table'), TABLES);
  const metric = numberOf(named.get('metric'), {});
  if (table === null || table === 255 || metric === null)
    return 'its table or metric is not a number that Tandem takes';
  // link-local gateways mean nothing without their interface
  const link = dev ?? (via !== undefined && /^fe[89ab]/.test(via.text) ? device : undefined);
  return {
    to: to.text,
    ...(via === undefined ? {} : { via: via.text }),
    ...(link === undefined ? {} : { interface: link }),
    ...(table === undefined ? {} : { table }),
    ...(metric === undefined ? {} : { metric }),
    ...(source === undefined ? {} : { source: source.text }),
  };
}

/** Null for what is no address. */
function addressOf(text: string | undefined): IpAddress | undefined | null {
  if (text === undefined) return undefined;
  return readVirtualAddress(text).ok ? (parseIp(text) ?? null) : null;
}

const ANY: Readonly<Record<IpFamily, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** Bits behind the prefix are cleared, as the kernel's own tools ask for. */
function destinationOf(text: string | undefined, family: IpFamily | undefined): IpPrefix | undefined {
  const prefix = parsePrefix(text === 'default' ? ANY[family ?? 4] : (text ?? ''));
  if (prefix === undefined || isMulticast(prefix.address)) return undefined;
  const network = networkOf(prefix.address, prefix.length);
  return parsePrefix(network.includes('/') ? network : `${network}/${prefix.length}`);
}

/** Null for what is no number from 1 to the largest. */
function numberOf(
  text: string | undefined,
  names: Readonly<Record<string, number>>,
): number | undefined | null {
  if (text === undefined) return undefined;
  const value = Object.hasOwn(names, text) ? (names[text] ?? 0) : /^\d{1,10}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= 4_294_967_295 ? value : null;
}
