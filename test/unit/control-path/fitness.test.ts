import { describe, expect, it } from 'vitest';
import {
  DEFAULT_FITNESS_POLICY,
  type FitnessObservation,
  type FitnessPolicy,
  INITIAL_FITNESS,
  judgeFitness,
  standingOf,
} from '../../../src/control-path/fitness.ts';
import { instant } from '../../../src/lib/duration.ts';
import { GOOD_STANDING } from '../../../src/model/failover.ts';

/** Looks ten times a second; a worker beats with every look unless `stalled`. */
function watch(policy: Partial<FitnessPolicy> = {}) {
  let state = INITIAL_FITNESS;
  let t = 0;
  let beats = 0;
  const look = (over: Partial<FitnessObservation> = {}, stalled = false) => {
    t += 0.1;
    if (!stalled) beats++;
    const worker = { id: '0', alive: true, heartbeats: beats, loopLagSeconds: 0.001 };
    const seen: FitnessObservation = {
      workers: [worker],
      acceptErrors: 0,
      fdHeadroom: 1_000,
      services: 2,
      servicesWithoutBackend: [],
      ...over,
    };
    const judged = judgeFitness(
      state,
      seen,
      { ...DEFAULT_FITNESS_POLICY, ...policy },
      instant(Math.round(t * 10) * 100_000),
    );
    state = judged.state;
    return judged;
  };
  return {
    look,
    pause: (s: number) => {
      t += s;
    },
    /** Looks for `s` seconds and gives the last judgement. */
    during: (s: number, over: Partial<FitnessObservation> = {}, stalled = false) => {
      for (let i = 1; i < Math.round(s * 10); i++) look(over, stalled);
      return look(over, stalled);
    },
  };
}

const dead = { workers: [{ id: '0', alive: false, heartbeats: 9, loopLagSeconds: 0 }] };

describe('standing', () => {
  it('is no part in the election before the node was fit once, and the lowest priority after that', () => {
    const { look } = watch();
    expect(standingOf(look({ workers: [] }))).toEqual({
      fault: 'this node is not fit to serve: no data-path worker is running',
      weight: 0,
      reason: null,
    });
    expect(standingOf(look())).toEqual(GOOD_STANDING);
    expect(standingOf(look(dead))).toEqual({
      fault: null,
      weight: -254,
      reason: 'this node is not fit to serve: data-path worker 0 is dead',
    });
  });
});

describe('fitness of several workers', () => {
  const both = (first: number | null, second: number) => {
    const worker = (id: string, heartbeats: number, alive = true) => ({
      id,
      alive,
      heartbeats,
      loopLagSeconds: 0,
    });
    return { workers: [worker('0', first ?? 50, first !== null), worker('1', second)] };
  };

  it('goes on while a dead one is replaced in time, and ends when no successor turns', () => {
    const { look } = watch();
    let beat = 50;
    expect(look(both(beat, beat)).fit).toBe(true);
    const judged = Array.from({ length: 12 }, () => look(both(null, ++beat)));
    expect(judged[0]).toMatchObject({ fit: true, concerns: ['data-path worker 0 is being replaced'] });
    expect(judged.findIndex(({ fit }) => !fit)).toBe(10);
    expect(judged[11]?.reason).toBe('data-path worker 0 is dead');
  });

  it('is that of the worst: one that stalls makes the node unfit', () => {
    const { look } = watch();
    const judged = Array.from({ length: 13 }, (_, i) => look(both(50, 50 + i)));
    expect(judged.findIndex(({ fit }) => !fit)).toBeGreaterThan(9);
    expect(judged[12]?.reason).toMatch(/worker 0 has been stalled/);
  });
});

