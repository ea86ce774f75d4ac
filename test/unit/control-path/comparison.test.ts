import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Comparison,
  type ComparisonState,
  compareReach,
  comparisonPolicy,
  INITIAL_COMPARISON,
} from '../../../src/control-path/comparison.ts';
import { instant, millis, seconds, toSeconds } from '../../../src/lib/duration.ts';
import type { PeerReport } from '../../../src/model/peer-report.ts';
import { healthSpec } from '../../support/specs.ts';

const POLICY = { worseAfter: seconds(5), recoverAfter: seconds(3) };

/** One look a second; each is [own, peer] with null for a silent peer. Returns who yielded, as a string of "." and "y". */
function run(looks: readonly (readonly [number, number | null])[], peer: Partial<PeerReport> = {}): string {
  let state: ComparisonState = INITIAL_COMPARISON;
  return looks
    .map(([own, theirs], second) => {
      const report =
        theirs === null
          ? null
          : { fit: true, reach: { digest: 'a', up: theirs }, witness: null, node: null, ...peer };
      const found: Comparison = compareReach(
        state,
        { digest: 'a', up: own },
        report,
        POLICY,
        instant(seconds(second)),
      );
      state = found.state;
      return found.reason === null ? '.' : 'y';
    })
    .join('');
}

const times = (n: number, own: number, peer: number | null): [number, number | null][] =>
  Array.from({ length: n }, () => [own, peer]);

describe('the comparison of backends with the peer', () => {
  it('yields when the peer has reached more for long enough, and no longer when it has not for a while', () => {
    const looks = [...times(2, 4, 4), ...times(7, 2, 4), ...times(5, 4, 4)];
    expect(run(looks)).toBe('..' + '.....yy' + 'yyy..');
  });

  it('says with figures why', () => {
    const state = { worseSince: instant(0), yieldedAt: 1, wellSince: null };
    const peer = { fit: true, reach: { digest: 'a', up: 3 }, witness: null, node: null };
    expect(compareReach(state, { digest: 'a', up: 1 }, peer, POLICY, instant(1)).reason).toBe(
      'this node reaches 1 of the backends, its peer 3',
    );
  });

  it('does nothing when both lose the same backends at slightly different times', () => {
    expect(run([...times(2, 4, 4), ...times(4, 2, 4), ...times(9, 2, 2)])).not.toContain('y');
    expect(run([...times(2, 4, 4), ...times(4, 4, 2), ...times(9, 2, 2)])).not.toContain('y');
  });

  it('does nothing for a backend that flaps, seen by each at other times', () => {
    const flapping = Array.from({ length: 60 }, (_, i): [number, number] => [3 + (i % 3 === 0 ? 1 : 0), 4]);
    expect(run(flapping)).not.toContain('y');
  });

  it('does not yield to a peer that is not fit, or has other backends', () => {
    expect(run(times(20, 1, 4), { fit: false })).not.toContain('y');
    expect(run(times(20, 1, 4), { reach: { digest: 'b', up: 4 } })).not.toContain('y');
  });

  it('takes the role back when the peer turns out to be no better', () => {
    expect(run([...times(7, 2, 4), ...times(5, 2, 1)])).toBe('.....yy' + 'yyy..');
  });

  it('neither yields nor takes back on the silence of the peer', () => {
    expect(run([...times(3, 2, 4), ...times(9, 2, null)])).not.toContain('y');
    expect(run([...times(7, 2, 4), ...times(60, 2, null)])).toBe(`.....${'y'.repeat(62)}`);
    // unless this node has got better itself
    expect(run([...times(7, 2, 4), ...times(5, 4, null)])).toBe('.....yy' + 'yyy..');
  });

  it('never has both nodes yield for longer than a recovery', () => {
    const count = fc.integer({ min: 0, max: 3 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(count, count, fc.integer({ min: 1, max: 9 })), { maxLength: 20 }),
        (spans) => {
          const looks = spans.flatMap(([a, b, n]) => times(n, a, b) as [number, number][]);
          const a = run(looks);
          const b = run(looks.map(([own, peer]) => [peer, own]));
          let both = 0;
          for (let i = 0; i < looks.length; i++) {
            both = a[i] === 'y' && b[i] === 'y' ? both + 1 : 0;
            expect(both).toBeLessThanOrEqual(toSeconds(POLICY.recoverAfter));
          }
        },
      ),
    );
  });
});

describe('the debounce', () => {
  it('is longer than a check takes to fail or to recover, of the slowest service', () => {
    const quick = healthSpec({ interval: millis(300), timeout: millis(200), fall: 2, rise: 2 });
    const slow = healthSpec({ interval: seconds(2), timeout: seconds(1), fall: 3, rise: 2, jitter: 0.1 });
    expect(comparisonPolicy([{ health: quick }]).worseAfter).toBe(seconds(2.8));
    expect(comparisonPolicy([{ health: quick }, { health: slow }, { health: null }]).worseAfter).toBe(
      seconds(9.6),
    );
    expect(comparisonPolicy([]).worseAfter).toBe(seconds(2));
  });
});
