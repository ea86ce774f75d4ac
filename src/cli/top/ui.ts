import type { AdminState } from '../../model/service.ts';
import { type Arrangement, arrange, type Model, type Row, SORT_KEYS, type Tone } from './model.ts';

/**
 * What the keys do, without a terminal: a key and what is shown come in, the next state of the screen and
 * perhaps something to do come out.
 */

export type Action =
  | {
      readonly type: 'state';
      readonly service: string;
      readonly backends: readonly string[];
      readonly state: AdminState;
    }
  | {
      readonly type: 'weight';
      readonly service: string;
      readonly backends: readonly string[];
      readonly weight: number | null;
    }
  | { readonly type: 'handover' };

export type Mode =
  | { readonly type: 'browse' }
  | { readonly type: 'help' }
  /** The filter works while it is written; Escape brings the one before back. */
  | { readonly type: 'filter'; readonly before: string }
  | { readonly type: 'weight'; readonly row: string; readonly text: string }
  | { readonly type: 'confirm'; readonly question: string; readonly action: Action };

export interface Message {
  readonly text: string;
  readonly tone: Tone;
}

export interface Ui extends Arrangement {
  readonly selected: string | null;
  readonly mode: Mode;
  readonly paused: boolean;
  /** The events take half of the screen. */
  readonly tallEvents: boolean;
  /** How the last action ended; the next key takes it away. */
  readonly message: Message | null;
}

export const START: Ui = {
  sort: 'configured',
  reverse: false,
  filter: '',
  selected: null,
  mode: { type: 'browse' },
  paused: false,
  tallEvents: false,
  message: null,
};

export interface Step {
  readonly ui: Ui;
  readonly action?: Action;
  readonly leave?: 'quit' | 'suspend';
  /** Paint everything anew: something else has written on the terminal. */
  readonly repaint?: true;
}

const MAX_FILTER = 60;
/** Lines that a page moves. */
const PAGE = 10;

/**
 * Takes a key.
 * @param key its name ("UP", "CTRL_C"), or the character
 */
export function press(ui: Ui, key: string, model: Model | undefined): Step {
  if (key === 'CTRL_C') return { ui, leave: 'quit' };
  if (key === 'CTRL_Z') return { ui, leave: 'suspend' };
  if (key === 'CTRL_L') return { ui, repaint: true };
  const now: Ui = { ...ui, message: null };
  switch (ui.mode.type) {
    case 'browse':
      return browse(now, key, model);
    case 'help':
      return { ui: { ...now, mode: { type: 'browse' } } };
    case 'filter':
      return { ui: writeFilter(now, key, ui.mode.before) };
    case 'weight':
      return writeWeight(now, key, ui.mode, model);
    case 'confirm':
      return key === 'y' || key === 'Y'
        ? { ui: browsing(now), action: ui.mode.action }
        : { ui: told(browsing(now), 'nothing was changed', 'dim') };
  }
}

const browsing = (ui: Ui): Ui => ({ ...ui, mode: { type: 'browse' } });
const told = (ui: Ui, text: string, tone: Tone): Ui => ({ ...ui, message: { text, tone } });

const STATE_KEYS: Readonly<Record<string, AdminState>> = { d: 'draining', r: 'ready', m: 'maintenance' };

function browse(ui: Ui, key: string, model: Model | undefined): Step {
  const state = STATE_KEYS[key];
  if (state !== undefined) return changeState(ui, state, model);
  const distance = MOVES[key];
  if (distance !== undefined) return { ui: move(ui, distance, model) };
  switch (key) {
    case 'q':
      return { ui, leave: 'quit' };
    case '?':
    case 'h':
    case 'F1':
      return { ui: { ...ui, mode: { type: 'help' } } };
    case '/':
      return { ui: { ...ui, mode: { type: 'filter', before: ui.filter } } };
    case 'ESCAPE':
      return { ui: { ...ui, filter: '' } };
    case 's':
    case 'S':
      return { ui: { ...ui, sort: nextSort(ui.sort, key === 's' ? 1 : -1) } };
    case 'i':
      return { ui: { ...ui, reverse: !ui.reverse } };
    case 'p':
    case ' ':
      return { ui: { ...ui, paused: !ui.paused } };
    case 'e':
      return { ui: { ...ui, tallEvents: !ui.tallEvents } };
    case 'w':
      return { ui: askWeight(ui, model) };
    case 'H':
      return { ui: askHandover(ui, model) };
    default:
      return { ui };
  }
}

function nextSort(sort: Ui['sort'], by: number): Ui['sort'] {
  const at = (SORT_KEYS.indexOf(sort) + by + SORT_KEYS.length) % SORT_KEYS.length;
  return SORT_KEYS[at] ?? 'configured';
}

const MOVES: Readonly<Record<string, number>> = {
  UP: -1,
  k: -1,
  DOWN: 1,
  j: 1,
  PAGE_UP: -PAGE,
  PAGE_DOWN: PAGE,
  HOME: Number.NEGATIVE_INFINITY,
  g: Number.NEGATIVE_INFINITY,
  END: Number.POSITIVE_INFINITY,
  G: Number.POSITIVE_INFINITY,
};

