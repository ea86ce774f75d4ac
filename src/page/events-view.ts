import type { TandemEvent } from '../model/event.ts';
import { Chip } from './chip.ts';
import { el, type Part, Parts } from './dom.ts';
import { formatMoment, formatWhen } from './format.ts';
import type { Mark } from './mark.ts';

const KEPT = 500;
const SHOWN = 60;

const MARKS: Readonly<Record<TandemEvent['level'], Mark>> = {
  info: { word: 'info', icon: 'circle', tone: 'idle' },
  warn: { word: 'warning', icon: 'alert', tone: 'warn' },
  error: { word: 'error', icon: 'cross', tone: 'bad' },
};

/** What happened, newest first. */
export class EventsView {
  readonly #parts: Parts<TandemEvent>;
  readonly #none = el('p', { class: 'quiet' }, 'Nothing to show.');
  readonly #warnings: HTMLInputElement;
  readonly #search: HTMLInputElement;
  #events: TandemEvent[] = [];
  #stale = true;

  constructor(root: HTMLElement) {
    this.#warnings = el('input', { type: 'checkbox', id: 'events-warnings' });
    this.#search = el('input', {
      type: 'search',
      id: 'events-search',
      placeholder: 'Filter',
      'aria-label': 'Filter events',
    });
    const only = el('label', { class: 'check', for: 'events-warnings' }, this.#warnings, 'Warnings alone');
    // it scrolls: whoever has no mouse must be able to
    const attributes = { class: 'events', tabindex: '0', 'aria-label': 'Events, newest first' };
    const list = el('ol', attributes);
    root.append(el('div', { class: 'filters' }, this.#search, only), this.#none, list);
    this.#parts = new Parts(list, ({ seq }) => String(seq), eventPart);
    for (const input of [this.#warnings, this.#search]) {
      input.addEventListener('input', () => {
        this.#stale = true;
        this.update();
      });
    }
  }

  /** Another daemon counts its events anew. */
  clear(): void {
    this.#events = [];
    this.#stale = true;
  }

  add(event: TandemEvent): void {
    // a new connection may send again what is known
    if (event.seq <= (this.#events[0]?.seq ?? 0)) return;
    this.#events = [event, ...this.#events].slice(0, KEPT);
    this.#stale = true;
  }

  update(): void {
    if (!this.#stale) return;
    this.#stale = false;
    const wanted = this.#search.value.trim().toLowerCase();
    const shown = this.#events
      .filter(({ level }) => !this.#warnings.checked || level !== 'info')
      .filter(({ name, message }) => `${name} ${message}`.toLowerCase().includes(wanted))
      .slice(0, SHOWN);
    this.#none.hidden = shown.length > 0;
    this.#parts.update(shown);
  }
}

function eventPart({ level, name, message, time }: TandemEvent): Part<TandemEvent> {
  const when = el('time', { title: formatMoment(time) }, formatWhen(time, Date.now()));
  const text = el('div', {}, el('span', { class: 'mono event-name' }, name), el('span', {}, message));
  return { root: el('li', {}, when, new Chip(MARKS[level]).root, text), update: () => undefined };
}
