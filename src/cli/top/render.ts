import type { TandemEvent } from '../../model/event.ts';
import { formatAge } from '../output.ts';
import { headerLines } from './header.ts';
import { arrange, type Model, type Row, type Tone } from './model.ts';
import { tableLines } from './rows.ts';
import { clipLine, fitted, type Glyphs, type Line, lineWidth, type Span } from './spans.ts';
import { selectedRow, type Ui } from './ui.ts';

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly glyphs: Glyphs;
  /** "every 1s" */
  readonly rhythm: string;
  /** Why the daemon is not heard, and for how long; null while it answers. */
  readonly lost: { readonly reason: string; readonly forMillis: number } | null;
}

/** Fewer columns or lines than this show a request for more. */
const MIN_WIDTH = 40;
const MIN_HEIGHT = 8;

/** The whole screen: exactly `height` lines at most, none wider than `width`. */
export function renderScreen(model: Model | undefined, ui: Ui, frame: Frame): Line[] {
  const { width, height } = frame;
  if (width < MIN_WIDTH || height < MIN_HEIGHT) {
    return [clipLine([{ text: `needs ${MIN_WIDTH}x${MIN_HEIGHT}, has ${width}x${height}` }], width)];
  }
  const lines =
    ui.mode.type === 'help' ? helpLines() : model === undefined ? waiting(frame) : body(model, ui, frame);
  const room = height - 1;
  const padded = [
    ...lines.slice(0, room),
    ...Array.from({ length: Math.max(0, room - lines.length) }, () => []),
  ];
  return [...padded, footer(ui, frame)].map((line) => clipLine(line, width));
}

const waiting = ({ lost }: Frame): Line[] => [
  [{ text: lost === null ? 'asking the daemon ...' : lost.reason, tone: lost === null ? 'dim' : 'bad' }],
];

function body(model: Model, ui: Ui, frame: Frame): Line[] {
  const { width, height, glyphs } = frame;
  const header = headerLines(model, { width, glyphs, note: noteOf(ui, frame) });
  const banner = frame.lost === null ? [] : [lostLine(frame)];
  const rows = arrange(model.rows, ui);
  const table = tableLines(rows, {
    width,
    glyphs,
    sort: ui.sort,
    reverse: ui.reverse,
    selected: selectedRow(ui, rows)?.key ?? null,
  });
  const room = height - 1 - header.length - banner.length;
  const wanted = ui.tallEvents ? Math.floor(room / 2) : Math.max(3, Math.min(6, Math.floor(room / 4)));
  const forTable = Math.max(3, Math.min(table.length, room - wanted));
  const events = eventLines(model.events, room - forTable, width);
  const empty: Line[] = rows.length === 0 ? [[{ text: emptyText(ui, model.rows), tone: 'dim' }]] : [];
  const shown = [...scrolled(table, rows, ui, forTable), ...empty];
  const gap = Math.max(0, room - shown.length - events.length);
  return [...banner, ...header, ...shown, ...Array.from({ length: gap }, () => []), ...events];
}

const emptyText = (ui: Ui, rows: readonly Row[]): string =>
  rows.length === 0 ? 'no service is configured' : `nothing matches "${ui.filter}" (Esc clears the filter)`;

function noteOf(ui: Ui, { rhythm }: Frame): Span {
  return ui.paused ? { text: 'PAUSED', tone: 'warn', bold: true } : { text: rhythm, tone: 'dim' };
}

function lostLine({ lost, width, glyphs }: Frame): Line {
  if (lost === null) return [];
  const text = ` LOST, trying again; as of ${formatAge(lost.forMillis)} ago: ${lost.reason}`;
  return [{ text: fitted(text, width, glyphs), tone: 'bad', inverse: true, bold: true }];
}

/** The titles, and the part of the rows around the marked one; the last line counts what is not shown. */
function scrolled(table: readonly Line[], rows: readonly Row[], ui: Ui, room: number): Line[] {
  const [titles, ...lines] = table;
  const space = room - 1;
  if (titles === undefined || lines.length <= space) return [...table];
  const marked = rows.findIndex(({ key }) => key === selectedRow(ui, rows)?.key);
  const visible = space - 1;
  const first = Math.min(lines.length - visible, Math.max(0, marked - Math.floor(visible / 2)));
  const hidden = `${first} above, ${lines.length - visible - first} below`;
  return [titles, ...lines.slice(first, first + visible), [{ text: `  ${hidden}`, tone: 'dim' }]];
}

