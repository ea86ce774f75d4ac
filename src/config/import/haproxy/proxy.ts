import type { Journal } from '../journal.ts';
import type { Lists } from './lists.ts';
import type { Block, Item, Statement } from './statement.ts';

/** A frontend, backend, listen or defaults section with what it inherits. Every look at it is in the journal. */
export class ProxySection {
  readonly block: Block;
  readonly kind: string;
  readonly name: string;
  readonly inherited: ProxySection | undefined;
  readonly journal: Journal<Item>;
  /** Files that its conditions name. */
  readonly lists: Lists;
  /** By the whole keyword ("option redispatch") and by its first word. */
  readonly #byPhrase = new Map<string, Statement[]>();
  readonly #order = new Map<Statement, number>();
  readonly #acls: ReadonlyMap<string, Statement[]>;

  /** `inherited` is its defaults section. */
  constructor(block: Block, inherited: ProxySection | undefined, journal: Journal<Item>, lists: Lists) {
    this.block = block;
    this.kind = block.section.kind;
    this.name = block.section.name;
    this.inherited = inherited;
    this.journal = journal;
    this.lists = lists;
    for (const [index, statement] of block.statements.entries()) {
      this.#order.set(statement, index);
      for (const phrase of new Set([statement.keyword, statement.words[0] ?? ''])) {
        addTo(this.#byPhrase, phrase, statement);
      }
    }
    const acls = new Map<string, Statement[]>();
    for (const acl of this.#byPhrase.get('acl') ?? []) addTo(acls, acl.words[1] ?? '', acl);
    this.#acls = acls;
  }

  get head(): Item {
    return this.block.head;
  }

  get isFrontend(): boolean {
    return this.kind === 'frontend' || this.kind === 'listen';
  }

  /** All of its own with one of these keywords, in their order. */
  own(...phrases: readonly string[]): Statement[] {
    const found = phrases.flatMap((phrase) => this.#byPhrase.get(phrase) ?? []);
    for (const statement of found) this.journal.read(statement);
    if (phrases.length === 1) return found;
    return [...new Set(found)].sort((a, b) => (this.#order.get(a) ?? 0) - (this.#order.get(b) ?? 0));
  }

  /** The lines that define an acl, without a word in the journal: whether they count is not known yet. */
  acls(name: string): readonly Statement[] {
    const own = this.#acls.get(name) ?? [];
    return this.inherited === undefined ? own : [...this.inherited.acls(name), ...own];
  }

  /** Has it a line of its own with this keyword? */
  mentions(phrase: string): boolean {
    return this.#byPhrase.has(phrase);
  }

  /** Its own, and before them those of its defaults section: rules add up. */
  all(...phrases: readonly string[]): Statement[] {
    return [...(this.inherited?.all(...phrases) ?? []), ...this.own(...phrases)];
  }

  /** The one that counts: the last of its own, else that of its defaults section. */
  last(...phrases: readonly string[]): Statement | undefined {
    const found = this.own(...phrases);
    const winner = found.at(-1);
    for (const other of found.slice(0, -1)) {
      this.journal.remark(other, 'needless', `line ${winner?.line} says otherwise`);
    }
    return winner ?? this.inherited?.last(...phrases);
  }

  /** The second word, or that at `index`: "10s" of "timeout client 10s" is at 2. */
  text(index: number, ...phrases: readonly string[]): string | undefined {
    return this.last(...phrases)?.words[index];
  }

  /** "option redispatch": true, with "no" before it false; undefined where it is not there. */
  flag(option: string): boolean | undefined {
    const statement = this.last(`option ${option}`);
    return statement === undefined ? undefined : !statement.negated;
  }

  /** A whole number within a range; anything else is told, and not taken. */
  number(index: number, phrase: string, min: number, max: number): number | undefined {
    const statement = this.last(phrase);
    return statement === undefined ? undefined : this.numberIn(statement, statement.words[index], min, max);
  }

  numberIn(item: Item, text: string | undefined, min: number, max: number): number | undefined {
    const value = /^-?\d{1,15}$/.test(text ?? '') ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.journal.remark(item, 'missing', `left out: not a number from ${min} to ${max}`);
    return undefined;
  }
}

function addTo(lists: Map<string, Statement[]>, key: string, statement: Statement): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [statement]);
  else list.push(statement);
}
