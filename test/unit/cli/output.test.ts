import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bar,
  clip,
  formatAge,
  formatBytes,
  formatCount,
  printable,
  styleOf,
  table,
  widthOf,
} from '../../../src/cli/output.ts';

const plain = styleOf(false);
const colored = styleOf(true);

describe('units', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [999.6, '1k'],
    [1_000, '1k'],
    [12_345, '12.3k'],
    [123_456, '123k'],
    [999_999, '1M'],
    [4_560_000, '4.56M'],
  ])('counts %d as %s', (n, text) => expect(formatCount(n)).toBe(text));

  it.each([
    [0, '0B'],
    [1_023, '1023B'],
    [1_024, '1KiB'],
    [1_536, '1.5KiB'],
    [5 * 1_024 ** 3, '5GiB'],
    [1_024 ** 2 - 1, '1MiB'],
  ])('writes %d bytes as %s', (n, text) => expect(formatBytes(n)).toBe(text));

  it.each([
    [-5, '0ms'],
    [250, '250ms'],
    [59_999, '59s'],
    [192_000, '3m12s'],
    [3_600_000, '1h00m'],
    [86_400_000 * 12 + 3_600_000 * 3, '12d3h'],
  ])('writes %d ms as %s', (ms, text) => expect(formatAge(ms)).toBe(text));

  it('never takes more than seven characters for a count', () => {
    fc.assert(fc.property(fc.nat({ max: 1e15 }), (n) => formatCount(n).length <= 7));
  });
});

describe('bar', () => {
  it('keeps its width for any share', () => {
    expect(bar(0.25, 8)).toBe('[##------]');
    for (const ratio of [-1, 0, 1, 7, 0.999]) expect(bar(ratio, 10)).toHaveLength(12);
  });
});

describe('printable', () => {
  it('disarms control characters in every text of a value', () => {
    const hostile = { a: ['\u001b[2J\u0007', { b: 'x\r\ny' }], c: 1, d: null, e: '\u202egnp', f: '\u009b1m' };
    expect(printable(hostile)).toEqual({ a: ['?[2J?', { b: 'x??y' }], c: 1, d: null, e: '?gnp', f: '?1m' });
  });

  it('keeps letters of all scripts', () => {
    expect(printable('Zürich 東京 ok')).toBe('Zürich 東京 ok');
  });
});

describe('widthOf', () => {
  it.each([
    ['abc', 3],
    ['Zürich', 6],
    ['Zu\u0308rich', 6],
    ['東京', 4],
    [colored.red('abc'), 3],
  ])('of %j is %i', (text, width) => expect(widthOf(text)).toBe(width));
});

describe('clip', () => {
  it('leaves what fits alone', () => {
    expect(clip(colored.red('abc'), 3)).toBe(colored.red('abc'));
  });

  it('cuts what people see, not the colours, and closes them', () => {
    expect(clip(`${colored.red('abcdef')}gh`, 4)).toBe('\u001b[31mabcd\u001b[0m');
  });

  it('never takes more columns than there are', () => {
    const piece = fc.constantFrom('a', '東', '\u0308', colored.bold('xy'), ' ');
    fc.assert(
      fc.property(fc.array(piece), fc.nat({ max: 20 }), (pieces, columns) => {
        expect(widthOf(clip(pieces.join(''), columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

describe('table', () => {
  const columns = [{ title: 'NAME' }, { title: 'N', align: 'right' }, { title: 'X' }] as const;

  it('aligns, colours and wide characters included, without trailing space', () => {
    const rows = [
      ['東京', '5', ''],
      [colored.red('ab'), '12345', 'y'],
    ];
    expect(table(columns, rows, plain)).toEqual([
      'NAME      N  X',
      '東京      5',
      `${colored.red('ab')}    12345  y`,
    ]);
  });

  it('has its titles alone without rows', () => {
    expect(table(columns, [], plain)).toEqual(['NAME  N  X']);
  });
});

describe('styleOf', () => {
  it('adds nothing when it is off', () => {
    expect(plain.red(plain.bold('x'))).toBe('x');
  });
});
