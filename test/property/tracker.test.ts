import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAP, initialTracker, observe } from '../../src/control-path/health/tracker.ts';
import { instant, seconds } from '../../src/lib/duration.ts';
import type { ProbeResult } from '../../src/model/health.ts';
import { probeBad, probeOk } from '../support/specs.ts';

const local: ProbeResult = { ok: false, latency: seconds(0), reason: 'local', detail: 'no descriptor' };
const results = fc.array(fc.constantFrom(probeOk, probeBad, local), { maxLength: 200 });
const specs = fc.record({ rise: fc.integer({ min: 1, max: 6 }), fall: fc.integer({ min: 1, max: 6 }) });
const initials = fc.constantFrom('checking' as const, 'up' as const);
const interval = seconds(2);

describe('the rise/fall tracker', () => {
  it('changes its verdict only after a run of `rise` or `fall` results that say so', () => {
    fc.assert(
      fc.property(specs, initials, results, (spec, initial, sequence) => {
        let state = initialTracker(initial, instant(0));
        const verdicts: boolean[] = [];
        sequence.forEach((result, i) => {
          const first = state.health === 'checking';
          const step = observe(state, { ...spec, interval }, result, instant(i * interval));
          if (result === probeOk || result === probeBad) verdicts.push(result.ok);
          if (step.edge !== null) {
            const needed = first ? 1 : step.edge === 'up' ? spec.rise : spec.fall;
            expect(verdicts.slice(-needed)).toEqual(Array(needed).fill(step.edge === 'up'));
            expect(step.state.health).toBe(step.edge);
          } else {
            expect(step.state.health).toBe(state.health);
            expect(step.state.since).toBe(state.since);
          }
          state = step.state;
        });
      }),
    );
  });

  it('goes down without delay, and comes up within the longest hold and `rise` results, however it flapped', () => {
    fc.assert(
      fc.property(specs, initials, results, (spec, initial, history) => {
        let state = initialTracker(initial, instant(0));
        let i = 0;
        const take = (result: ProbeResult): void => {
          state = observe(state, { ...spec, interval }, result, instant(i++ * interval)).state;
        };
        history.forEach(take);
        for (let n = 0; n < spec.fall; n++) take(probeBad);
        expect(state.health).toBe('down');
        for (let n = 0; n < FLAP.maxHold + spec.rise; n++) take(probeOk);
        expect(state.health).toBe('up');
        expect(state.falls.length).toBeLessThanOrEqual(8);
      }),
    );
  });
});
