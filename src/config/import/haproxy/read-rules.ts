import { type Duration, formatDuration } from '../../../lib/duration.ts';
import { networkOf, parsePrefix } from '../../../lib/ip.ts';
import { type Condition, markAcls, readCondition, splitRule, type Term, type Test } from './conditions.ts';
import type { ProxySection } from './proxy.ts';
import { isHello } from './read-routes.ts';
import type { Statement } from './statement.ts';
import { parseTime } from './time.ts';

/** What the tcp-request lines of a frontend come to in Tandem. */
export interface Rules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Of `expect-proxy`: who begins with a PROXY header; undefined without such a line. */
  readonly trusted: readonly string[] | undefined;
  readonly sourceConnections: number | undefined;
  /** "20/10s" */
  readonly sourceRate: string | undefined;
  readonly prefix: { readonly v4: number | undefined; readonly v6: number | undefined };
}

/** How tables of other proxies are found. */
export type FindProxy = (name: string) => ProxySection | undefined;

const EVERYBODY = ['0.0.0.0/0', '::/0'];

/**
 * tcp-request rules are a program, of which Tandem has what most write: networks that may or may not connect,
 * and how much each client may. `routed`: the service looks at ClientHellos.
 */
export function readRules(front: ProxySection, find: FindProxy, routed: boolean): Rules {
  const reader = new RuleReader(front, find, routed);
  for (const statement of front.all(
    'tcp-request connection',
    'tcp-request session',
    'tcp-request content',
    'tcp-request',
  )) {
    reader.read(statement);
  }
  return reader.finish();
}

class RuleReader {
  readonly #front: ProxySection;
  readonly #find: FindProxy;
  readonly #routed: boolean;
  readonly #allow: string[] = [];
  readonly #deny: string[] = [];
  readonly #accepted: { readonly statement: Statement; readonly networks: readonly string[] }[] = [];
  readonly #tracks: Statement[] = [];
  #trusted: string[] | undefined;
  #connections: number | undefined;
  #rate: string | undefined;
  #counted = false;
  /** The line behind which no client comes. */
  #last: Statement | undefined;

  constructor(front: ProxySection, find: FindProxy, routed: boolean) {
    this.#front = front;
    this.#find = find;
    this.#routed = routed;
  }

