import { ConfigError } from '../../errors.ts';
import { Branches } from './branches.ts';
import { tokenize, type Variables, type Word } from './lexer.ts';

/** A line with at least one word; line and column begin at 1. */
export interface Directive {
  readonly keyword: string;
  readonly args: readonly Word[];
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Section {
  /** "frontend", "backend" ...; any word of SECTIONS. */
  readonly kind: string;
  /** The first word behind it; empty for `global` and unnamed `defaults`. */
  readonly name: string;
  readonly head: Directive;
  readonly directives: readonly Directive[];
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The sections of HAProxy 2.x (its manual, 2.1 and the chapters about each). */
export const SECTIONS: ReadonlySet<string> = new Set([
  'global',
  'defaults',
  'frontend',
  'backend',
  'listen',
  'peers',
  'resolvers',
  'userlist',
  'mailers',
  'program',
  'cache',
  'http-errors',
  'ring',
  'log-forward',
  'fcgi-app',
  'crt-store',
  'traces',
]);

export interface Configuration {
  readonly sections: readonly Section[];
  /** Lines that do not count: in a branch of `.if` that is not taken, and those about branches themselves. */
  readonly decisions: readonly Directive[];
}

/**
 * The sections of all files in their order, as if they were one: HAProxy goes on in the section of the file
 * before. `setenv` and `presetenv` of `global` count from the next line on.
 * @throws ConfigError with every line that cannot be divided into words, or stands before the first section, and
 * for conditions (`.if`) that cannot be decided.
 */
export function readSections(files: readonly SourceFile[], environment: Variables): Configuration {
  const reader = new Reader(environment);
  for (const file of files) reader.file(file);
  return reader.finish();
}

interface OpenSection extends Section {
  readonly directives: Directive[];
}

class Reader {
  readonly #environment: Variables;
  readonly #set = new Map<string, string | undefined>();
  readonly #sections: OpenSection[] = [];
  readonly #decisions: Directive[] = [];
  readonly #branches = new Branches((name) => this.#valueOf(name));
  readonly #problems: ConfigError['problems'][number][] = [];

  constructor(environment: Variables) {
    this.#environment = environment;
  }

  file({ path, text }: SourceFile): void {
    const lines = text.split('\n');
    for (const [index, source] of lines.entries()) this.#line(path, index + 1, source);
    if (!this.#branches.isOpen) return;
    const hint = 'end each .if with .endif in the same file';
    this.#refuse({ file: path, line: lines.length, column: 1 }, '', {
      message: 'an .if is still open',
      hint,
    });
  }

  finish(): Configuration {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return { sections: this.#sections, decisions: this.#decisions };
  }

  #line(file: string, line: number, source: string): void {
    const tokens = tokenize(source, (name) => this.#valueOf(name));
    if (!tokens.ok) {
      this.#refuse({ file, line, column: tokens.index + 1 }, source, tokens);
      return;
    }
    const [keyword, ...args] = tokens.words;
    if (keyword === undefined) return;
    const directive = { keyword: keyword.text, args, file, line, column: keyword.index + 1 };
    if (directive.keyword.startsWith('.')) this.#branch(directive, source);
    else if (this.#branches.active) this.#directive(directive, source);
    else this.#decisions.push(directive);
  }

  /** `.if` and its like, and messages (`.notice`), which are nobody's business here. */
  #branch(directive: Directive, source: string): void {
    this.#decisions.push(directive);
    if (/^\.(?:diag|notice|warning|alert)$/.test(directive.keyword)) return;
    const known = /^\.(?:if|elif|else|endif)$/.test(directive.keyword);
    const expression = directive.args.map(({ text }) => text).join(' ');
    const message = known ? this.#branches.read(directive.keyword, expression) : 'not a keyword of HAProxy';
    const hint =
      'write the file as it is after the decision: defined(), streq(), strneq() and strstr() are understood';
    if (message !== undefined) this.#refuse(directive, source, { message, hint });
  }

  #directive(directive: Directive, source: string): void {
    const { args } = directive;
    if (SECTIONS.has(directive.keyword)) {
      const name = args[0]?.text ?? '';
      this.#sections.push({ kind: directive.keyword, name, head: directive, directives: [] });
      return;
    }
    const section = this.#sections.at(-1);
    if (section === undefined) {
      const message = `${JSON.stringify(directive.keyword)} stands before the first section`;
      this.#refuse(directive, source, {
        message,
        hint: 'begin with "global", "defaults" or another section',
      });
      return;
    }
    section.directives.push(directive);
    if (section.kind === 'global') this.#remember(directive);
  }

  #valueOf(name: string): string | undefined {
    return this.#set.has(name) ? this.#set.get(name) : this.#environment(name);
  }

  /** HAProxy's manual, 3.1: presetenv leaves a variable that is set already. */
  #remember({ keyword, args }: Directive): void {
    const [name, value] = args.map(({ text }) => text);
    if (keyword === 'unsetenv') for (const { text } of args) this.#set.set(text, undefined);
    if (name === undefined || value === undefined) return;
    if (keyword === 'setenv' || (keyword === 'presetenv' && this.#valueOf(name) === undefined)) {
      this.#set.set(name, value);
    }
  }

  #refuse(
    { file, line, column }: Pick<Directive, 'file' | 'line' | 'column'>,
    source: string,
    { message, hint }: { readonly message: string; readonly hint: string },
  ): void {
    const shown = /password/i.test(source) ? null : source;
    this.#problems.push({ severity: 'error', file, line, column, key: '', message, hint, source: shown });
  }
}
