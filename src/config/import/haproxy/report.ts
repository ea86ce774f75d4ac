import type { Journal } from '../journal.ts';
import type { Fate } from '../keyword-table.ts';
import type { ReportEntry } from '../result.ts';
import { KEYWORDS } from './keywords.ts';
import type { Directive } from './sections.ts';
import type { Block, Item, Statement } from './statement.ts';

const UNKNOWN = 'unknown';

/** Every line of the files, in their order, each with what became of it. */
export function buildReport(
  blocks: readonly Block[],
  decisions: readonly Directive[],
  journal: Journal<Item>,
): ReportEntry[] {
  return [...decisions.map(decided), ...blocks.flatMap((block) => entriesOfBlock(block, journal))];
}

function decided({ keyword, file, line, column }: Directive): ReportEntry {
  const branch = keyword.startsWith('.');
  const [fate, note]: [Fate, string] = branch
    ? ['carried', 'decided when the file was read']
    : ['needless', 'nothing to do: in a branch that is not taken'];
  return {
    fate,
    file,
    line,
    column,
    within: '',
    keyword,
    did: branch ? 'a branch of the file' : 'not in force',
    note,
  };
}

/** Of a section that is left out as a whole, few lines are told one by one. */
function entriesOfBlock({ head, title, section, statements }: Block, journal: Journal<Item>): ReportEntry[] {
  const heads = entriesOf(head, '', journal, section.kind);
  const lost = heads.some(isLost);
  const inside = statements.flatMap((statement) =>
    entriesOfStatement(statement, title, journal, section.kind),
  );
  if (!lost) return [...heads, ...inside];
  const count = statements.length === 1 ? 'its line' : `its ${statements.length} lines`;
  const counted = heads.map((entry) =>
    isLost(entry) && statements.length > 0 ? { ...entry, note: `${entry.note} (with ${count})` } : entry,
  );
  return [...counted, ...inside.filter(isTold)];
}

/** Also of what is left out: words that nobody knows, and lines that are the reason for it. */
const isTold = ({ did, fate, note }: ReportEntry): boolean =>
  did === UNKNOWN || (fate === 'missing' && note.startsWith('left out'));

const LEFT_OUT = new Set([
  'peers',
  'resolvers',
  'mailers',
  'userlist',
  'cache',
  'http-errors',
  'fcgi-app',
  'program',
  'ring',
  'log-forward',
  'crt-store',
  'traces',
]);

const isLost = ({ fate, note, keyword }: ReportEntry): boolean =>
  LEFT_OUT.has(keyword) || (fate !== 'carried' && /^(?:left out|nothing to do)/.test(note));

function entriesOfStatement(
  statement: Statement,
  within: string,
  journal: Journal<Item>,
  kind: string,
): ReportEntry[] {
  const own = entriesOf(statement, within, journal, kind);
  const title = statement.keyword === 'server' ? `server ${statement.words[1] ?? ''}` : statement.keyword;
  const options = statement.options.flatMap((option) => {
    const where = statement.keyword === 'default-server' ? 'defaults' : kind;
    return entriesOf(option, `${within} > ${title}`, journal, where);
  });
  const lost = own.some(({ fate, note }) => fate === 'missing' && note.startsWith('left out'));
  return [...own, ...(lost ? options.filter(({ did }) => did === UNKNOWN) : options)];
}

function entriesOf(item: Item, within: string, journal: Journal<Item>, kind: string): ReportEntry[] {
  const row = KEYWORDS.rowOf(item.context, item.keyword);
  const remarks = journal.remarks(item);
  if (row === undefined) return [unknown(item, within)];
  if (remarks.length > 0) {
    return remarks.map(({ fate, text }) => entry(item, within, fate ?? row.fate, row.did, text));
  }
  const converted = row.fate === 'carried' || row.fate === 'changed';
  if (converted && item.context !== '' && isOfUse(item) && !journal.wasRead(item)) {
    const [fate, note] = unread(item, kind);
    return [entry(item, within, fate, row.did, note)];
  }
  return [entry(item, within, row.fate, row.did, row.becomes)];
}

/** Rows that tell what to do instead ("logs go elsewhere") hold whether or not anybody read the line. */
const isOfUse = ({ keyword }: Item): boolean =>
  !/^(?:log|stats|server-state|load-server|option tcplog|error-log|fullconn|clitcpka|srvtcpka)/.test(keyword);

/** Lines that mean nothing unless something else is there. */
const DEPENDENT =
  /^(?:acl|http-check|tcp-check|external-check|option (?:\S*check|httpchk|smtpchk|spop-check|ssl-hello-chk)|stick-table|hash-type|hash-balance-factor|timeout check|tcp-request inspect-delay)/;
const OF_CLIENTS =
  /^(?:bind|default_backend|use_backend|maxconn|backlog|rate-limit|timeout client|tcp-request (?:connection|session))/;
const OF_SERVERS =
  /^(?:balance|server|default-server|dispatch|retries|source|stick|option (?:redispatch|allbackups)|timeout (?:server|connect|queue|tunnel))/;

/** What is there for a line that nobody needed. */
function unread({ keyword, context }: Item, kind: string): [Fate, string] {
  if (kind === 'defaults') return ['needless', 'nothing that is carried over takes it'];
  if (context === 'proxy') {
    if (DEPENDENT.test(keyword)) return ['needless', 'nothing that is carried over uses it'];
    if (kind === 'backend' && OF_CLIENTS.test(keyword)) return ['needless', 'means nothing in a backend'];
    if (kind === 'frontend' && OF_SERVERS.test(keyword)) return ['needless', 'means nothing in a frontend'];
  }
  return ['missing', 'not carried over: what it belongs to is not, or another one of its kind was taken'];
}

function unknown(item: Item, within: string): ReportEntry {
  const places = KEYWORDS.contextsOf(item.keyword).map((context) =>
    context === 'proxy' ? 'frontend or backend' : context,
  );
  const note =
    places.length === 0
      ? 'not a keyword that Tandem knows'
      : `not known here: it belongs into ${[...new Set(places)].join(', ')}`;
  return entry(item, within, 'missing', UNKNOWN, note);
}

function entry(item: Item, within: string, fate: Fate, did: string, note: string): ReportEntry {
  const { file, line, column, keyword } = item;
  return { fate, file, line, column, within, keyword, did, note };
}
