// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how HAProxy writes variables
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/errors.ts';
import { MAX_WORDS, tokenize } from '../../src/config/import/haproxy/lexer.ts';
import { readSections } from '../../src/config/import/haproxy/sections.ts';

const environment = (name: string): string | undefined => ({ A: 'x y', E: '' })[name];
const piece = fc.constantFrom(
  '"',
  "'",
  '\\',
  '#',
  ' ',
  '\t',
  '\r',
  '$',
  '{',
  '}',
  '[*]',
  '-',
  'A',
  'E',
  'x4',
  '${A[*]}',
);
const line = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);

test('any line is words that begin in it, in order, or a fault with its place', () => {
  fc.assert(
    fc.property(line, (text) => {
      const tokens = tokenize(text, environment);
      const places = tokens.ok ? tokens.words.map(({ index }) => index) : [tokens.index];
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      for (const index of places) expect(text[index]).toBeDefined();
      if (tokens.ok) expect(tokens.words.length).toBeLessThanOrEqual(MAX_WORDS);
    }),
    { numRuns: 3_000 },
  );
});

const word = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => !/[\r\n]/.test(text));

test('any words come back when they are quoted', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: MAX_WORDS }), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
      const tokens = tokenize(quoted, environment);
      expect(tokens.ok && tokens.words.map(({ text }) => text)).toEqual(words);
    }),
    { numRuns: 500 },
  );
});

test('no directive of any file is lost', () => {
  const text = fc.array(fc.oneof(line, fc.constantFrom('global', 'backend b', 'frontend f', ' mode tcp')), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(text, (lines) => {
      const source = lines.flatMap((one) => one.split('\n'));
      const expected = source.filter((one) => {
        const tokens = tokenize(one, environment);
        return !tokens.ok || tokens.words.length > 0;
      }).length;
      try {
        const text = lines.join('\n');
        const { sections, decisions } = readSections([{ path: 'h.cfg', text }], environment);
        const inside = sections.reduce((sum, { directives }) => sum + 1 + directives.length, 0);
        expect(inside + decisions.length).toBe(expected);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.problems.length).toBeGreaterThan(0);
        for (const { line: at } of error.problems) expect(at).toBeGreaterThan(0);
      }
    }),
    { numRuns: 500 },
  );
});
