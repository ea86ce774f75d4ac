import { expect, test } from 'vitest';
import { formatPath, type KeyPath } from '../../../src/config/positions.ts';
import { parseToml, type TomlText } from '../../../src/config/toml-text.ts';

const parse = (text: string): TomlText => {
  const parsed = parseToml(text);
  if ('message' in parsed) throw new Error(parsed.message);
  return parsed;
};

/** The rest of the line from where a key and its value are said to stand. */
function places(text: string, path: KeyPath): [key: string, value: string] {
  const { positions } = parse(text);
  const rest = (at: 'key' | 'value'): string => {
    const { line, column } = positions.locate(path, at);
    return text.split('\n')[line - 1]?.slice(column - 1) ?? '';
  };
  return [rest('key'), rest('value')];
}

test('a key and its value', () => {
  expect(places('a = 1\n  b   =  "x" # c', ['b'])).toEqual(['b   =  "x" # c', '"x" # c']);
});

test('dotted keys, with the tables that they make', () => {
  const text = 'x = 1\na . "b c".d = 2';
  expect(places(text, ['a', 'b c', 'd'])).toEqual(['a . "b c".d = 2', '2']);
  expect(places(text, ['a', 'b c'])[0]).toBe('a . "b c".d = 2');
});

test('tables, and keys that are not written', () => {
  const text = '[a.b]\nc = 1\n[a]\nd = 2';
  expect(places(text, ['a', 'b', 'c'])).toEqual(['c = 1', '1']);
  expect(places(text, ['a', 'd'])).toEqual(['d = 2', '2']);
  expect(places(text, ['a', 'b', 'missing', 'deeper'])[1]).toBe('[a.b]');
  expect(places(text, ['missing'])[1]).toBe('[a.b]');
});

test('lists of tables inside lists of tables, and tables inside those', () => {
  const text = [
    '[[service]]',
    'name = "a"',
    '[[service.backend]]',
    'address = "a0"',
    '[[service]]',
    'name = "b"',
    '[service.health]',
    'type = "tcp"',
    '[[service.backend]]',
    'address = "b0"',
    '[[service.backend]]',
    'address = "b1"',
    'tags.x = 1',
  ].join('\n');
  expect(places(text, ['service', 0, 'name'])[1]).toBe('"a"');
  expect(places(text, ['service', 0, 'backend', 0, 'address'])[1]).toBe('"a0"');
  expect(places(text, ['service', 1, 'name'])[1]).toBe('"b"');
  expect(places(text, ['service', 1, 'health', 'type'])[1]).toBe('"tcp"');
  expect(places(text, ['service', 1, 'backend', 0, 'address'])[1]).toBe('"b0"');
  expect(places(text, ['service', 1, 'backend', 1, 'address'])[1]).toBe('"b1"');
  expect(places(text, ['service', 1, 'backend', 1, 'tags', 'x'])[1]).toBe('1');
  const { positions } = parse(text);
  expect(positions.locate(['service', 1, 'backend', 1], 'key')).toEqual({ line: 11, column: 1 });
});

test('inline tables and lists over several lines, with comments', () => {
  const text = 'a = [ # one\n  { b = 1, c.d = [2,\n 3] },\n  4,\n]\n';
  expect(places(text, ['a', 0, 'b'])).toEqual(['b = 1, c.d = [2,', '1, c.d = [2,']);
  expect(places(text, ['a', 0, 'c', 'd', 1])[1]).toBe('3] },');
  expect(places(text, ['a', 1])[1]).toBe('4,');
});

test('what looks like keys inside of text is none', () => {
  const text = 's = """\n[b]\nx = 1\n"""\nt = \'\'\'\nx = 2\'\'\'\n[b]\nx = "y # z = 1"\r\n"q.r" = 4';
  expect(places(text, ['b', 'x'])[0]).toBe('x = "y # z = 1"\r');
  expect(places(text, ['s'])[1]).toBe('"""');
  expect(places(text, ['b', 'q.r'])).toEqual(['"q.r" = 4', '4']);
});

test('columns count UTF-16 units, lines count line feeds', () => {
  const { positions } = parse('a = "ä😀"\r\nb = [ "😀", 1 ]');
  expect(positions.locate(['b', 1], 'value')).toEqual({ line: 2, column: 13 });
});

test('names of the prototype chain are keys like others', () => {
  const { positions, value } = parse('[__proto__]\nconstructor = 1\n[toString]\nx = 2');
  expect(positions.locate(['__proto__', 'constructor'], 'value')).toEqual({ line: 2, column: 15 });
  expect(Object.getPrototypeOf(value)).toBeNull();
});

test('a path as people write it', () => {
  expect(formatPath(['service', 0, 'health', 'expect_json', '/a b'])).toBe(
    'service[0].health.expect_json."/a b"',
  );
  expect(formatPath([])).toBe('');
});