function move(ui: Ui, distance: number, model: Model | undefined): Ui {
  const rows = model === undefined ? [] : arrange(model.rows, ui);
  const marked = selectedRow(ui, rows);
  const at = rows.findIndex(({ key }) => key === marked?.key);
  const to = Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + distance));
  return { ...ui, selected: rows[to]?.key ?? null };
}

/** The marked row; the first backend when what was marked has gone. */
export function selectedRow(ui: Ui, rows: readonly Row[]): Row | undefined {
  return (
    rows.find(({ key }) => key === ui.selected) ?? rows.find(({ kind }) => kind === 'backend') ?? rows[0]
  );
}

const rowOf = (ui: Ui, model: Model | undefined): Row | undefined =>
  model === undefined ? undefined : selectedRow(ui, arrange(model.rows, ui));

/** Of a service's row: all of its backends, whatever the filter shows. */
function backendsOf(row: Row, model: Model): string[] {
  if (row.kind === 'backend') return [row.backend];
  return model.rows.flatMap((other) =>
    other.kind === 'backend' && other.service === row.service ? [other.backend] : [],
  );
}

const VERBS = { draining: 'drain', ready: 'set ready', maintenance: 'take into maintenance' } as const;

/** At once for one backend; after a question for a whole service, or when nobody else takes its clients. */
function changeState(ui: Ui, state: AdminState, model: Model | undefined): Step {
  const row = rowOf(ui, model);
  if (row === undefined || model === undefined) return { ui: told(ui, 'no backend is marked', 'warn') };
  const backends = backendsOf(row, model);
  const action: Action = { type: 'state', service: row.service, backends, state };
  const marked = { ...ui, selected: row.key };
  const question = stateQuestion(row, backends, state, model);
  if (question === null) return { ui: marked, action };
  return { ui: { ...marked, mode: { type: 'confirm', question, action } } };
}

function stateQuestion(
  row: Row,
  backends: readonly string[],
  state: AdminState,
  { rows }: Model,
): string | null {
  if (row.kind === 'service') {
    return `${VERBS[state]} ${backends.length === 1 ? 'the backend' : `all ${backends.length} backends`} of ${row.service}?`;
  }
  if (state === 'ready') return null;
  const others = rows.some(
    (other) =>
      other.kind === 'backend' && other.service === row.service && other.key !== row.key && other.eligible,
  );
  if (others) return state === 'maintenance' ? `${VERBS[state]} ${row.key}?` : null;
  return `nobody else takes clients of ${row.service}: ${VERBS[state]} ${row.key} all the same?`;
}

function askWeight(ui: Ui, model: Model | undefined): Ui {
  const row = rowOf(ui, model);
  if (row === undefined) return told(ui, 'no backend is marked', 'warn');
  return { ...ui, selected: row.key, mode: { type: 'weight', row: row.key, text: '' } };
}

function writeWeight(
  ui: Ui,
  key: string,
  mode: Extract<Mode, { type: 'weight' }>,
  model: Model | undefined,
): Step {
  if (key === 'ESCAPE') return { ui: browsing(ui) };
  if (key !== 'ENTER' && key !== 'KP_ENTER') {
    return { ui: { ...ui, mode: { ...mode, text: edited(mode.text, key, 10) } } };
  }
  const row = model?.rows.find((candidate) => candidate.key === mode.row);
  const text = mode.text.trim();
  const configured = text !== '' && 'configured'.startsWith(text);
  const weight = configured ? null : /^\d{1,3}$/.test(text) && Number(text) <= 256 ? Number(text) : undefined;
  if (weight === undefined) {
    return { ui: told(browsing(ui), 'a weight is 0 to 256, or "configured" for what the file says', 'warn') };
  }
  if (row === undefined || model === undefined) {
    return { ui: told(browsing(ui), `${mode.row} is no longer there`, 'warn') };
  }
  const action: Action = { type: 'weight', service: row.service, backends: backendsOf(row, model), weight };
  return { ui: browsing(ui), action };
}

function askHandover(ui: Ui, model: Model | undefined): Ui {
  const routers = model?.status.failover?.routers ?? [];
  const active = routers.filter(({ state }) => state === 'Active');
  if (model?.status.failover == null)
    return told(ui, 'there is no [failover] section: nothing to hand over', 'warn');
  if (active.length === 0) return told(ui, 'no virtual router is Active here: nothing to hand over', 'warn');
  const groups = [...new Set(active.map(({ group }) => group))].join(', ');
  const peer = active.find((router) => router.peer !== null)?.peer?.address;
  const to = peer === undefined ? 'the peer (none was heard)' : peer;
  const question = `hand over ${groups} to ${to}?`;
  return { ...ui, mode: { type: 'confirm', question, action: { type: 'handover' } } };
}

function writeFilter(ui: Ui, key: string, before: string): Ui {
  if (key === 'ESCAPE') return { ...browsing(ui), filter: before };
  if (key === 'ENTER' || key === 'KP_ENTER') return browsing(ui);
  return { ...ui, filter: edited(ui.filter, key, MAX_FILTER) };
}

/** A line of text after a key. */
function edited(text: string, key: string, longest: number): string {
  if (key === 'BACKSPACE' || key === 'CTRL_H') return [...text].slice(0, -1).join('');
  if (key === 'CTRL_U') return '';
  const printable = [...key].length === 1 && !/\p{C}/u.test(key);
  return printable && [...text].length < longest ? text + key : text;
}
