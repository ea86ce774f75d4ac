import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initialWitness,
  judgeWitness,
  mayClaim,
  observeWitness,
  type PeerEvidence,
  type WitnessState,
} from '../../../src/control-path/witness/judge.ts';
import { type Instant, instant, seconds } from '../../../src/lib/duration.ts';
import type { WitnessSeen, WitnessSpec } from '../../../src/model/witness.ts';

const DEBOUNCE = { rise: 2, fall: 3 };

/** One node over time: a look a second. */
class Node {
  state: WitnessState = initialWitness(instant(0));
  verdicts = '';
  active = false;
  #report: PeerEvidence['report'] = null;
  #advertisementAt: Instant | null = null;
  #now = 0;
  readonly #policy: WitnessSpec['policy'];

  constructor(policy: WitnessSpec['policy'] = 'resign') {
    this.#policy = policy;
  }

  /** `report`: what the peer's supervisor says of the witness; undefined when it is not heard. */
  live(span: number, sees: boolean, report?: WitnessSeen, advertised = false): string {
    const before = this.verdicts.length;
    for (let i = 0; i < span; i++) {
      this.#now++;
      const now = instant(seconds(this.#now));
      this.state = observeWitness(this.state, DEBOUNCE, sees, now);
      if (report !== undefined) this.#report = { at: now, witness: report };
      if (advertised) this.#advertisementAt = now;
      const peer = { report: this.#report, advertisementAt: this.#advertisementAt, active: this.active };
      const judged = judgeWitness(this.state, peer, this.#policy, now);
      this.state = judged.state;
      this.verdicts += { fine: '.', worse: 'w', isolated: 'I' }[judged.verdict];
    }
    return this.verdicts.slice(before);
  }
}

describe('the witness', () => {
  it('is debounced: lost after `fall` without an answer, back after `rise`; the first look counts at once', () => {
    const seen = (answers: string): string => {
      let state = initialWitness(instant(0));
      return [...answers]
        .map((answer, i) => {
          state = observeWitness(state, DEBOUNCE, answer === '+', instant(i));
          return { unknown: '?', up: '+', down: '-' }[state.seen];
        })
        .join('');
    };
    expect(seen('+--+---+-++')).toBe('+++++' + '+---' + '-+');
    expect(seen('-++')).toBe('--+');
  });

  it('lost together with the peer: this node is cut off, until the witness is back', () => {
    const node = new Node();
    expect(node.live(5, true, 'up')).toBe('.....');
    // three looks for the witness, and two seconds in which the peer could have said something
    expect(node.live(8, false)).toBe('....III' + 'I');
    expect(node.live(4, true)).toBe('I...');
  });

  it('with policy "stay" a node that is cut off goes on', () => {
    const node = new Node('stay');
    node.live(5, true, 'up');
    expect(node.live(20, false)).toBe('.'.repeat(20));
  });

  it('lost by both that hear each other says nothing, not even when the peer dies afterwards', () => {
    const node = new Node();
    node.live(5, true, 'up');
    expect(node.live(10, false, 'down')).toBe('.'.repeat(10));
    expect(mayClaim(node.state, false)).toBe(true);
    expect(node.live(20, false)).toBe('.'.repeat(20));
    // once it has answered again it counts again
    node.live(3, true);
    expect(node.live(8, false)).toContain('I');
  });

  it('lost by both at slightly different times makes the first yield for that time at most', () => {
    const node = new Node();
    node.live(5, true, 'up');
    node.live(3, false, 'up');
    expect(node.live(2, false, 'up')).toBe('ww');
    expect(node.live(10, false, 'down')).toBe('.'.repeat(10));
  });

  it('that the peer still sees: yields, and leaves when nobody takes the role that it offers', () => {
    const node = new Node();
    node.live(5, true, 'up');
    node.active = true;
    expect(node.live(9, false, 'up')).toBe('...www' + 'III');
    // it left: that alone does not bring it back
    node.active = false;
    expect(node.live(5, false, 'up')).toBe('IIIII');
    // the peer has lost it as well
    expect(node.live(2, false, 'down')).toBe('..');
  });

  it('advertisements that go on after it was lost prove that the link works', () => {
    const node = new Node();
    node.live(5, true, undefined, true);
    expect(node.live(10, false, undefined, true)).toBe('.'.repeat(10));
    expect(node.state.discredited).toBe(true);
  });

  it('advertisements of before prove nothing', () => {
    const node = new Node();
    node.live(5, true, undefined, true);
    node.live(2, false, undefined, true);
    expect(node.live(8, false)).toContain('I');
    expect(node.state.discredited).toBe(false);
  });

  it('decides over the claim of a Backup that hears nobody: it must have answered just now', () => {
    const fresh = initialWitness(instant(0));
    expect([mayClaim(fresh, true), mayClaim(fresh, false)]).toEqual([true, false]);
  });

  it('never takes both nodes away while they hear each other', () => {
    const span = fc.record({ length: fc.integer({ min: 1, max: 12 }), a: fc.boolean(), b: fc.boolean() });
    fc.assert(
      fc.property(fc.array(span, { maxLength: 12 }), (spans) => {
        const [a, b] = [new Node(), new Node()];
        a.active = true;
        for (const { length, a: seesA, b: seesB } of spans) {
          for (let i = 0; i < length; i++) {
            const [said, heard] = [a.state.seen, b.state.seen];
            const verdicts = [a.live(1, seesA, heard), b.live(1, seesB, said)];
            expect(verdicts.join('')).not.toBe('II');
          }
        }
      }),
    );
  });
});
