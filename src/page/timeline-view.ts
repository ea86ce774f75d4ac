import type { FailoverHistory } from '../admin/contract.ts';
import { Chip } from './chip.ts';
import { el, type Part, Parts, setText } from './dom.ts';
import { formatAge, formatMoment, formatWhen } from './format.ts';
import type { Mark } from './mark.ts';
import { type Entry, entriesOf, type Lane, lanesOf, type Span } from './timeline-model.ts';

const SHOWN = 30;

const MARKS: Readonly<Record<Entry['state'], Mark>> = {
  Active: { word: 'Active', icon: 'check', tone: 'ok' },
  Backup: { word: 'Backup', icon: 'pause', tone: 'info' },
  Initialize: { word: 'Initialize', icon: 'alert', tone: 'warn' },
  drill: { word: 'drill', icon: 'shield', tone: 'info' },
};

/** Who was Active when, and why it changed. */
export class TimelineView {
  readonly #lanes: Parts<Lane>;
  readonly #entries: Parts<Entry>;
  readonly #from = el('span');
  readonly #none = el('p', { class: 'quiet' }, 'No transition since the daemon has started.');
  readonly #strip: HTMLElement;
  #history: FailoverHistory = { transitions: [], drills: [] };
  #now = 0;

  constructor(root: HTMLElement) {
    const lanes = el('div', { class: 'lanes' });
    const scale = el(
      'div',
      { class: 'scale quiet', 'aria-hidden': 'true' },
      this.#from,
      el('span', {}, 'now'),
    );
    this.#strip = el(
      'div',
      { class: 'strip', role: 'group', 'aria-label': 'States over time' },
      lanes,
      scale,
    );
    const list = el('ol', { class: 'entries' });
    root.append(this.#none, this.#strip, list);
    this.#lanes = new Parts(lanes, ({ name }) => name, lanePart);
    this.#entries = new Parts(
      list,
      ({ key }) => key,
      (entry) => entryPart(entry, () => this.#now),
    );
  }

  set history(history: FailoverHistory) {
    this.#history = history;
  }

  update(now: number): void {
    this.#now = now;
    const { from, lanes } = lanesOf(this.#history, now);
    const entries = entriesOf(this.#history, SHOWN);
    this.#none.hidden = entries.length > 0;
    this.#strip.hidden = lanes.length === 0;
    setText(this.#from, formatWhen(from, now));
    this.#lanes.update(lanes);
    this.#entries.update(entries);
  }
}

function lanePart({ name }: Lane): Part<Lane> {
  const track = el('div', { class: 'lane-track', role: 'img' });
  const spans = new Parts<Span>(track, ({ state, from }) => `${state} ${from.toFixed(6)}`, spanPart);
  return {
    root: el('div', { class: 'lane' }, el('span', { class: 'lane-name' }, name), track),
    update(lane) {
      spans.update(lane.spans);
      const last = lane.spans.at(-1)?.state ?? 'unknown';
      track.setAttribute('aria-label', `${name}: ${lane.spans.length} states, ${last} now`);
    },
  };
}

function spanPart({ state }: Span): Part<Span> {
  const root = el('div', { class: `span span-${state.toLowerCase()}`, title: state }, el('span', {}, state));
  return {
    root,
    update({ from, to }) {
      root.style.left = `${(from * 100).toFixed(3)}%`;
      root.style.width = `${((to - from) * 100).toFixed(3)}%`;
    },
  };
}

function entryPart(entry: Entry, now: () => number): Part<Entry> {
  const mark = MARKS[entry.state];
  const chip = new Chip(entry.good ? mark : { ...mark, icon: 'cross', tone: 'bad' });
  const title = el('strong');
  const detail = el('p', { class: 'quiet' });
  const when = el('time', { title: formatMoment(entry.time) });
  return {
    root: el('li', {}, when, chip.root, el('div', {}, title, detail)),
    update(current) {
      setText(title, current.title);
      setText(detail, current.detail);
      setText(when, `${formatWhen(current.time, now())}, ${formatAge(now() - current.time)} ago`);
    },
  };
}
