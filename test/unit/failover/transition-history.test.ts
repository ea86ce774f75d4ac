import { describe, expect, it } from 'vitest';
import { TransitionHistory } from '../../../src/failover/transition-history.ts';
import type { TransitionRecord } from '../../../src/model/history.ts';
import { transitionOf } from '../../support/fake-admin.ts';

const record = (changes: Partial<TransitionRecord> = {}): TransitionRecord => ({
  ...transitionOf(),
  reason: 'active-down-expired',
  ...changes,
});

describe('TransitionHistory', () => {
  it('lists all routers by time, or one group', () => {
    const history = new TransitionHistory();
    history.add(record({ group: 'b', time: 1 }));
    history.add(record({ group: 'a', time: 3 }));
    history.add(record({ group: 'b', time: 5, family: 6 }));
    expect(history.list(null).map(({ time }) => time)).toEqual([1, 3, 5]);
    expect(history.list('b').map(({ family }) => family)).toEqual([4, 6]);
    expect(history.list('c')).toEqual([]);
  });

  it('keeps the newest of a router that flaps, leaves the others alone, and counts on', () => {
    const history = new TransitionHistory();
    history.add(record({ group: 'calm', time: 0 }));
    for (let time = 1; time <= 1_000; time++) history.add(record({ group: 'flaps', time }));
    const kept = history.list('flaps');
    expect(kept.length).toBeLessThanOrEqual(64);
    expect(kept.at(-1)?.time).toBe(1_000);
    expect(history.list('calm')).toHaveLength(1);
    expect(history.totals()).toContainEqual({
      group: 'flaps',
      family: 4,
      vrid: 51,
      to: 'Active',
      reason: 'active-down-expired',
      count: 1_000,
    });
  });

  it('is bounded however many groups reloads have brought', () => {
    const history = new TransitionHistory();
    for (let i = 0; i < 2_000; i++) history.add(record({ group: `g${i}` }));
    expect(history.list(null).length).toBeLessThanOrEqual(256);
    expect(history.list('g1999')).toHaveLength(1);
  });
});
