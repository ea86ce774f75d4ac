import type { Fate } from './keyword-table.ts';

/** What the converter found out about one statement, beyond what the table of keywords says. */
export interface Remark {
  /** Null leaves the table's. */
  readonly fate: Fate | null;
  readonly text: string;
  /** A word of the statement that is meant instead of its keyword, such as `label` of an address. */
  readonly option?: string;
}

/**
 * Which statements the converter read, and what it has to say about them. What the table takes for carried
 * over but nobody read ends in the report as lost, so that nothing is dropped in silence.
 */
export class Journal<Statement extends object> {
  readonly #read = new Set<Statement>();
  readonly #remarks = new Map<Statement, Map<string, Remark>>();

  read(statement: Statement): void {
    this.#read.add(statement);
  }

  wasRead(statement: Statement): boolean {
    return this.#read.has(statement);
  }

  /** `text` is shown to people: never a password, nor a command line, which may hold one. */
  remark(statement: Statement, fate: Fate | null, text: string, option?: string): void {
    this.read(statement);
    const known = this.#remarks.get(statement) ?? new Map<string, Remark>();
    this.#remarks.set(statement, known);
    // a setting may be looked at for two groups
    const key = `${option ?? ''} ${text}`;
    if (!known.has(key)) known.set(key, option === undefined ? { fate, text } : { fate, text, option });
  }

  remarks(statement: Statement): readonly Remark[] {
    return [...(this.#remarks.get(statement)?.values() ?? [])];
  }
}
