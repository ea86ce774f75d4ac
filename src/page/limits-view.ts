import type { LimitStatus } from '../admin/contract.ts';
import { el, type Part, Parts, setAttribute, setText } from './dom.ts';
import { formatCount } from './format.ts';

const SHOWN = 10;
/** What is worth a look, and what is at its end. */
const HIGH = 0.8;
const FULL = 0.98;

/** A quantity against its ceiling; a number alone when it has none. */
export class Bar {
  readonly root = el('div', { class: 'bar' });
  readonly #fill = el('div', { class: 'bar-fill' });
  readonly #track = el('div', { class: 'bar-track' }, this.#fill);
  readonly #text = el('span', { class: 'bar-text' });

  constructor() {
    this.root.append(this.#text, this.#track);
  }

  update(used: number, max: number | null, label: string): void {
    const text = max === null ? formatCount(used) : `${formatCount(used)} of ${formatCount(max)}`;
    setText(this.#text, text);
    this.#track.hidden = max === null;
    if (max === null) return;
    const ratio = max > 0 ? Math.min(1, used / max) : 1;
    // a little is not nothing
    this.#fill.style.width = `${(used > 0 ? Math.max(0.7, ratio * 100) : 0).toFixed(1)}%`;
    const tone = ratio >= FULL ? 'bad' : ratio >= HIGH ? 'warn' : 'ok';
    this.#fill.className = `bar-fill fill-${tone}`;
    setAttribute(this.#track, 'role', 'meter');
    setAttribute(this.#track, 'aria-label', label);
    setAttribute(this.#track, 'aria-valuemin', '0');
    setAttribute(this.#track, 'aria-valuemax', String(max));
    setAttribute(this.#track, 'aria-valuenow', String(Math.min(used, max)));
    setAttribute(this.#track, 'aria-valuetext', text);
  }
}

const ratioOf = ({ used, max }: LimitStatus): number => (max > 0 ? used / max : 0);
const titleOf = ({ name, subject }: LimitStatus): string =>
  subject === null ? name : `${name} · ${subject}`;

/** Every limit, the fullest first. */
export class LimitsView {
  readonly #parts: Parts<LimitStatus>;
  readonly #more = el('button', { type: 'button', class: 'button small more' });
  #all = false;
  #last: readonly LimitStatus[] = [];

  constructor(root: HTMLElement) {
    const list = el('ul', { class: 'limits' });
    root.append(list, this.#more);
    this.#parts = new Parts(list, titleOf, limitPart);
    this.#more.addEventListener('click', () => {
      this.#all = !this.#all;
      this.update(this.#last);
    });
  }

  update(limits: readonly LimitStatus[]): void {
    this.#last = limits;
    const ranked = [...limits].sort((a, b) => ratioOf(b) - ratioOf(a));
    this.#parts.update(this.#all ? ranked : ranked.slice(0, SHOWN));
    this.#more.hidden = limits.length <= SHOWN;
    setText(this.#more, this.#all ? 'Show fewer' : `Show all ${limits.length} limits`);
  }
}

function limitPart(limit: LimitStatus): Part<LimitStatus> {
  const title = titleOf(limit);
  const bar = new Bar();
  const percent = el('span', { class: 'percent' });
  return {
    root: el('li', {}, el('span', { class: 'limit-name' }, title), bar.root, percent),
    update(now) {
      bar.update(now.used, now.max, title);
      setText(percent, `${Math.round(ratioOf(now) * 100)}%`);
    },
  };
}
