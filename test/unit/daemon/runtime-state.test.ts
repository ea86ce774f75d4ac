import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeState,
  describeEntries,
  encodeState,
  entriesOf,
  type KeptChange,
  type KeptState,
  lostBetween,
  sameState,
  withChange,
} from '../../../src/daemon/runtime-state.ts';

const made = (...changes: KeptChange[]): KeptState =>
  changes.reduce<KeptState>((state, change) => withChange(state, change), new Map());

const some = made(
  { service: 'web', backend: 'b', weight: 5 },
  { service: 'web', backend: 'a', state: 'maintenance', weight: 0 },
  { service: 'dns', backend: '[2001:db8::1]:53', state: 'draining' },
);

const file = (changes: object): string =>
  JSON.stringify({ ...JSON.parse(encodeState(some, 'now')), ...changes });
const withEntry = (entry: object): string =>
  file({ backends: [{ service: 's', backend: 'b', state: null, weight: 1, ...entry }] });

const faultOf = (text: string): string => {
  const decoded = decodeState(text);
  return 'fault' in decoded ? decoded.fault : 'none';
};

describe('the state file', () => {
  it('says again what was written, in the order of names', () => {
    const text = encodeState(some, '2026-01-31T12:00:00.000Z');
    expect(decodeState(text)).toEqual({ state: some });
    expect(entriesOf(some).map(({ service, backend }) => `${service}/${backend}`)).toEqual([
      'dns/[2001:db8::1]:53',
      'web/a',
      'web/b',
    ]);
    expect(JSON.parse(text)).toMatchObject({ format: 'tandem-runtime-state', version: 1 });
  });

  it.each([
    ['', 'it is empty'],
    ['\n', 'it is empty'],
    ['{"format":', 'it is not JSON'],
    ['null', 'it is not a state file of tandem'],
    ['[]', 'it is not a state file of tandem'],
    ['{"version":1}', 'it is not a state file of tandem'],
    [file({ format: 'else' }), 'it is not a state file of tandem'],
    [file({ version: 2 }), 'it is of version 2, and this daemon knows 1'],
    [file({ more: true }), ''],
    [file({ backends: {} }), 'backends'],
    [withEntry({ state: 'ready' }), 'backends.0.state'],
    [withEntry({ weight: 257 }), 'backends.0.weight'],
    [withEntry({ weight: 1.5 }), 'backends.0.weight'],
    [withEntry({ weight: null }), 'keeps nothing'],
    [withEntry({ service: '' }), 'backends.0.service'],
    [withEntry({ backend: 'x'.repeat(65) }), 'backends.0.backend'],
    [withEntry({ more: 1 }), 'backends.0'],
    [
      file({ backends: Array(2).fill({ service: 's', backend: 'b', state: null, weight: 1 }) }),
      's/b is in it twice',
    ],
    [file({ backends: Array(16_385).fill(null) }), 'backends'],
  ])('is refused whole when it is wrong: %s', (text, fault) => {
    expect(faultOf(text)).toContain(fault);
    expect(faultOf(text)).not.toBe('none');
  });

  it('takes names that objects have of their own for names', () => {
    const odd = made({ service: '__proto__', backend: 'constructor', weight: 1 });
    expect(decodeState(encodeState(odd, 'now'))).toEqual({ state: odd });
  });

  it('whatever it has is kept or refused, never thrown', () => {
    const entry = fc.record(
      { service: fc.string(), backend: fc.string(), state: fc.anything(), weight: fc.anything() },
      { requiredKeys: [] },
    );
    const document = fc.record(
      {
        format: fc.constant('tandem-runtime-state'),
        version: fc.constant(1),
        written: fc.string(),
        backends: fc.array(entry),
      },
      { requiredKeys: ['format', 'version'] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          document.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const decoded = decodeState(text);
          if ('fault' in decoded) expect(decoded.fault).not.toBe('');
          else expect(decodeState(encodeState(decoded.state, 'now'))).toEqual(decoded);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('what is kept', () => {
  it('changes one setting and leaves the other', () => {
    const state = made(
      { service: 'web', backend: 'a', state: 'draining', weight: 3 },
      { service: 'web', backend: 'a', state: null },
    );
    expect(entriesOf(state)).toEqual([{ service: 'web', backend: 'a', admin: null, weight: 3 }]);
    expect(withChange(state, { service: 'web', backend: 'a', weight: null }).size).toBe(0);
    expect(entriesOf(state)).toHaveLength(1);
  });

  it('is the same whatever the order of commands', () => {
    const other = made(
      { service: 'dns', backend: '[2001:db8::1]:53', state: 'draining' },
      { service: 'web', backend: 'a', state: 'maintenance', weight: 0 },
      { service: 'web', backend: 'b', weight: 5 },
    );
    expect(sameState(some, other)).toBe(true);
    expect(sameState(some, withChange(other, { service: 'web', backend: 'b', weight: 6 }))).toBe(false);
  });

  it('names what is lost, and does not name thousands', () => {
    const left = withChange(some, { service: 'dns', backend: '[2001:db8::1]:53', state: null });
    expect(describeEntries(lostBetween(some, left))).toBe('dns/[2001:db8::1]:53 draining');
    expect(describeEntries(lostBetween(some, new Map()))).toContain(
      'web/a maintenance, weight 0; web/b weight 5',
    );
    const many = made(
      ...Array.from({ length: 20 }, (_, i) => ({ service: 's', backend: `b${i}`, weight: 1 })),
    );
    expect(describeEntries(entriesOf(many))).toMatch(/; and 12 more$/);
  });
});
