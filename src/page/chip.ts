import { el, setText, svg } from './dom.ts';
import { ICONS, type Icon, type Mark } from './mark.ts';

export function icon(name: Icon): SVGSVGElement {
  const path = svg('path', { d: ICONS[name] });
  return svg('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, path);
}

/** A state as icon and word. */
export class Chip {
  readonly root = el('span', { class: 'chip' });
  readonly #word = el('span');
  #icon = '';

  constructor(mark?: Mark) {
    this.root.append(this.#word);
    if (mark !== undefined) this.update(mark);
  }

  update(mark: Mark): void {
    if (this.#icon !== mark.icon) {
      this.root.querySelector('svg')?.remove();
      this.root.prepend(icon(mark.icon));
      this.#icon = mark.icon;
    }
    this.root.className = `chip tone-${mark.tone}`;
    this.root.title = mark.title ?? '';
    setText(this.#word, mark.word);
  }
}
