import { describe, expect, it } from 'vitest';
import { murmur3 } from '../../../../src/data-path/scheduler/hash.ts';
import { buildTable } from '../../../../src/data-path/scheduler/maglev.ts';
import { byIdentity } from '../../../../src/data-path/scheduler/members.ts';
import { member } from '../../../support/pool.ts';

const A = '10.0.1.11:8080';
const B = '10.0.1.12:8080';
const C = '[2001:db8::13]:8080';

function table(weights: readonly [number, number, number], size: number): string {
  const [a, b, c] = weights;
  const members = byIdentity([
    member(2, { id: C, weight: c }),
    member(0, { id: A, weight: a }),
    member(1, { id: B, weight: b }),
  ]);
  const names = members.map(({ id }) => (id === A ? 'A' : id === B ? 'B' : 'C'));
  return Array.from(buildTable(members, size), (i) => names[i]).join('');
}

// The expected tables are from an independent implementation in another language, with exact fractions.
describe("maglev's table", () => {
  it.each([
    [[1, 1, 1], 'AAAABACBCCCBABCABCABBCB'],
    [[4, 2, 1], 'AAAABACBCABBAACABAABAAB'],
    [[256, 1, 1], 'AAAABAAAAAAAAACAAAAAAAA'],
  ] as const)('of three with weights %j', (weights, expected) => {
    expect(table(weights, 23)).toBe(expected);
  });

  it('of the default size is the same on every host and in every version', () => {
    const built = table([4, 2, 1], 65_537);
    expect(murmur3(Buffer.from(built), 0)).toBe(2_125_344_190);
    const slots = (name: string): number => built.split(name).length - 1;
    expect([slots('A'), slots('B'), slots('C')]).toEqual([37_449, 18_725, 9_363]);
  });

  it('serves more backends than it has slots', () => {
    const members = byIdentity(Array.from({ length: 20 }, (_, slot) => member(slot)));
    expect(new Set(buildTable(members, 7)).size).toBe(7);
  });
});
