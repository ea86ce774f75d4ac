import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/admin/contract.ts';
import { styleOf } from '../../../../src/cli/output.ts';
import { compareVersions, planUpgrade, type UpgradeFacts } from '../../../../src/cli/upgrade/plan.ts';
import { planLines } from '../../../../src/cli/upgrade/view.ts';
import { statusOf } from '../../../support/fake-admin.ts';

type Failover = NonNullable<Status['failover']>;
type State = 'Active' | 'Backup' | 'Initialize';

const base = statusOf().failover;
if (base?.pair?.peer == null || base.routers[0] === undefined)
  throw new Error('the fake daemon is one of a pair');
const {
  pair,
  pair: { peer },
  routers: [router],
} = base as Failover & { pair: { peer: NonNullable<NonNullable<Failover['pair']>['peer']> } };

/** A pair in these states and versions, all else well. */
function facts(
  own: readonly State[],
  theirs: readonly State[],
  versions: readonly [string, string] = ['1.0.0', '1.0.0'],
  over: Partial<Failover> = {},
): UpgradeFacts {
  const failover: Failover = {
    ...base!,
    routers: own.map((state, i) => ({ ...router!, group: `g${i}`, state })),
    pair: {
      ...pair!,
      peer: {
        ...peer,
        version: versions[1],
        routers: theirs.map((state, i) => ({ group: `g${i}`, vrid: i + 1, family: 4, state, priority: 100 })),
      },
    },
    ...over,
  };
  return {
    status: statusOf({ version: versions[0], failover }),
    installed: versions[0],
    inquiry: own.includes('Active') ? { ok: true, message: 'the peer would take over' } : null,
    target: undefined,
  };
}

/** "lb-b install, ..." of what is still to be done. */
const left = (of: UpgradeFacts): string[] =>
  planUpgrade(of)
    .steps.filter(({ done, optional }) => !done && !optional)
    .map(({ on, command }) => `${on}: ${command.split(' ').slice(0, 3).join(' ')}`);

const WHOLE = (first: string, second: string): string[] => [
  `${first}: sudo apt-get install`,
  `${first}: tandem status &&`,
  `${second}: tandem failover handover`,
  `${second}: sudo apt-get install`,
  `${second}: tandem status &&`,
];

describe('a rolling upgrade', () => {
  it('begins with the Backup, whichever of the two asks', () => {
    expect(left(facts(['Active'], ['Backup']))).toEqual(WHOLE('lb-b', 'lb-a'));
    expect(left(facts(['Backup'], ['Active']))).toEqual(WHOLE('lb-a', 'lb-b'));
  });

  it('knows how far it has come by the versions and the roles', () => {
    const upgraded = left(facts(['Active'], ['Backup'], ['1.9.0', '1.10.0']));
    expect(upgraded).toEqual(WHOLE('lb-b', 'lb-a').slice(1));
    const moved = left(facts(['Backup'], ['Active'], ['1.9.0', '1.10.0']));
    expect(moved).toEqual(WHOLE('lb-b', 'lb-a').slice(3));
    const done = { ...facts(['Backup'], ['Active'], ['1.10.0', '1.10.0']), target: '1.10.0' };
    expect(left(done)).toEqual([]);
    expect(planUpgrade(done).steps.filter(({ optional }) => optional)).toHaveLength(1);
  });

  it('of an active-active pair first moves every group to one node', () => {
    const steps = left(facts(['Active', 'Backup'], ['Backup', 'Active']));
    expect(steps).toEqual(['lb-b: tandem failover handover', ...WHOLE('lb-b', 'lb-a')]);
  });

  it.each<[string, UpgradeFacts, string]>([
    [
      'no failover',
      { ...facts(['Active'], ['Backup']), status: statusOf({ failover: null }) },
      'no [failover] section',
    ],
    ['no peer configured', facts(['Active'], ['Backup'], undefined, { pair: null }), 'no [failover.peer]'],
    [
      'a peer that never spoke',
      facts(['Active'], ['Backup'], undefined, { pair: { ...pair!, peer: null } }),
      'has not reported',
    ],
    [
      'a peer that is silent',
      facts(['Active'], ['Backup'], undefined, { pair: { ...pair!, reachable: false, ageMillis: 42_000 } }),
      'has not been heard for 42 s',
    ],
    [
      'a peer that would refuse',
      { ...facts(['Active'], ['Backup']), inquiry: { ok: false, message: 'the peer is unfit' } },
      'the peer is unfit',
    ],
    ['a peer that is out', facts(['Active'], ['Initialize']), 'lb-b takes no part'],
    [
      'an unfit node',
      facts(['Active'], ['Backup'], undefined, { fit: false, unfitReason: 'no backend' }),
      'no backend',
    ],
    [
      'an agent that hangs',
      facts(['Active'], ['Backup'], undefined, { agent: 'hung' }),
      'agent here is hung',
    ],
    [
      'drift',
      facts(['Active'], ['Backup'], undefined, { pair: { ...pair!, drift: ['service web differs'] } }),
      'service web differs',
    ],
    [
      'a drain',
      facts(['Active'], ['Backup'], undefined, {
        drains: [{ group: 'g0', role: 'giver', connections: 3, initially: 9, endsInMillis: 41_500 }],
      }),
      'drain of an earlier handover',
    ],
  ])('does not begin with %s', (_, of, says) => {
    const plan = planUpgrade(of);
    expect(plan.safe).toBe(false);
    expect(
      plan.checks
        .filter(({ severity }) => severity === 'problem')
        .map(({ seen }) => seen)
        .join(),
    ).toContain(says);
    expect(planLines(plan, styleOf(false)).at(-1)).toBe('do not begin before the problems are gone');
  });

  it('goes on in the middle, when the versions differ and the configurations cannot be compared', () => {
    const of = facts(['Active'], ['Backup'], ['1.0.0', '1.1.0']);
    const unknown = { ...of.status.failover!.pair!, drift: null, driftUnknown: 'versions differ' };
    const status = statusOf({ version: '1.0.0', failover: { ...of.status.failover!, pair: unknown } });
    const plan = planUpgrade({ ...of, status });
    expect(plan.safe).toBe(true);
    expect(plan.checks.map(({ severity }) => severity)).toContain('warning');
  });

  it('sees that a version is installed and does not run', () => {
    const plan = planUpgrade({ ...facts(['Backup'], ['Active']), installed: '1.2.0' });
    expect(plan.checks.map(({ seen }) => seen)).toContain(
      '1.2.0 is installed here, and the daemon still runs 1.0.0',
    );
  });
});

it('versions are compared as semver.org orders them', () => {
  expect(['1.10.0', '1.9.3', '2.0', '1.9.3-rc.10', 'none', '1.9.3-rc.2'].sort(compareVersions)).toEqual([
    'none',
    '1.9.3-rc.2',
    '1.9.3-rc.10',
    '1.9.3',
    '1.10.0',
    '2.0',
  ]);
});
