import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError, type Problem } from '../../src/config/errors.ts';
import { parseConfig } from '../../src/config/load.ts';
import { testHost } from '../support/config.ts';

const full = readFileSync(join(import.meta.dirname, '../../config/full.toml'), 'utf8')
  .replaceAll(/^#(?=[a-z_0-9]+ = )/gm, '')
  .replaceAll(/ *#(?= ).*$/gm, '');
const lines = full.split('\n').filter((line) => line !== '');

/** Loads or fails with a ConfigError whose problems can be shown; anything else is a fault of ours. */
function survives(text: string): readonly Problem[] {
  try {
    parseConfig(text, 'fuzz.toml', { environment: testHost });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    const count = text.split('\n').length;
    for (const { line, column, message } of error.problems) {
      expect(message).not.toBe('');
      expect(message).not.toMatch(/^Invalid input|undefined|\[object/);
      if (line !== null) expect(line).toBeLessThanOrEqual(count);
      if (column !== null) expect(column).toBeGreaterThan(0);
    }
    return error.problems;
  }
}

test('the seed is right', () => {
  expect(survives(full)).toEqual([]);
});

test('any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void survives(text)),
    { numRuns: 300 },
  );
});

const value = fc.oneof(
  fc.constantFrom(
    '""',
    '"x"',
    '0',
    '-1',
    '1e400',
    'nan',
    '-inf',
    'true',
    '[]',
    '{}',
    '[[]]',
    '{ a = {} }',
    '07:32:00',
  ),
  fc.constantFrom(
    '1979-05-27T07:32:00Z',
    '[1, "a", {}]',
    '"0s"',
    '"999999999d"',
    '"0.0000001us"',
    '"-0%"',
    '"1/0s"',
  ),
  fc.constantFrom(
    '"[::]:1"',
    '"0/0"',
    '"::ffff:1.2.3.4"',
    '"hex:"',
    '"((((("',
    '{ "~" = 1 }',
    '{ __proto__ = 1 }',
  ),
  fc.integer().map(String),
  fc.string().map((text) => JSON.stringify(text)),
);

test('any value for any key', () => {
  const keys = lines.flatMap((line, index) => (line.includes(' = ') ? [index] : []));
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (index, replacement) => {
      const line = lines[index] ?? '';
      survives(lines.with(index, `${line.slice(0, line.indexOf(' = '))} = ${replacement}`).join('\n'));
    }),
    { numRuns: 600 },
  );
});

test('any line dropped, doubled, moved or renamed', () => {
  const change = fc.record({
    from: fc.nat(lines.length - 1),
    to: fc.nat(lines.length - 1),
    how: fc.constantFrom('drop', 'double', 'move', 'rename'),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const mutated = [...lines];
      for (const { from, to, how } of changes) {
        const line = mutated[from] ?? '';
        if (how === 'drop' || how === 'move') mutated.splice(from, 1);
        if (how === 'double' || how === 'move') mutated.splice(to, 0, line);
        if (how === 'rename') mutated[from] = line.replace(/[a-z]+/, 'constructor');
      }
      survives(mutated.join('\n'));
    }),
    { numRuns: 400 },
  );
});

test('any characters changed', () => {
  const seed = lines.join('\n');
  const edit = fc.record({ at: fc.nat(seed.length), cut: fc.nat(3), put: fc.string({ maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let text = seed;
      for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
      survives(text);
    }),
    { numRuns: 400 },
  );
});