  read(statement: Statement): void {
    const { rule, condition } = splitRule(statement);
    const [, layer, action = ''] = rule;
    if (layer === 'inspect-delay') {
      if (!this.#routed) this.#remark(statement, 'needless', 'nothing to do: no first bytes are waited for');
      return;
    }
    if (this.#last !== undefined) {
      this.#remark(statement, 'needless', `line ${this.#last.line} decides for every client before it`);
      return;
    }
    if (/^track-sc/.test(action)) {
      this.#tracks.push(statement);
      return;
    }
    const parsed = readCondition(condition, this.#front);
    if (parsed === undefined) this.#lose(statement, 'its condition is not one that Tandem has');
    else if (action === 'accept') this.#acceptRule(statement, parsed, layer === 'content');
    else if (action === 'reject' || action === 'silent-drop')
      this.#rejectRule(statement, parsed, layer === 'content');
    else if (action === 'expect-proxy') this.#expectRule(statement, parsed);
    // others keep what the table says of them
    if (!this.#isLost(statement)) markAcls(condition, this.#front);
  }

  finish(): Rules {
    for (const { statement } of this.#accepted) {
      this.#lose(statement, 'Tandem has no exceptions from limits and deny lists');
    }
    for (const statement of this.#tracks) this.#finishTrack(statement);
    const prefix = this.#prefix();
    return {
      allow: this.#allow,
      deny: this.#deny,
      trusted: this.#trusted,
      sourceConnections: this.#connections,
      sourceRate: this.#rate,
      prefix,
    };
  }

  #remark(statement: Statement, fate: 'carried' | 'changed' | 'needless' | 'missing', text: string): void {
    this.#front.journal.remark(statement, fate, text);
  }

  #lose(statement: Statement, why: string): void {
    this.#remark(statement, 'missing', `left out: ${why}`);
  }

  #isLost(statement: Statement): boolean {
    return this.#front.journal.remarks(statement).some(({ fate }) => fate === 'missing');
  }

  #acceptRule(statement: Statement, condition: Condition, content: boolean): void {
    const networks = networksOf(condition, false);
    if (networks !== undefined && condition.length > 0) this.#accepted.push({ statement, networks });
    else if (condition.length === 0) {
      this.#last = statement;
      this.#remark(statement, 'needless', 'nothing to do: who is not refused is served');
    } else if (content && condition.every((terms) => terms.every(isWaiting))) {
      this.#remark(
        statement,
        'needless',
        'nothing to do: Tandem waits for the ClientHello where server names decide',
      );
    } else this.#lose(statement, 'Tandem has no such exception');
  }

  #rejectRule(statement: Statement, condition: Condition, content: boolean): void {
    if (statement.words.includes('silent-drop'))
      this.#remark(statement, 'changed', 'who is refused is told by closing');
    if (condition.length === 0) {
      this.#rejectOthers(statement, content);
      return;
    }
    if (content && condition.length === 1 && condition[0]?.every(isNoHello) === true) {
      if (this.#routed)
        this.#remark(statement, 'needless', 'nothing to do: what is no TLS is refused as tls-malformed');
      else this.#lose(statement, 'only a service with [[service.sni]] looks at the first bytes');
      return;
    }
    // "a or b" refuses what a line for each would
    for (const terms of condition) this.#rejectAlternative(statement, [terms]);
  }

  #rejectAlternative(statement: Statement, condition: Condition): void {
    const denied = networksOf(condition, false);
    const others = networksOf(condition, true);
    if (denied !== undefined) this.#deny.push(...denied);
    else if (others !== undefined && this.#allow.length === 0) this.#allow.push(...others);
    else if (!this.#limit(statement, condition))
      this.#lose(statement, 'its condition is not one that Tandem has');
  }

  /** "reject" for everybody: who was accepted before it is the list of those that may connect. */
  #rejectOthers(statement: Statement, content: boolean): void {
    this.#last = statement;
    const accepted = this.#accepted.splice(0);
    if (accepted.length === 0 && content && this.#routed) {
      this.#remark(statement, 'needless', 'nothing to do: what is no TLS is refused as tls-malformed');
    } else if (accepted.length === 0 || this.#allow.length > 0)
      this.#lose(statement, 'who is to be served then is not clear');
    else {
      this.#allow.push(...accepted.flatMap(({ networks }) => networks));
      this.#remark(statement, 'carried', '`allow`: the networks that are accepted above it');
    }
  }

  #expectRule(statement: Statement, condition: Condition): void {
    const networks = condition.length === 0 ? EVERYBODY : networksOf(condition, false);
    if (networks === undefined) {
      this.#lose(statement, 'its condition is not one that Tandem has');
      return;
    }
    this.#trusted = [...(this.#trusted ?? []), ...networks];
    const text =
      '`proxy_protocol.accept` and `trusted`: clients from elsewhere are refused, where HAProxy serves them without a header';
    if (condition.length > 0) this.#remark(statement, 'changed', text);
  }

  /** "src_conn_rate gt 20", "sc0_conn_cur ge 10". */
  #limit(statement: Statement, condition: Condition): boolean {
    const [terms, ...more] = condition;
    const [term, ...others] = terms ?? [];
    const [test, ...tests] = term?.tests ?? [];
    if (
      term === undefined ||
      test === undefined ||
      more.length + others.length + tests.length > 0 ||
      term.negated
    )
      return false;
    const [, kind] = /^(?:src|sc[012]?)_(conn_rate|sess_rate|conn_cur)$/.exec(test.criterion) ?? [];
    const most = allowed(test);
    if (kind === undefined || most === undefined) return false;
    if (most < 1) {
      this.#lose(statement, 'it would refuse everybody');
      return true;
    }
    if (kind === 'conn_cur') {
      this.#connections = Math.min(this.#connections ?? most, most);
      this.#remark(statement, 'carried', '`source_limit.max_connections`');
    } else this.#setRate(statement, kind, most, test);
    this.#counted = true;
    return true;
  }

  #setRate(statement: Statement, kind: string, most: number, test: Test): void {
    const table = this.#tableOf(test);
    const period = table === undefined ? undefined : storePeriod(table, kind);
    if (table === undefined || period === undefined) {
      this.#lose(statement, `there is no stick-table that stores ${kind}`);
    } else if (this.#rate !== undefined) this.#lose(statement, 'a service has one rate for each client');
    else {
      this.#rate = `${most}/${formatDuration(period)}`;
      const text = `\`source_limit.rate\`: ${most} at once, and then as many spread over ${formatDuration(period)}`;
      this.#remark(statement, 'changed', text);
    }
  }

  /** The table that a test counts in: named by itself, or by the line that tracks. */
  #tableOf({ criterion, argument }: Test): Statement | undefined {
    const counter =
      /^sc([012])_/.exec(criterion)?.[1] ??
      (criterion.startsWith('sc_') ? argument?.split(',')[0] : undefined);
    const track = this.#tracks.find(({ words }) => words[2] === `track-sc${counter}`);
    const at = track?.words.indexOf('table') ?? -1;
    const named = criterion.startsWith('src_') ? argument : at < 0 ? undefined : track?.words[at + 1];
    const proxy = named === undefined || named === this.#front.name ? this.#front : this.#find(named);
    if (proxy !== undefined && proxy !== this.#front) {
      const own = proxy.own('server', 'dispatch').length > 0;
      if (!own) proxy.journal.remark(proxy.head, 'needless', 'nothing to do: it only holds a table');
    }
    return proxy?.last('stick-table');
  }

  #finishTrack(statement: Statement): void {
    const source = /^src(?:,ipmask\(\d+(?:,\d+)?\))?$/.test(statement.words[3] ?? '');
    if (!source) this.#lose(statement, 'Tandem counts by the client address');
    else if (this.#counted) this.#remark(statement, 'carried', '`source_limit`');
    else this.#remark(statement, 'needless', 'nothing that is carried over counts by it');
  }

  /** "track-sc0 src,ipmask(24,64)" counts networks. */
  #prefix(): Rules['prefix'] {
    for (const { words } of this.#tracks) {
      const [, v4, v6] = /^src,ipmask\((\d+)(?:,(\d+))?\)$/.exec(words[3] ?? '') ?? [];
      if (v4 !== undefined)
        return { v4: inRange(v4, 8, 32), v6: v6 === undefined ? undefined : inRange(v6, 16, 128) };
    }
    return { v4: undefined, v6: undefined };
  }
}