const LEVEL_TONE: Readonly<Record<TandemEvent['level'], Tone>> = { info: 'good', warn: 'warn', error: 'bad' };

/** The latest events, the newest last, below a rule. */
export function eventLines(events: readonly TandemEvent[], room: number, width: number): Line[] {
  if (room < 2) return [];
  const lines = events.slice(1 - room).map((event): Line => {
    const time = new Date(event.time).toISOString().slice(11, 19);
    return [
      { text: `${time} `, tone: 'dim' },
      { text: event.name, tone: LEVEL_TONE[event.level] },
      { text: ` ${event.message}` },
    ];
  });
  const title = fitted('EVENTS', width, {
    more: '',
    fill: '',
    rest: '',
    branch: '',
    last: '',
    descending: '',
    ascending: '',
  });
  return [[{ text: title, inverse: true, bold: true }], ...lines];
}

const KEYS: readonly (readonly [string, string])[] = [
  ['?', 'help'],
  ['d', 'drain'],
  ['r', 'ready'],
  ['m', 'maint'],
  ['w', 'weight'],
  ['H', 'handover'],
  ['s', 'sort'],
  ['/', 'find'],
  ['p', 'pause'],
  ['q', 'quit'],
];

function footer(ui: Ui, { width, glyphs }: Frame): Line {
  const prompt = promptOf(ui);
  if (prompt !== null) return [{ text: fitted(prompt, width, glyphs), inverse: true, bold: true }];
  if (ui.message !== null)
    return [{ text: fitted(ui.message.text, width, glyphs), tone: ui.message.tone, bold: true }];
  const hints = KEYS.flatMap(([key, word]): Span[] => [
    { text: key, tone: 'accent', bold: true },
    { text: `:${word} ` },
  ]);
  const filter: Span[] = ui.filter === '' ? [] : [{ text: ` filter: ${ui.filter}`, tone: 'warn' }];
  const crowded = filter.length > 0 && lineWidth([...hints, ...filter]) > width;
  return crowded ? [...filter, { text: ' ' }, ...hints] : [...hints, ...filter];
}

function promptOf({ mode, filter }: Ui): string | null {
  switch (mode.type) {
    case 'filter':
      return `filter: ${filter}_  (Enter keeps it, Esc gives it up)`;
    case 'weight':
      return `weight of ${mode.row} (0 to 256, "configured"): ${mode.text}_`;
    case 'confirm':
      return `${mode.question} [y/N]`;
    default:
      return null;
  }
}

const HELP: readonly (readonly [string, string])[] = [
  ['Up Down, j k', 'mark a row; PgUp PgDn, Home End, g G go further'],
  ['d', 'drain: no new clients, those that it has go on'],
  ['r', 'ready again; forgets ejection and flap damping'],
  ['m', 'maintenance: out at once, UDP sessions move away'],
  ['w', 'set the weight; 0 gives it no new clients'],
  ['H', 'hand the virtual addresses over to the peer'],
  ['', 'On the row of a service these act on all its backends, after a question.'],
  ['', 'What is set here lasts until the next reload (as without --persist).'],
  ['s S', 'sort by the next or the previous column; i turns the order round'],
  ['/', 'filter by name, address, state or check; Esc clears it'],
  ['p, Space', 'pause: the screen stays as it is'],
  ['e', 'more room for the events, or less'],
  ['Ctrl-L', 'paint the screen anew'],
  ['Ctrl-Z', 'into the background; "fg" brings it back'],
  ['q, Ctrl-C', 'quit'],
];

function helpLines(): Line[] {
  return [
    [
      { text: 'tandem top', bold: true },
      { text: '  (any key goes back)', tone: 'dim' },
    ],
    [],
    ...HELP.map(
      ([key, text]): Line => [
        { text: key === '' ? '  ' : `  ${key.padEnd(14)}`, tone: 'accent', bold: true },
        { text },
      ],
    ),
  ];
}

/** A snapshot for a pipe: every row, no marks. */
export function renderPlain(model: Model, glyphs: Glyphs, width: number): Line[] {
  const header = headerLines(model, { width, glyphs, note: { text: '' } });
  const table = tableLines(model.rows, {
    width,
    glyphs,
    sort: 'configured',
    reverse: false,
    selected: null,
  });
  return [...header, [], ...table, [], ...eventLines(model.events, 11, width)];
}
