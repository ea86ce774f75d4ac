import type { Fate, KeywordRow } from '../keyword-table.ts';
import type { ReportEntry } from '../result.ts';
import type { FileNote } from './files.ts';
import type { Journal } from './journal.ts';
import { ITEMS, KEYWORDS } from './keywords.ts';
import type { Statement } from './parser.ts';

/** Every statement of the files, in their order, each with what became of it. */
export function buildReport(
  statements: readonly Statement[],
  journal: Journal,
  notes: readonly FileNote[],
): ReportEntry[] {
  const about = notes.map(
    ({ place, keyword, message }): ReportEntry => ({
      fate: 'missing',
      ...place,
      within: '',
      keyword,
      did: 'takes in another file, or a value',
      note: message,
    }),
  );
  return [...about, ...statements.flatMap((statement) => entriesOf(statement, '', '', journal))];
}

function entriesOf(statement: Statement, context: string, within: string, journal: Journal): ReportEntry[] {
  const row = KEYWORDS.rowOf(context, statement.keyword);
  if (row === undefined) return [unknown(statement, context, within)];
  const remarks = journal.remarks(statement).map((remark) => ({
    ...entry(statement, within, remark.fate ?? row.fate, row.did, remark.text),
    ...(remark.option === undefined ? {} : { keyword: remark.option }),
  }));
  const own = remarks.length > 0 ? remarks : [tableEntry(statement, within, journal, row)];
  const lost =
    row.fate === 'missing' ||
    remarks.some(({ fate, note }) => ['missing', 'needless'].includes(fate) && /left out/.test(note));
  const inside = `${within === '' ? '' : `${within} > `}${titleOf(statement, row.opens)}`;
  return [...own, ...inner(statement, row.opens, inside, lost, journal)];
}

function tableEntry(statement: Statement, within: string, journal: Journal, row: KeywordRow): ReportEntry {
  const converted = row.fate === 'carried' || row.fate === 'changed';
  if (converted && !journal.wasRead(statement)) {
    const note = 'not carried over: what it belongs to is not, or another one of its kind was taken';
    return entry(statement, within, 'missing', row.did, note);
  }
  return entry(statement, within, row.fate, row.did, `${row.becomes}${namesOf(statement, row)}`);
}

/** What a list of names holds is told with it: "(chk_web, chk_dns)". */
function namesOf(statement: Statement, row: KeywordRow): string {
  if (row.opens !== ITEMS || row.fate !== 'missing') return '';
  const names = (statement.block ?? []).map((item) => item.keyword);
  if (names.length === 0) return '';
  return ` (${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''})`;
}

/**
 * What is in a block. Of a block that is left out as a whole, only unknown keywords are told; of items those
 * with a remark.
 */
function inner(
  { block }: Statement,
  opens: string | undefined,
  within: string,
  lost: boolean,
  journal: Journal,
): ReportEntry[] {
  if (block === null) return [];
  if (opens === ITEMS) {
    return block.flatMap((item) =>
      journal.remarks(item).map((remark) => ({
        ...entry(item, within, remark.fate ?? 'carried', 'an item of the list', remark.text),
        keyword: remark.option === undefined ? item.keyword : `${item.keyword} ${remark.option}`,
      })),
    );
  }
  const entries = block.flatMap((statement) => entriesOf(statement, opens ?? '?', within, journal));
  return lost ? entries.filter(({ did }) => did === UNKNOWN) : entries;
}

const UNKNOWN = 'unknown';

/** An unknown word may be anything, a password on a line of its own included: in there it is not shown. */
function unknown(statement: Statement, context: string, within: string): ReportEntry {
  const secret = context === 'authentication' || context === 'SSL';
  const elsewhere = KEYWORDS.contextsOf(statement.keyword).filter((name) => !name.includes('_CHECK'));
  const place = elsewhere.map((name) => (name === '' ? 'the top of the file' : name)).join(', ');
  const note = place === '' ? 'not a keyword that Tandem knows' : `not known here: it belongs into ${place}`;
  const shown = secret ? { ...statement, keyword: '(a word)' } : statement;
  return entry(shown, within, 'missing', UNKNOWN, note);
}

const titleOf = ({ keyword, args }: Statement, opens: string | undefined): string =>
  opens === undefined ? keyword : [keyword, ...args].join(' ');

function entry(statement: Statement, within: string, fate: Fate, did: string, note: string): ReportEntry {
  return { fate, ...statement.place, within, keyword: statement.keyword, did, note };
}
