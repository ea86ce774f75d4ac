// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how HAProxy writes variables
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../../src/config/errors.ts';
import { MAX_WORDS, tokenize } from '../../../../src/config/import/haproxy/lexer.ts';
import { readSections, type Section } from '../../../../src/config/import/haproxy/sections.ts';

const environment = (name: string): string | undefined =>
  ({ HOST: '10.0.0.1', LIST: 'a  b c', EMPTY: '' })[name];

function words(line: string): string[] {
  const tokens = tokenize(line, environment);
  if (!tokens.ok) throw new Error(`${tokens.index}: ${tokens.message}`);
  return tokens.words.map(({ text }) => text);
}

describe('words of a line', () => {
  test.each<[line: string, expected: readonly string[]]>([
    ['', []],
    ['  \t ', []],
    ['# all of it', []],
    ['\tbind  :80\r', ['bind', ':80']],
    ['bind :80#comment', ['bind', ':80']],
    ['bind :80\r :81', ['bind', ':80']],
    ['log "a # b" \\# c', ['log', 'a # b', '#', 'c']],
    ['a \'b \\n "$HOST"\'', ['a', 'b \\n "$HOST"']],
    ['a "b \'c\' \\"d\\""', ['a', 'b \'c\' "d"']],
    ['a b\\ c', ['a', 'b c']],
    ['a \\t\\n\\r\\x41\\\\', ['a', '\t\n\rA\\']],
    ['a \\1\\.', ['a', '\\1\\.']],
    ['a \\$HOST', ['a', '\\$HOST']],
    ['a "" b', ['a', '', 'b']],
    ['a x"y z"w', ['a', 'xy zw']],
    ['a $HOST ${HOST}', ['a', '$HOST', '${HOST}']],
    ['a "$HOST:80" "${HOST}1"', ['a', '10.0.0.1:80', '10.0.0.11']],
    ['a "${NONE-x y}" "${NONE}" "\\$HOST"', ['a', 'x y', '', '$HOST']],
    ['a "${LIST[*]}" d', ['a', 'a', 'b', 'c', 'd']],
  ])('%j', (line, expected) => {
    expect(words(line)).toEqual(expected);
  });

  test.each<[line: string, index: number, message: RegExp]>([
    ['a "b', 2, /never closed/],
    ['a "b\r"', 2, /never closed/],
    ["a b'", 3, /never closed/],
    ['a \\x4', 2, /hexadecimal/],
    ['a "${HOST"', 3, /not a variable/],
    ['a "$1"', 3, /not a variable/],
    [`${'a '.repeat(MAX_WORDS)}b`, 2 * MAX_WORDS, /more than 64/],
  ])('%j is refused', (line, index, message) => {
    expect(tokenize(line, environment)).toMatchObject({
      ok: false,
      index,
      message: expect.stringMatching(message),
    });
  });

  test('each word knows where it begins', () => {
    const tokens = tokenize('  bind  "x"', environment);
    expect(tokens.ok && tokens.words.map(({ index }) => index)).toEqual([2, 8]);
  });
});

const read = (...texts: readonly string[]): readonly Section[] =>
  readSections(
    texts.map((text, index) => ({ path: `${index}.cfg`, text })),
    environment,
  ).sections;

function problems(...texts: readonly string[]): ConfigError['problems'] {
  try {
    read(...texts);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('sections', () => {
  test('have a kind, a name and their lines, with places', () => {
    const [, second] = read('global\n nbthread 2\n\nfrontend web # x\n  bind :80\n  mode tcp\n');
    expect(second).toMatchObject({ kind: 'frontend', name: 'web', head: { line: 4, column: 1 } });
    expect(second?.directives).toMatchObject([
      { keyword: 'bind', args: [{ text: ':80' }], file: '0.cfg', line: 5, column: 3 },
      { keyword: 'mode', line: 6 },
    ]);
  });

  test('a section goes on in the next file', () => {
    const sections = read('backend b\n', ' server s 10.0.0.1:80\n');
    expect(sections[0]?.directives).toMatchObject([{ keyword: 'server', file: '1.cfg', line: 1 }]);
  });

  test('setenv, presetenv and unsetenv count from the next line on', () => {
    const text =
      'global\n setenv A 1\n presetenv A 2\n presetenv B 3\n unsetenv HOST\nbackend b\n x "$A" "$B" "$HOST"\n';
    expect(read(text)[1]?.directives[0]?.args.map(({ text }) => text)).toEqual(['1', '3', '']);
  });

  test('every line that is wrong is told at once', () => {
    expect(problems('bind :80\nglobal\n a "b\n c \\xq\n')).toMatchObject([
      { line: 1, column: 1, message: expect.stringContaining('before the first section') },
      { line: 3, column: 4 },
      { line: 4, column: 4 },
    ]);
  });

  test('a line with a password is not shown', () => {
    expect(problems('userlist u\n user a insecure-password "x\n')).toMatchObject([{ line: 2, source: null }]);
  });

  const keywords = (text: string): (string | undefined)[] =>
    read(`global\n${text}`)[0]?.directives.map(({ keyword }) => keyword) ?? [];

  test.each<[text: string, expected: readonly string[]]>([
    ['.if defined(HOST)\na\n.else\nb\n.endif\nc', ['a', 'c']],
    ['.if !defined(HOST)\na\n.elif streq("$HOST",10.0.0.1)\nb\n.else\nc\n.endif', ['b']],
    ['.if 0\n.if nonsense()\na\n.endif\n.else\nb\n.endif', ['b']],
    ['.if 1 && (0 || strneq(a,b)) && strstr(abc,b)\na\n.endif', ['a']],
    ['.if 1 || 0 && 0\na\n.endif', ['a']],
    ['.if\na\n.endif\n.notice "hello"', []],
    ['.if 1\n.if 0\na\n.else\nb\n.endif\nc\n.else\nd\n.endif', ['b', 'c']],
    ['setenv X 1\n.if defined(X)\na\n.endif', ['setenv', 'a']],
  ])('branches: %j', (text, expected) => {
    expect(keywords(text)).toEqual(expected);
  });

  test.each<[text: string, line: number, message: RegExp]>([
    ['global\n.if version_atleast(2.4)\n.endif', 2, /cannot be decided/],
    ['global\n.if defined(A) &&\n.endif', 2, /cannot be decided/],
    [`global\n.if ${'('.repeat(500)}1${')'.repeat(500)}\n.endif`, 2, /cannot be decided/],
    ['global\n.endif', 2, /no .if before/],
    ['global\n.if 1\n.else\n.else\n.endif', 4, /behind .else/],
    ['global\n.if 1\na', 3, /still open/],
    ['global\n.nonsense', 2, /not a keyword/],
  ])('branches that are wrong: %j', (text, line, message) => {
    expect(problems(text)[0]).toMatchObject({ line, message: expect.stringMatching(message) });
  });
});
