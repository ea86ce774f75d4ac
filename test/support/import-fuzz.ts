/** Properties that hold for the import of any program's configuration. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { ConfigError } from '../../src/config/errors.ts';

/**
 * Where statements of the file contradict each other, people mend it by hand: whichever the import would leave out, it
 * would guess. A node that is its own only peer, one whose peer is a virtual address, and a file of which nothing is left.
 */
const CONTRADICTION = /nothing to do|no peer to speak to|is a virtual address: it moves/;

export interface FuzzedImport {
  readonly report: readonly { readonly line: number; readonly note: string }[];
  readonly faults: readonly string[];
}

/**
 * Comes to a result or a ConfigError, and what it writes without faults does load.
 * @returns the ConfigError
 */
export function survives<R extends FuzzedImport>(
  run: () => R,
  load: (result: R) => unknown,
): ConfigError | null {
  let result: R;
  try {
    result = run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    return error;
  }
  for (const { line, note } of result.report) {
    expect(line).toBeGreaterThan(0);
    expect(note).not.toMatch(/undefined|\[object|NaN/);
  }
  // what it leaves out itself must not come back as a fault of the file
  expect(result.faults.filter((fault) => !CONTRADICTION.test(fault))).toEqual([]);
  if (result.faults.length === 0) load(result);
  return null;
}

/** Any words of the language in any order. */
export function anyWords(word: fc.Arbitrary<string>, check: (text: string) => void, numRuns: number): void {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => check(words.join(' '))),
    { numRuns },
  );
}

/** Lines of a good file dropped, doubled or moved. */
export function anyLines(seeds: readonly string[], check: (text: string) => void, numRuns: number): void {
  const change = fc.record({
    from: fc.nat(400),
    to: fc.nat(400),
    how: fc.constantFrom('drop', 'double', 'move'),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), changes, (seed, applied) => {
      const lines = seed.split('\n');
      for (const { from, to, how } of applied) {
        const line = lines[from % lines.length] ?? '';
        if (how !== 'double') lines.splice(from % lines.length, 1);
        if (how !== 'drop') lines.splice(to % (lines.length + 1), 0, line);
      }
      check(lines.join('\n'));
    }),
    { numRuns },
  );
}

/** Words of a good file changed for any others. */
export function otherWords(
  seeds: readonly string[],
  word: fc.Arbitrary<string>,
  check: (text: string) => void,
  numRuns: number,
): void {
  const value = fc.oneof(
    word,
    fc.string({ maxLength: 12 }),
    fc.integer().map(String),
    fc.double({ noNaN: true }).map(String),
  );
  const edits = fc.array(fc.tuple(fc.nat(2_000), value), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), edits, (seed, applied) => {
      const parts = seed.split(/(\s+)/);
      for (const [at, put] of applied) parts[(at * 2) % parts.length] = put;
      check(parts.join(''));
    }),
    { numRuns },
  );
}
