import { formatAge, formatCount, widthOf } from '../output.ts';
import { bytesPerSecond, perSecond } from './header.ts';
import type { BackendRow, Row, SortKey } from './model.ts';
import { fitted, type Glyphs, type Line, type Span } from './spans.ts';

/** The table of services and backends. Columns that do not fit are left out, the least useful first. */

interface TopColumn {
  readonly title: string;
  readonly width: number;
  readonly right?: boolean;
  readonly sort?: SortKey;
  /** Shown from this width of the terminal on. */
  readonly from: number;
  readonly text: (row: Row) => string;
}

const ofBackend = (row: Row, text: (backend: BackendRow) => string): string =>
  row.kind === 'backend' ? text(row) : '';

const COLUMNS: readonly TopColumn[] = [
  { title: 'STATE', width: 9, from: 0, text: (row) => row.state },
  { title: 'WEIGHT', width: 6, right: true, from: 60, text: (row) => ofBackend(row, weightText) },
  { title: 'CONNS', width: 9, right: true, sort: 'connections', from: 0, text: connectionsText },
  {
    title: 'NEW/S',
    width: 6,
    right: true,
    sort: 'new',
    from: 50,
    text: (row) => perSecond(row.rates?.opened),
  },
  {
    title: 'ERR/S',
    width: 6,
    right: true,
    sort: 'errors',
    from: 70,
    text: (row) => perSecond(row.rates?.failed),
  },
  {
    title: 'IN/S',
    width: 7,
    right: true,
    sort: 'in',
    from: 76,
    text: (row) => bytesPerSecond(row.rates?.in),
  },
  {
    title: 'OUT/S',
    width: 7,
    right: true,
    sort: 'out',
    from: 64,
    text: (row) => bytesPerSecond(row.rates?.out),
  },
  {
    title: 'SINCE',
    width: 7,
    right: true,
    from: 96,
    text: (row) => ofBackend(row, ({ stateAgeMillis }) => formatAge(stateAgeMillis)),
  },
  {
    title: 'TOTAL',
    width: 7,
    right: true,
    from: 104,
    text: (row) => ofBackend(row, ({ total }) => formatCount(total)),
  },
];
/** The last check's words take what is left, from this width of the terminal on. */
const CHECK_FROM = 125;
const MIN_NAME = 12;
const MAX_NAME = 45;

function weightText({ weight, effectiveWeight }: BackendRow): string {
  return weight === effectiveWeight ? String(weight) : `${Number(effectiveWeight.toFixed(1))}/${weight}`;
}

function connectionsText({ connections, maxConnections }: Row): string {
  const most = maxConnections === null ? '' : `/${formatCount(maxConnections)}`;
  return formatCount(connections) + most;
}

export interface TableView {
  readonly width: number;
  readonly glyphs: Glyphs;
  readonly sort: SortKey;
  readonly reverse: boolean;
  /** The key of the row that is marked. */
  readonly selected: string | null;
}

/** The titles first, then a line for each row. */
export function tableLines(rows: readonly Row[], view: TableView): Line[] {
  const columns = COLUMNS.filter(({ from }) => view.width >= from);
  const fixed = columns.reduce((sum, { width }) => sum + width + 1, 0);
  const checks = view.width >= CHECK_FROM;
  const longest = Math.max(MIN_NAME, ...rows.map((row) => widthOf(nameText(row, view.glyphs, true)) + 1));
  const room = Math.max(MIN_NAME, view.width - fixed);
  const name = checks ? Math.min(longest, MAX_NAME, room) : room;
  const rest = checks ? Math.max(0, view.width - fixed - name - 2) : 0;
  const line = (row: Row, i: number): Line => {
    const marked = row.key === view.selected;
    const last = rows[i + 1]?.kind !== 'backend';
    return [
      nameSpan(row, fitted(nameText(row, view.glyphs, last), name, view.glyphs)),
      ...columns.flatMap((column) => [{ text: ' ' }, cell(row, column, view.glyphs)]),
      ...(rest > 0 ? [{ text: '  ' }, checkSpan(row, rest, view.glyphs)] : []),
    ].map((span) => (marked ? { ...span, inverse: true } : span));
  };
  return [titles(columns, name, rest, view), ...rows.map(line)];
}

function nameText(row: Row, glyphs: Glyphs, last: boolean): string {
  if (row.kind === 'service') return `${row.name}  ${row.detail}`;
  return ` ${last ? glyphs.last : glyphs.branch}${row.name}`;
}

const nameSpan = (row: Row, text: string): Span => (row.kind === 'service' ? { text, bold: true } : { text });

function cell(row: Row, column: TopColumn, glyphs: Glyphs): Span {
  const text = fitted(column.text(row), column.width, glyphs, column.right);
  if (column.title === 'STATE') return { text, tone: row.tone };
  if (column.title === 'ERR/S' && (row.rates?.failed ?? 0) > 0) return { text, tone: 'bad' };
  const full = row.maxConnections !== null && row.connections >= row.maxConnections;
  if (column.title === 'CONNS' && full) return { text, tone: 'warn' };
  return row.kind === 'service' ? { text, bold: true } : { text };
}

function checkSpan(row: Row, width: number, glyphs: Glyphs): Span {
  const text = fitted(row.kind === 'backend' ? row.lastCheck : '', width, glyphs);
  return { text, tone: row.tone === 'bad' ? 'bad' : 'dim' };
}

function titles(columns: readonly TopColumn[], name: number, rest: number, view: TableView): Line {
  const { glyphs, sort, reverse } = view;
  const mark = reverse ? glyphs.ascending : glyphs.descending;
  const cells = columns.map((column) => {
    const sorted = column.sort !== undefined && column.sort === sort;
    return ` ${fitted(sorted ? `${column.title}${mark}` : column.title, column.width, glyphs, column.right)}`;
  });
  const check = rest > 0 ? `  ${fitted('LAST CHECK', rest, glyphs)}` : '';
  return [
    { text: fitted('SERVICE / BACKEND', name, glyphs) + cells.join('') + check, inverse: true, bold: true },
  ];
}
