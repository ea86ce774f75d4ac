// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how keepalived writes parameters
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../../src/config/errors.ts';
import { flatten } from '../../../../src/config/import/keepalived/files.ts';
import { parse, type Statement } from '../../../../src/config/import/keepalived/parser.ts';
import { expandBraces, nameMatcher, systemReader } from '../../../../src/config/import/system-reader.ts';
import { readerOf } from '../../../support/keepalived-import.ts';

const read = (text: string, others: Record<string, string> = {}): Statement[] =>
  parse(flatten('/k/keepalived.conf', readerOf({ 'keepalived.conf': text, ...others }), 'lb-a').lines);

/** Keywords and words, blocks as lists. */
type Shape = string | [string, Shape[]];
const shape = ({ keyword, args, block }: Statement): Shape => {
  const head = [keyword, ...args].join('|');
  return block === null ? head : [head, block.map(shape)];
};
const shapes = (text: string, others?: Record<string, string>): Shape[] => read(text, others).map(shape);

describe('blocks and words', () => {
  test.each<[string, Shape[]]>([
    ['a b c', ['a|b|c']],
    ['a { b 1\nc 2 }', [['a', ['b|1', 'c|2']]]],
    ['a{\nb\n}', [['a', ['b']]]],
    ['a\n{\nb\n}', [['a', ['b']]]],
    ['a { } b', [['a', []], 'b']],
    ['a "x y" z', ['a|x y|z']],
    ['a abc" d e "f', ['a|abc d e f']],
    ['a \'it "is"\'', ['a|it "is"']],
    ['a "\\x41\\101\\t\\"\\\\\\q"', ['a|AA\t"\\q']],
    ['a "{" b', ['a|{|b']],
    ['a x{2}y', ['a|x{2}y']],
    ['a ${UNKNOWN} $B', ['a|${UNKNOWN}|$B']],
    ['a 1 # b\n! c\nd "#!" e!f', ['a|1', 'd|#!|e']],
    ['a 1\r\nb 2\r\n', ['a|1', 'b|2']],
  ])('%j', (text, expected) => {
    expect(shapes(text)).toEqual(expected);
  });

  test('places are those of the file', () => {
    const [block] = read('# first\n  a {\n\tb 1\n }');
    expect(block?.place).toEqual({ file: '/k/keepalived.conf', line: 2, column: 3 });
    expect(block?.block?.[0]?.place).toMatchObject({ line: 3, column: 2 });
  });
});

describe('conditions, parameters, sequences', () => {
  test.each<[string, Shape[]]>([
    ['@lb-a x\n@lb-b y\n@^lb-a z\n@^lb-b w', ['x', 'w']],
    ['$A=1\na $A ${A}0 $A0', ['a|1|10|$A0']],
    ['$A=2.${B}\n$B=0\na ${A}.1\n$B=9\na ${A}.1', ['a|2.0.1', 'a|2.9.1']],
    ['$A=\na $A b', ['a|b']],
    ['@lb-a $P=240\n@lb-b $P=200\npriority $P', ['priority|240']],
    ['$IF=@lb-a\n$IF x\n$NO=@lb-b\n$NO y', ['x']],
    [
      '$I= \\\nv ${N} { \\\n w 1 # why \\\n @lb-b z \\\n}\n$N=1\n$I\n$N=2\n$I',
      [
        ['v|1', ['w|1']],
        ['v|2', ['w|1']],
      ],
    ],
    ['@lb-b $I= \\\nv { \\\n}\nx', ['x']],
    ['~SEQ(N, 0, 2) a ${N}', ['a|0', 'a|1', 'a|2']],
    ['~SEQ(N, 3) a $N', ['a|1', 'a|2', 'a|3']],
    ['~SEQ(N, 5, -2, 1) a $N', ['a|5', 'a|3', 'a|1']],
    ['~SEQx(N, 0x90, 0x10, 0xb0) a $N', ['a|90', 'a|a0', 'a|b0']],
    ['~SEQ(A,1,2) ~SEQ(B,1,2) x ${A}${B}', ['x|11', 'x|12', 'x|21', 'x|22']],
    ['~LST(A, x, y) a $A', ['a|x', 'a|y']],
    ['~LST({A, B}, {1,2}, {3,4}) a ${A}.${B}', ['a|1.2', 'a|3.4']],
    ['a ${_HASH} ${_BANG} ${_PWD} ${_INSTANCE} ${_RANDOM 5 9}', ['a|#|!|/k|lb-a|5']],
  ])('%j', (text, expected) => {
    expect(shapes(text)).toEqual(expected);
  });
});

test('large inputs take time in proportion', () => {
  const many = 100_000;
  expect(shapes(`a ${'x{'.repeat(many)}y`)).toHaveLength(1);
  expect(shapes(`a x${'{'.repeat(many)}y`)).toHaveLength(1);
  expect(shapes(`a ${'"x" '.repeat(many)}`)).toHaveLength(1);
  expect(shapes(`~SEQ(A, 1, 2) ~SEQ(B, 1, 70000) a`)).toHaveLength(140_000);
});

