import { Journal as CommonJournal } from '../journal.ts';
import { KEYWORDS } from './keywords.ts';
import type { Statement } from './parser.ts';

/** Of statements of keepalived. */
export class Journal extends CommonJournal<Statement> {}

/** A block while it is read: every look at it is in the journal. */
export class Section {
  readonly statement: Statement;
  readonly context: string;
  readonly journal: Journal;
  readonly #byKeyword = new Map<string, Statement[]>();
  /** Where each stands in the block. */
  readonly #order = new Map<Statement, number>();

  constructor(statement: Statement, context: string, journal: Journal) {
    this.statement = statement;
    this.context = context;
    this.journal = journal;
    journal.read(statement);
    for (const [index, inner] of (statement.block ?? []).entries()) {
      this.#order.set(inner, index);
      const alike = this.#byKeyword.get(inner.keyword);
      if (alike === undefined) this.#byKeyword.set(inner.keyword, [inner]);
      else alike.push(inner);
    }
  }

  /** All statements with one of these names, name by name. */
  all(...keywords: readonly string[]): Statement[] {
    const found = keywords.flatMap((keyword) => this.#byKeyword.get(keyword) ?? []);
    for (const statement of found) this.journal.read(statement);
    return found;
  }

  /** The one that counts: keepalived lets the last one win. */
  last(...keywords: readonly string[]): Statement | undefined {
    const found = this.all(...keywords);
    const orderOf = (statement: Statement | undefined): number =>
      statement === undefined ? -1 : (this.#order.get(statement) ?? -1);
    const winner = found.reduce<Statement | undefined>(
      (a, b) => (orderOf(b) > orderOf(a) ? b : a),
      undefined,
    );
    for (const other of found) {
      if (other === winner) continue;
      this.journal.remark(other, 'needless', `line ${winner?.place.line} says otherwise`);
    }
    return winner;
  }

  /** The one that counts where keepalived keeps the first and ignores the others. */
  first(keyword: string): Statement | undefined {
    const [winner, ...others] = this.all(keyword);
    for (const other of others) {
      const text = `line ${winner?.place.line} says it already, and keepalived keeps the first`;
      this.journal.remark(other, 'needless', text);
    }
    return winner;
  }

  sections(...keywords: readonly string[]): Section[] {
    return this.all(...keywords).map((statement) => this.#section(statement));
  }

  section(...keywords: readonly string[]): Section | undefined {
    const statement = this.last(...keywords);
    return statement === undefined ? undefined : this.#section(statement);
  }

  #section(statement: Statement): Section {
    return new Section(statement, KEYWORDS.rowOf(this.context, statement.keyword)?.opens ?? '', this.journal);
  }

  /** Items of every block of that name. */
  items(keyword: string): Statement[] {
    return this.all(keyword).flatMap((statement) => statement.block ?? []);
  }

  /** The first word after the keyword; undefined without one. */
  text(...keywords: readonly string[]): string | undefined {
    const statement = this.last(...keywords);
    if (statement === undefined) return undefined;
    const [text] = statement.args;
    if (text === undefined || text === '') this.journal.remark(statement, 'missing', 'it has no value');
    return text === '' ? undefined : text;
  }

  /** A number within a range; anything else is told and left out, as keepalived does. */
  number(keyword: string | readonly string[], min: number, max: number): number | undefined {
    const statement = this.last(...(typeof keyword === 'string' ? [keyword] : keyword));
    return statement === undefined ? undefined : this.numberOf(statement, min, max);
  }

  numberOf(statement: Statement, min: number, max: number): number | undefined {
    const [text = ''] = statement.args;
    const value = /^-?(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.journal.remark(
      statement,
      'missing',
      `its value is not a number from ${min} to ${max}: the default holds`,
    );
    return undefined;
  }

  /** `keyword`, `keyword on|true|yes`; false for `off|false|no`; undefined when it is not there. */
  flag(...keywords: readonly string[]): boolean | undefined {
    const statement = this.last(...keywords);
    if (statement === undefined) return undefined;
    return !/^(?:off|false|no)$/i.test(statement.args[0] ?? '');
  }
}
