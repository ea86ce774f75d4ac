import { describe, expect, it } from 'vitest';
import {
  comparePair,
  DRIFT_GRACE,
  type DriftState,
  INITIAL_DRIFT,
  type PairDrift,
  watchDrift,
} from '../../../src/control-path/pair-drift.ts';
import { after, instant, seconds } from '../../../src/lib/duration.ts';
import type { NodeSummary } from '../../../src/model/peer-report.ts';

const node = (config: Readonly<Record<string, string>>, version = '1.0.0'): NodeSummary => ({
  name: 'lb',
  version,
  uptimeSeconds: 1,
  routers: [],
  services: [],
  config: Object.entries(config).map(([section, digest]) => ({ section, digest })),
});

describe('the configurations of a pair', () => {
  it('are compared by section', () => {
    const own = node({ limits: 'a', 'service web': 'b', 'service api': 'c' });
    const peer = node({ limits: 'a', 'service web': 'x', 'service dns': 'y' });
    expect(comparePair(own, peer)).toEqual({
      comparable: true,
      sections: ['service web differs', 'service api is only here', 'service dns is only at the peer'],
    });
    expect(comparePair(own, own)).toEqual({ comparable: true, sections: [] });
  });

  it('are not compared with a silent peer, nor between versions', () => {
    expect(comparePair(node({}), null)).toMatchObject({ comparable: false });
    expect(comparePair(node({ limits: 'a' }), node({ limits: 'b' }, '1.1.0'))).toEqual({
      comparable: false,
      why: 'this node runs Tandem 1.0.0, its peer 1.1.0',
    });
  });
});

describe('a difference', () => {
  const differs = (...sections: string[]): PairDrift => ({ comparable: true, sections });
  const unknown: PairDrift = { comparable: false, why: 'silent' };

  /** What is told, look by look, each a number of seconds after the start. */
  function run(...looks: (readonly [second: number, drift: PairDrift])[]): (string | null)[] {
    let state: DriftState = INITIAL_DRIFT;
    return looks.map(([second, drift]) => {
      const next = watchDrift(state, drift, after(instant(0), seconds(second)));
      state = next.state;
      return next.tell;
    });
  }
  const grace = DRIFT_GRACE / seconds(1);

  it('is told once when it lasts, and its end', () => {
    const told = run(
      [0, differs('service web differs')],
      [grace - 1, differs('service web differs')],
      [grace, differs('service web differs')],
      [grace + 1, differs('service web differs')],
      [grace + 2, differs()],
      [grace + 3, differs()],
    );
    expect(told).toEqual([null, null, 'service web differs', null, '', null]);
  });

  it('of a roll-out over both nodes is not told at all', () => {
    expect(
      run([0, differs()], [5, differs('a differs')], [grace, differs()], [grace + 9, differs('a differs')]),
    ).toEqual([null, null, null, null]);
  });

  it('that becomes another one is told again', () => {
    const told = run(
      [0, differs('a differs')],
      [grace, differs('a differs')],
      [grace + 1, differs('b differs')],
    );
    expect(told).toEqual([null, 'a differs', 'b differs']);
  });

  it('stays while the peer is silent', () => {
    const told = run(
      [0, differs('a differs')],
      [grace, differs('a differs')],
      [grace + 5, unknown],
      [grace + 9, differs()],
    );
    expect(told).toEqual([null, 'a differs', null, '']);
  });
});