describe('include', () => {
  test('takes files in where it stands, with parameters', () => {
    const others = { 'b.conf': 'b $A\n$A=2', 'c.conf': 'c' };
    expect(shapes('$A=1\ninclude b.conf\na $A', others)).toEqual(['b|1', 'a|2']);
    expect(shapes('x {\ninclude c.conf\n}', others)).toEqual([['x', ['c']]]);
  });

  test('what is not there is told, and the rest goes on', () => {
    const reader = readerOf({ 'keepalived.conf': 'include none.conf\na' });
    const { lines, notes } = flatten('/k/keepalived.conf', reader, 'x');
    expect(lines).toHaveLength(1);
    expect(notes).toMatchObject([{ keyword: 'include', place: { line: 1, column: 1 } }]);
  });
});

describe('errors have file, line, column and a caret', () => {
  test.each([
    ['a {\n b\n', 1, 1, 'never closed'],
    ['a\n  }\n', 2, 3, 'closes nothing'],
    ['{\n}', 1, 1, 'without a keyword'],
    ['a\n b "x', 2, 4, 'quote'],
    [`${'a {\n'.repeat(40)}${'}\n'.repeat(40)}`, 33, 3, 'too deep'],
    ['x\n~SEQ(A) y', 2, 1, 'SEQ'],
    ['~SEQ(A, 1, 0, 5) y', 1, 1, 'repetitions'],
    ['~SEQ(A, 1, 1e15) y', 1, 1, 'repetitions'],
    ['~LST({A, B}, {1}) y', 1, 1, 'LST'],
    ['$A=$A x\n b $A', 2, 2, 'parameters'],
    ['$A=${B}${B}\n$B=${A}${A}\nb $A', 3, 1, 'parameters'],
    ['~SEQ(A,1,9999) ~SEQ(B,1,9999) ~SEQ(C,1,9999) b', 1, 1, 'parameters'],
    ['a\ninclude keepalived.conf', 2, 1, 'includes itself'],
    ['include b.conf', 1, 1, 'includes itself', { 'b.conf': 'include keepalived.conf' }],
  ])('%j', (text, line, column, message, others: Record<string, string> = {}) => {
    try {
      read(text, others);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const [problem] = error.problems;
      expect(problem?.message).toContain(message);
      if (Object.keys(others).length === 0)
        expect(problem).toMatchObject({ line, column, file: '/k/keepalived.conf' });
      expect(error.message).toMatch(/\^/);
      expect(error.exitStatus).toBe(64);
    }
  });

  test('a line with a password is not shown', () => {
    for (const text of ['auth_pass "hunter22', '$PASS="hunter22\nx $PASS', 'auth_pass hunter22 }']) {
      expect(() => read(text)).toThrow(ConfigError);
      expect(() => read(text)).not.toThrow(/hunter22/);
    }
  });
});

describe('files of this host', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-import-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('patterns', () => {
    mkdirSync(join(dir, 'conf.d/sub.conf'), { recursive: true });
    mkdirSync(join(dir, 'other'));
    for (const name of [
      'conf.d/b.conf',
      'conf.d/a.conf',
      'conf.d/.hidden.conf',
      'conf.d/a.bak',
      'other/c.conf',
    ]) {
      writeFileSync(join(dir, name), '');
    }
    symlinkSync(join(dir, 'absent'), join(dir, 'conf.d/dangling.conf'));
    const found = (pattern: string): string[] =>
      systemReader.glob(pattern, dir).map((path) => path.slice(dir.length + 1));
    expect(found('conf.d/*.conf')).toEqual(['conf.d/a.conf', 'conf.d/b.conf']);
    expect(found('*/[b-c].conf')).toEqual(['conf.d/b.conf', 'other/c.conf']);
    expect(found('conf.d/a.{bak,conf,none}')).toEqual(['conf.d/a.bak', 'conf.d/a.conf']);
    expect(found('absent/*.conf')).toEqual([]);
    expect(found(join(dir, 'other/c.conf'))).toEqual(['other/c.conf']);
  });

  test('braces and wildcards', () => {
    expect(expandBraces('{foo/{,cat,dog},bar}')).toEqual(['foo/', 'bar', 'foo/cat', 'bar', 'foo/dog', 'bar']);
    expect(expandBraces('{a,b}'.repeat(30)).length).toBeLessThan(5_000);
    expect(nameMatcher('[!a]?(*)+')('bx(1)+')).toBe(true);
    expect(nameMatcher('[z-a]*')('z')).toBe(false);
    expect(nameMatcher('*a*b')('xxaxbxab')).toBe(true);
    expect(nameMatcher(`${'*a'.repeat(40)}b`)('a'.repeat(250))).toBe(false);
    expect([nameMatcher('*')('.x'), nameMatcher('.*')('.x')]).toEqual([false, true]);
  });
});
