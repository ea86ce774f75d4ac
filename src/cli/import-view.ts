import type { ImportResult, ReportEntry } from '../config/import/result.ts';
import { printable, type Style, table } from './output.ts';

/** The report of an import for people: three tables, and what Tandem's own check says. */
export function importLines(result: ImportResult, style: Style): string[] {
  const report = printable(result.report);
  const of = (...fates: readonly ReportEntry['fate'][]): ReportEntry[] =>
    report.filter(({ fate }) => fates.includes(fate));
  const carried = of('carried');
  return [
    ...section('Carried over', carriedRows(carried), ['where', 'keyword', 'is now'], style),
    ...section('Changed', rows(of('changed')), DETAILS, style),
    ...section('Not carried over, nothing is lost', rows(of('needless')), DETAILS, style),
    ...section(style.yellow('Not carried over'), rows(of('missing')), DETAILS, style),
    ...(result.faults.length === 0 ? [] : [style.red('\nTo be mended by hand before it loads')]),
    ...printable(result.faults).map((fault) => `  ${fault}`),
    '',
    summary(report, result.faults.length, style),
  ];
}

const DETAILS = ['line', 'in', 'keyword', 'what it did', 'now'];

const place = ({ file, line }: ReportEntry): string => `${file.slice(file.lastIndexOf('/') + 1)}:${line}`;

const rows = (entries: readonly ReportEntry[]): string[][] =>
  entries.map((entry) => [place(entry), entry.within, entry.keyword, entry.did, plain(entry.note)]);

/** The notes are Markdown, for the documentation. */
const plain = (note: string): string => note.replaceAll('`', '');

/** What works needs no attention: one row for a keyword, however often it stands. */
function carriedRows(entries: readonly ReportEntry[]): string[][] {
  const alike = new Map<string, ReportEntry[]>();
  for (const entry of entries) {
    const key = `${entry.keyword} ${entry.note}`;
    const same = alike.get(key);
    if (same === undefined) alike.set(key, [entry]);
    else same.push(entry);
  }
  return [...alike.values()].map((group) => {
    const places = group.slice(0, 3).map(place).join(', ');
    const more = group.length > 3 ? `, ${group.length - 3} more` : '';
    return [`${places}${more}`, group[0]?.keyword ?? '', plain(group[0]?.note ?? '')];
  });
}

/** A template can make thousands of instances, and nobody reads as many rows. */
const MAX_ROWS = 500;

function section(title: string, lines: string[][], titles: readonly string[], style: Style): string[] {
  if (lines.length === 0) return [];
  const columns = titles.map((name) => ({ title: name }));
  const shown = table(columns, lines.slice(0, MAX_ROWS), style).map((line) => `  ${line}`);
  const more = lines.length > MAX_ROWS ? [`  and ${lines.length - MAX_ROWS} more: --json has them all`] : [];
  return ['', style.bold(title), ...shown, ...more];
}

function summary(report: readonly ReportEntry[], faults: number, style: Style): string {
  const count = (fate: ReportEntry['fate']): number => report.filter((entry) => entry.fate === fate).length;
  const missing = count('missing');
  const text = `${count('carried')} carried over, ${count('changed')} changed, ${count('needless')} needless, ${missing} missing`;
  return missing + faults > 0 ? style.yellow(text) : style.green(text);
}