describe('fitness', () => {
  it('is unfit until the worker has turned once, then fit at once', () => {
    const { look } = watch();
    expect(look({ workers: [] })).toMatchObject({ fit: false, reason: 'no data-path worker is running' });
    const starting = { workers: [{ id: '0', alive: true, heartbeats: 0, loopLagSeconds: 0 }] };
    expect(look(starting)).toMatchObject({ fit: false, reason: 'data-path worker 0 is starting' });
    expect(look()).toMatchObject({ fit: true, reason: null, concerns: [] });
  });

  it('is unfit with a worker stalled for more than a second, and not before', () => {
    const { during } = watch();
    during(2);
    expect(during(1, {}, true).fit).toBe(true);
    expect(during(0.2, {}, true)).toMatchObject({
      fit: false,
      reason: 'data-path worker 0 has been stalled for 1.2s',
    });
  });

  it('does not blame the worker for a pause of its own', () => {
    const { during, pause, look } = watch();
    during(1);
    pause(10);
    expect(look().fit).toBe(true);
  });

  it('gives a worker that was held up with it (SIGSTOP) the time to beat again, and no more', () => {
    const { during, pause, look } = watch();
    during(1);
    pause(10);
    expect(look({}, true).fit).toBe(true);
    expect(during(1, {}, true).fit).toBe(true);
    expect(during(0.2, {}, true).reason).toMatch(/worker 0 has been stalled for 1\.[12]s/);
  });

  it('is unfit at once with a dead worker', () => {
    const { during, look } = watch();
    during(1);
    expect(look(dead)).toMatchObject({ fit: false, reason: 'data-path worker 0 is dead' });
  });

  it('is unfit when accepting goes on failing, and not for errors that pass', () => {
    const { during, look } = watch();
    during(1);
    let acceptErrors = 0;
    const failing = (s: number) => {
      let judged = look({ acceptErrors: ++acceptErrors });
      for (let i = 1; i < Math.round(s * 2); i++) {
        during(0.4, { acceptErrors });
        judged = look({ acceptErrors: ++acceptErrors });
      }
      return judged;
    };
    expect(failing(1.5).fit).toBe(true);
    expect(during(2, { acceptErrors }).fit).toBe(true);
    expect(failing(1.5).fit).toBe(true);
    expect(failing(1.5)).toMatchObject({ fit: false, reason: 'accepting connections fails' });
    expect(during(1, { acceptErrors }).fit).toBe(false);
    expect(during(3.5, { acceptErrors }).fit).toBe(true);
  });

  it('must be well for three seconds on end before it is fit again', () => {
    const { during, look } = watch();
    during(1);
    look(dead);
    expect(during(2.9)).toMatchObject({ fit: false, reason: 'recovering: well for less than 3s' });
    look(dead);
    expect(during(3).fit).toBe(false);
    expect(during(0.3).fit).toBe(true);
  });

  it('only has concerns about what the peer would see as well', () => {
    const { during, look } = watch();
    during(1);
    const seen = {
      servicesWithoutBackend: ['web'],
      fdHeadroom: 0,
      acceptErrors: 3,
      workers: [{ id: '0', alive: true, heartbeats: 99, loopLagSeconds: 0.6 }],
    };
    expect(look(seen)).toMatchObject({
      fit: true,
      concerns: [
        'data-path worker 0 lags by 0.60s',
        'accepting connections failed 3 times just now',
        'file descriptors are used up',
        'web has no eligible backend',
      ],
    });
    // errors that were told are not told again
    expect(look({ acceptErrors: 3 }).concerns).toEqual([]);
  });

  it('is unfit when no service has had a backend for ten seconds on end', () => {
    const { during, look } = watch();
    during(1);
    const starved = { servicesWithoutBackend: ['web', 'dns'] };
    expect(during(9.9, starved).fit).toBe(true);
    look({ servicesWithoutBackend: ['web'] });
    expect(during(9.9, starved).fit).toBe(true);
    expect(during(0.3, starved)).toMatchObject({ fit: false, reason: 'no service has an eligible backend' });
    expect(during(3.2, { servicesWithoutBackend: ['web'] }).fit).toBe(true);
    // a node without services has failover alone
    expect(during(20, { services: 0 }).fit).toBe(true);
  });

  it('lets a policy make used-up descriptors count', () => {
    const { look } = watch({ fdExhausted: 'unfit' });
    expect(look({ fdHeadroom: -1 })).toMatchObject({ fit: false, reason: 'file descriptors are used up' });
  });
});