const inRange = (text: string, min: number, max: number): number =>
  Math.min(max, Math.max(min, Number(text)));

const isWaiting = ({ negated, tests }: Term): boolean =>
  !negated && tests.every((test) => isHello(test) || test.criterion === 'wait_end');
const isNoHello = ({ negated, tests }: Term): boolean => negated && tests.every(isHello);

/** The greatest number that "gt 20" or "ge 21" lets through. */
function allowed({ operator, values }: Test): number | undefined {
  const number = /^\d{1,7}$/.test(values[0] ?? '') && values.length === 1 ? Number(values[0]) : undefined;
  if (number === undefined) return undefined;
  return operator === 'gt' ? number : operator === 'ge' ? number - 1 : undefined;
}

/** "conn_rate(10s)" of "store conn_rate(10s),conn_cur". */
function storePeriod({ words }: Statement, kind: string): Duration | undefined {
  const stored = words.flatMap((word, index) => (words[index - 1] === 'store' ? word.split(',') : []));
  const found = stored.find((item) => item.startsWith(`${kind}(`));
  const time = parseTime(found?.slice(kind.length + 1, -1) ?? '');
  return time === 0 ? undefined : time;
}

/** The networks of "src 10.0.0.0/8 or src 192.0.2.1"; with `negated` those of "!src ...", which must be one term. */
function networksOf(condition: Condition, negated: boolean): string[] | undefined {
  if (condition.length === 0 || (negated && condition.length > 1)) return undefined;
  const networks: string[] = [];
  for (const terms of condition) {
    const [term, ...others] = terms;
    if (term === undefined || others.length > 0 || term.negated !== negated) return undefined;
    for (const { criterion, method, operator, values } of term.tests) {
      if (criterion !== 'src' || (method !== undefined && method !== 'ip') || operator !== undefined)
        return undefined;
      const read = values.map(readNetwork);
      if (read.length === 0 || read.some((network) => network === undefined)) return undefined;
      networks.push(...read.filter((network) => network !== undefined));
    }
  }
  return [...new Set(networks)];
}

/** "10.0.0.0/8", "10.0.0.0/255.0.0.0", "192.0.2.1". */
function readNetwork(text: string): string | undefined {
  const [, address, mask] = /^([\d.]+)\/(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? [];
  const prefix = parsePrefix(mask === undefined ? text : `${address}/${lengthOf(mask)}`);
  if (prefix === undefined) return undefined;
  const network = networkOf(prefix.address, prefix.length);
  return network.includes('/') ? network : `${network}/${prefix.length}`;
}

function lengthOf(mask: string): number {
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) && bits.length === 32 ? bits.replaceAll('0', '').length : Number.NaN;
}
