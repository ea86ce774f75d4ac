import { areaPath, type Frame, linePath, niceMax, sampleAt, xOf } from './chart.ts';
import { el, setAttribute, setText, svg } from './dom.ts';
import { formatClock } from './format.ts';
import type { Series } from './series.ts';

export interface Line {
  readonly label: string;
  /** Which of the two colours. */
  readonly hue: 'a' | 'b';
  readonly series: Series;
}

/** A small chart of the last five minutes with its numbers: now, the most, and what the pointer is at. */
export class Sparkline {
  readonly root: HTMLElement;
  readonly #svg: SVGSVGElement;
  readonly #cursor = svg('line', { class: 'cursor', y1: '0', visibility: 'hidden' });
  readonly #values: HTMLElement;
  readonly #foot: HTMLElement;
  readonly #title: string;
  readonly #format: (value: number) => string;
  #lines: readonly Line[] = [];
  #now = 0;
  #pointer: number | null = null;
  #width = 0;

  constructor(title: string, format: (value: number) => string) {
    this.#title = title;
    this.#format = format;
    this.#svg = svg('svg', { class: 'spark', role: 'img', preserveAspectRatio: 'none' });
    this.#values = el('div', { class: 'spark-values' });
    this.#foot = el('div', { class: 'spark-foot' });
    const head = el(
      'div',
      { class: 'spark-head' },
      el('span', { class: 'spark-title' }, title),
      this.#values,
    );
    this.root = el('div', { class: 'chart' }, head, this.#svg, this.#foot);
    this.#svg.addEventListener('pointermove', (event) => this.#point(event.offsetX));
    this.#svg.addEventListener('pointerleave', () => this.#point(null));
    new ResizeObserver(() => this.#draw()).observe(this.#svg);
  }

  /** @param now wall-clock milliseconds of the daemon */
  update(lines: readonly Line[], now: number): void {
    this.#lines = lines;
    this.#now = now;
    this.#draw();
  }

  #point(x: number | null): void {
    this.#pointer = x;
    this.#draw();
  }

  #draw(): void {
    const width = this.#svg.clientWidth;
    const height = this.#svg.clientHeight;
    // not on screen: a section that is closed costs nothing
    if (width === 0 || height === 0) return;
    const values = this.#lines.flatMap(({ series }) => series.samples.map(({ value }) => value));
    const peak = Math.max(0, ...values);
    const frame: Frame = { width, height, now: this.#now, max: niceMax(peak) };
    if (this.#width !== width) setAttribute(this.#svg, 'viewBox', `0 0 ${width} ${height}`);
    this.#width = width;
    this.#svg.replaceChildren(...this.#lines.flatMap((line) => paths(line, frame)), this.#cursor);
    this.#label(peak, frame);
  }

  #label(peak: number, frame: Frame): void {
    const pointed = this.#pointer;
    const found = this.#lines.map(({ series }) =>
      pointed === null ? series.samples.at(-1) : sampleAt(series.samples, pointed, frame),
    );
    const texts = this.#lines.map(({ label, hue }, index) => {
      const value = found[index]?.value;
      return { label, hue, text: value === undefined ? '–' : this.#format(value) };
    });
    while (this.#values.childElementCount < texts.length) this.#values.append(el('span'));
    texts.forEach(({ label, hue, text }, index) => {
      const span = this.#values.children[index];
      if (span === undefined) return;
      span.className = `hue-${hue}`;
      setText(span, label === '' ? text : `${label} ${text}`);
    });
    const at = found.find((sample) => sample !== undefined)?.at;
    const showCursor = pointed !== null && at !== undefined;
    setAttribute(this.#cursor, 'visibility', showCursor ? 'visible' : 'hidden');
    if (showCursor) {
      const x = String(xOf(at, frame));
      for (const [name, value] of Object.entries({ x1: x, x2: x, y2: String(frame.height) }))
        setAttribute(this.#cursor, name, value);
    }
    setText(this.#foot, showCursor ? formatClock(at) : `5 min · peak ${this.#format(peak)}`);
    const spoken = texts.map(({ label, text }) => `${label} ${text}`.trim()).join(', ');
    const summary = `${this.#title}, last five minutes: now ${spoken}, at most ${this.#format(peak)}`;
    if (pointed === null) setAttribute(this.#svg, 'aria-label', summary);
  }
}

function paths({ hue, series }: Line, frame: Frame): SVGPathElement[] {
  return [
    svg('path', { class: `area hue-${hue}`, d: areaPath(series.samples, frame) }),
    svg('path', { class: `line hue-${hue}`, d: linePath(series.samples, frame) }),
  ];
}
