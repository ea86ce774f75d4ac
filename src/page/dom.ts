/**
 * Elements, and nothing that could turn text into markup: the names of backends and the words of their checks
 * come from outside, and reach the page through text nodes and attributes alone.
 */

type Child = Node | string;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Touches the page only when something differs: a selection or a screen reader's place stays. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A part of the page that shows items of one kind. */
export interface Part<T> {
  readonly root: Element;
  update(item: T): void;
}

/** The children of an element, one for each item; an item that stays keeps its element, and so its focus. */
export class Parts<T> {
  readonly #parent: Element;
  readonly #keyOf: (item: T) => string;
  readonly #create: (item: T) => Part<T>;
  #parts = new Map<string, Part<T>>();

  constructor(parent: Element, keyOf: (item: T) => string, create: (item: T) => Part<T>) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  update(items: readonly T[]): void {
    const next = new Map<string, Part<T>>();
    for (const item of items) {
      const key = this.#keyOf(item);
      const part = this.#parts.get(key) ?? this.#create(item);
      part.update(item);
      next.set(key, part);
    }
    for (const [key, part] of this.#parts) if (!next.has(key)) part.root.remove();
    let at: Element | null = this.#parent.firstElementChild;
    for (const { root } of next.values()) {
      if (root === at) at = at.nextElementSibling;
      else this.#parent.insertBefore(root, at);
    }
    this.#parts = next;
  }
}

/** An element of index.html. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}
