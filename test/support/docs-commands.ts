/** The command lines that the documents tell people to type. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface DocsCommand {
  /** "README.md: tandem status" */
  readonly title: string;
  /** Shell words, without quotes; `sudo` is left out. */
  readonly words: readonly string[];
}

/** Fenced blocks of shell (and what follows a "$ " in others), and code spans that begin with "tandem ". */
export function docsCommands(): DocsCommand[] {
  const found = new Map<string, DocsCommand>();
  for (const document of documents()) {
    const text = readFileSync(join(ROOT, document), 'utf8');
    for (const line of [...shellLines(text), ...codeSpans(text)]) {
      for (const words of commandsOf(line)) {
        const title = `${document}: ${words.join(' ')}`;
        found.set(title, { title, words });
      }
    }
  }
  return [...found.values()];
}

/** Whole blocks, for a shell to read. */
export function docsBlocks(): { readonly title: string; readonly text: string }[] {
  return documents().flatMap((document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    return [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, block = ''], i) => ({
      title: `${document}, block ${i + 1}`,
      text: block,
    }));
  });
}

const documents = (): string[] => [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function* shellLines(text: string): Generator<string> {
  for (const [, language = '', block = ''] of text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```/gm)) {
    const lines = block.replaceAll('\\\n', ' ').split('\n');
    if (language === 'sh') yield* lines;
    else if (language === '')
      yield* lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  }
}

/** "tandem ..." is how a sentence shortens it, and says nothing. */
function* codeSpans(text: string): Generator<string> {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
  for (const [, code = ''] of prose.matchAll(/`(tandem [^`]+)`/g)) {
    if (!code.includes('...')) yield code;
  }
}

/** The simple commands of a line. */
function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [token] of line.matchAll(/"[^"]*"|'[^']*'|#.*$|\|\||&&|[;|]|>|[^\s;|&>"'#]+/g)) {
    if (token.startsWith('#')) break;
    if (['||', '&&', ';', '|'].includes(token)) commands.push([]);
    else commands.at(-1)?.push(/^["']/.test(token) ? token.slice(1, -1) : token);
  }
  return commands.map(simple).filter((words) => words.length > 0);
}

/** Without sudo, and without what is done with the output. */
function simple(words: readonly string[]): string[] {
  const redirect = words.indexOf('>');
  const own = redirect < 0 ? [...words] : words.slice(0, redirect);
  return own[0] === 'sudo' ? own.slice(1) : own;
}
