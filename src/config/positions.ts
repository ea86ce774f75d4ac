/** Where a key is: table names and list indexes from the top of the file. */
export type KeyPath = readonly (string | number)[];

/** A node of the `toml` package's syntax tree; `offset` counts UTF-16 units from the start of the text. */
export interface TomlNode {
  readonly type: string;
  readonly value: unknown;
  readonly offset: number;
  /** Assign and InlineTableValue: the parts of the (possibly dotted) key. */
  readonly key?: readonly string[];
}

interface Mark {
  readonly key: number;
  readonly value: number;
}

/** A place in the text; both numbers begin at 1, columns count UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A key as people write it, and where it stands. */
export interface Mention {
  readonly key: string;
  readonly position: Position;
}

/** Finds the text position of every key and value by its path. */
export class Positions {
  readonly #marks = new Map<string, Mark>();
  /** By the offset of a key or header: the longest path that was mentioned before. */
  readonly #again = new Map<number, string>();
  readonly #text: string;
  /** Offsets at which lines begin; a file of many thousand lines is asked for many places. */
  #lines: readonly number[] | null = null;

  constructor(text: string, nodes: readonly TomlNode[]) {
    this.#text = text;
    this.#index(nodes);
  }

  /**
   * The position of a key or of its value. What is not written in the file (a default, a missing key) is at
   * the nearest table around it that is, at last at the top of the file.
   */
  locate(path: KeyPath, at: 'key' | 'value'): Position {
    for (let length = path.length; length > 0; length--) {
      const mark = this.#marks.get(serialise(path.slice(0, length)));
      if (mark === undefined) continue;
      return this.#positionOf(length === path.length && at === 'value' ? mark.value : mark.key);
    }
    return { line: 1, column: 1 };
  }

  /** The key or table that is mentioned again at an offset of the text, and where it was mentioned first. */
  first(offset: number): Mention | undefined {
    const id = this.#again.get(offset);
    const mark = id === undefined ? undefined : this.#marks.get(id);
    if (id === undefined || mark === undefined) return undefined;
    return { key: formatPath(JSON.parse(id) as KeyPath), position: this.#positionOf(mark.key) };
  }

  #positionOf(offset: number): Position {
    this.#lines ??= lineStarts(this.#text);
    let [first, last] = [0, this.#lines.length - 1];
    while (first < last) {
      const middle = Math.ceil((first + last) / 2);
      if ((this.#lines[middle] ?? 0) <= offset) first = middle;
      else last = middle - 1;
    }
    return { line: first + 1, column: offset - (this.#lines[first] ?? 0) + 1 };
  }

  #index(nodes: readonly TomlNode[]): void {
    // an array of tables is addressed by its last element, as TOML's headers do
    const lastIndex = new Map<string, number>();
    const enter = (names: readonly string[], offset: number): (string | number)[] => {
      const path: (string | number)[] = [];
      for (const name of names) {
        path.push(name);
        this.#mark(path, offset, offset);
        const index = lastIndex.get(serialise(path));
        if (index !== undefined) path.push(index);
      }
      return path;
    };
    let table: readonly (string | number)[] = [];
    for (const node of nodes) {
      if (node.type === 'ObjectPath') {
        table = enter(names(node.value), node.offset);
      } else if (node.type === 'ArrayPath') {
        const path = names(node.value);
        const parent = enter(path.slice(0, -1), node.offset);
        const array = [...parent, ...path.slice(-1)];
        const index = (lastIndex.get(serialise(array)) ?? -1) + 1;
        lastIndex.set(serialise(array), index);
        this.#mark(array, node.offset, node.offset);
        table = [...array, index];
        // there already when the array is written in one line, too: then it is the array that is there twice
        if (!this.#marks.has(serialise(table))) this.#mark(table, node.offset, node.offset);
      } else {
        this.#assign(table, node);
      }
    }
  }

  #assign(table: KeyPath, node: TomlNode): void {
    if (node.key === undefined || !isNode(node.value)) return;
    const path = [...table];
    for (const part of node.key.slice(0, -1)) {
      path.push(part);
      this.#mark(path, node.offset, node.offset);
    }
    this.#value([...path, ...node.key.slice(-1)], node.offset, node.value);
  }

  #value(path: KeyPath, key: number, node: TomlNode): void {
    this.#mark(path, key, node.offset);
    if (!Array.isArray(node.value)) return;
    const items: unknown[] = node.value;
    for (const [index, item] of items.entries()) {
      if (!isNode(item)) continue;
      if (node.type === 'InlineTable') this.#assign(path, item);
      else this.#value([...path, index], item.offset, item);
    }
  }

  /** The first mention of a table is where it is; later headers only add to it. */
  #mark(path: KeyPath, key: number, value: number): void {
    const id = serialise(path);
    if (this.#marks.has(id)) this.#again.set(key, id);
    else this.#marks.set(id, { key, value });
  }
}

const serialise = (path: KeyPath): string => JSON.stringify(path);

function isNode(value: unknown): value is TomlNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'offset' in value;
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** The offset of a position in `text`, as the inverse of {@link positionAt}. */
export function offsetOf(text: string, { line, column }: Position): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Line and column of an offset into `text`. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let i = before.indexOf('\n'); i >= 0; i = before.indexOf('\n', i + 1)) line++;
  return { line, column: offset - start + 1 };
}

/** A path as people write it: `service[0].source_limit.rate`, quoted where a key is not a bare one. */
export function formatPath(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else {
      const spelled = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part);
      text += text === '' ? spelled : `.${spelled}`;
    }
  }
  return text;
}
