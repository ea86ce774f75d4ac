/**
 * `carried`: the same in Tandem. `changed`: carried over, with a difference worth knowing. `needless`: not
 * carried over, and nothing is lost. `missing`: not carried over, and traffic goes otherwise without it.
 */
export type Fate = 'carried' | 'changed' | 'needless' | 'missing';

/** What becomes of some keywords. Converter, report, tests and documentation follow these rows. */
export interface KeywordRow {
  /** Where it stands, such as a block; '' is the top of the file. */
  readonly contexts: readonly string[];
  readonly keywords: readonly string[];
  readonly fate: Fate;
  /** What it does in the other program. */
  readonly did: string;
  /** Where it is in Tandem's file, or what to do instead; Markdown. */
  readonly becomes: string;
  /** What its block holds: a context of this table, or a list of items. Undefined when it has no block. */
  readonly opens: string | undefined;
}

/** Every keyword of a program, and what becomes of it. */
export class KeywordTable {
  readonly rows: readonly KeywordRow[];
  readonly #index = new Map<string, KeywordRow>();

  constructor(rows: readonly KeywordRow[]) {
    this.rows = rows;
    for (const row of rows) {
      for (const context of row.contexts) {
        for (const keyword of row.keywords) this.#index.set(`${context} ${keyword}`, row);
      }
    }
  }

  /** The row of a keyword in a context, or undefined for one that is not known there. */
  rowOf(context: string, keyword: string): KeywordRow | undefined {
    return this.#index.get(`${context} ${keyword}`);
  }

  /** Contexts in which a keyword is known: where one that stands in the wrong place belongs. */
  contextsOf(keyword: string): string[] {
    return this.rows.filter((row) => row.keywords.includes(keyword)).flatMap((row) => row.contexts);
  }

  /** The table in Markdown, for the documentation. */
  toMarkdown(): string {
    const cell = (text: string): string => text.replaceAll('|', '\\|');
    const lines = this.rows.map(({ contexts, keywords, fate, did, becomes }) => {
      const where = contexts.map((context) => (context === '' ? 'top' : context)).join(' ');
      const cells = [keywords.map((word) => `\`${word}\``).join(' '), where, did, fate, becomes];
      return `| ${cells.map(cell).join(' | ')} |`;
    });
    const head = '| keyword | in | what it does | import | in Tandem |\n| --- | --- | --- | --- | --- |\n';
    return `${head}${lines.join('\n')}\n`;
  }
}
