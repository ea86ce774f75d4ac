import { z } from 'zod';

/**
 * What the schema says of itself: docs/configuration.md, tandem.toml(5) and config/tandem.schema.json are written from it
 * (scripts/generate-docs.mjs). What a key means is its description, in Markdown of one line.
 */

/** How a value is written. */
export interface Kind {
  /** In words, Markdown of one line: the column "values". */
  readonly values: string;
  /** In words, for a list of them. */
  readonly plural: string;
  /** Both ends of a range as the file writes them; `values` is then made of these. */
  readonly range?: readonly [string, string];
  /**
   * As a JSON Schema, never narrower than what the reader takes. A pattern has no "[" inside of brackets: Taplo's regular
   * expressions, which are Rust's, would begin a list in the list there, and refuse the whole schema.
   */
  readonly json: Readonly<Record<string, unknown>>;
  /** From what was read back to how the file writes it. */
  readonly write?: (value: unknown) => unknown;
}

/** The kind of each single value. */
export const kinds = z.registry<Kind>();

/** Text of a form of its own. @param json what a JSON Schema can say of it */
export const textKind = (values: string, plural: string, json: Kind['json'] = {}): Kind => ({
  values,
  plural,
  json: { type: 'string', ...json },
});

/** What of a key its kind and its default in the schema do not tell. */
export interface Notes {
  /** What holds without the key, where that is filled in later (resolve.ts): as the schema would give it. */
  readonly fallback?: unknown;
  /** The same in words, Markdown: "none", "required", or what it hangs on. */
  readonly without?: string;
  /** The values in words, Markdown, where the kind's do not do. */
  readonly values?: string;
  /** An end of the range that is another key, Markdown. */
  readonly from?: string;
  readonly to?: string;
  /** The short form of a table, as a JSON Schema, and in words. */
  readonly short?: { readonly json: Kind['json']; readonly values: string };
}

/** To be put behind `.describe()`, which makes a copy: the notes are then those of one key alone. */
export const notes = z.registry<Notes>();
