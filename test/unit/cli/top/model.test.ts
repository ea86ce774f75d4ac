import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/admin/contract.ts';
import { type Arrangement, arrange, modelOf, type Reading } from '../../../../src/cli/top/model.ts';
import { backendStatusOf, statusOf } from '../../../support/fake-admin.ts';

const A = '10.0.1.11:8080';
const B = '10.0.1.12:8080';

const reading = (ticks: number, status: Status = statusOf()): Reading => ({
  status,
  at: 1_000_000 + ticks,
  ticks,
  events: [],
});

function withService(
  changes: Partial<Status['services'][number]>,
  backends: Status['services'][number]['backends'] = [backendStatusOf(A), backendStatusOf(B)],
): Status {
  const status = statusOf({ pid: 1 });
  return { ...status, services: [{ ...status.services[0]!, ...changes, backends }] };
}

const plain: Arrangement = { sort: 'configured', reverse: false, filter: '' };

describe('modelOf', () => {
  it('has a row for each service and backend, in the configured order, without rates at first', () => {
    const { rows, totals } = modelOf(reading(0), undefined);
    expect(rows.map(({ key }) => key)).toEqual(['web', `web/${A}`, `web/${B}`]);
    expect(rows.map(({ rates }) => rates)).toEqual([null, null, null]);
    expect(totals).toEqual({ connections: 7, queued: 0, rates: null });
  });

  it('counts rates from the time between the readings', () => {
    const before = withService({ accepted: 100, bytesIn: 1_000, bytesOut: 0, refused: { deny: 1 } }, [
      backendStatusOf(A, { connects: 10, connectErrors: 1, bytesIn: 5, bytesOut: 50 }),
    ]);
    const now = withService({ accepted: 150, bytesIn: 3_000, bytesOut: 10, refused: { deny: 2, rate: 3 } }, [
      backendStatusOf(A, { connects: 15, connectErrors: 2, bytesIn: 5, bytesOut: 150 }),
    ]);
    const { rows, totals } = modelOf(reading(3_000, now), reading(1_000, before));
    expect(rows[0]?.rates).toEqual({ opened: 25, failed: 2, in: 1_000, out: 5 });
    expect(rows[1]?.rates).toEqual({ opened: 2.5, failed: 0.5, in: 0, out: 50 });
    expect(totals.rates).toEqual(rows[0]?.rates);
  });

  it('has no rates where the counters began anew: another daemon, a new backend, a row that was given on', () => {
    const first = withService({ accepted: 100 });
    const restarted = { ...withService({ accepted: 120 }), pid: 2 };
    expect(modelOf(reading(1_000, restarted), reading(0, first)).rows[0]?.rates).toBeNull();
    const added = withService({ accepted: 120 }, [backendStatusOf(A), backendStatusOf('10.0.1.13:80')]);
    expect(modelOf(reading(1_000, added), reading(0, first)).rows.map(({ rates }) => rates === null)).toEqual(
      [false, false, true],
    );
    const smaller = withService({ accepted: 5 });
    expect(modelOf(reading(1_000, smaller), reading(0, first)).rows[0]?.rates).toBeNull();
    expect(modelOf(reading(0, first), reading(0, first)).rows[0]?.rates).toBeNull();
  });

  it.each([
    [{}, 'up', 'good'],
    [{ health: 'unchecked' }, 'unchecked', 'good'],
    [{ health: 'down', eligible: false }, 'down', 'bad'],
    [{ health: 'down', admin: 'draining', eligible: false }, 'down', 'bad'],
    [{ admin: 'draining', eligible: false }, 'draining', 'warn'],
    [{ health: 'down', admin: 'maintenance', eligible: false }, 'maint', 'warn'],
    [{ ejected: true, eligible: false }, 'ejected', 'bad'],
    [{ health: 'checking', eligible: false }, 'checking', 'warn'],
    [{ weight: 0, eligible: false }, 'weight 0', 'warn'],
    [{ backup: true, eligible: false }, 'backup', 'dim'],
    [{ backup: true }, 'up', 'good'],
  ] as const)('names the state of %j %s', (changes, state, tone) => {
    const status = withService({}, [backendStatusOf(A, changes)]);
    expect(modelOf(reading(0, status), undefined).rows[1]).toMatchObject({ state, tone });
  });

  it('calls a service bad when nobody takes its clients, and odd when not all do', () => {
    const off = { health: 'down', eligible: false } as const;
    const tone = (...backends: Status['services'][number]['backends']) =>
      modelOf(reading(0, withService({}, backends)), undefined).rows[0];
    expect(tone(backendStatusOf(A, off), backendStatusOf(B))).toMatchObject({
      state: '1/2 up',
      tone: 'warn',
    });
    expect(tone(backendStatusOf(A, off), backendStatusOf(B, off))).toMatchObject({ tone: 'bad' });
  });

  it('has the fullest limit first, also one of nothing', () => {
    const limits = [
      { name: 'a', subject: null, used: 1, max: 10 },
      { name: 'b', subject: null, used: 0, max: 0 },
      { name: 'c', subject: null, used: 9, max: 10 },
    ];
    const model = modelOf(reading(0, statusOf({ limits })), undefined);
    expect(model.limits.map(({ name, ratio }) => [name, ratio])).toEqual([
      ['c', 0.9],
      ['a', 0.1],
      ['b', 0],
    ]);
  });
});

describe('arrange', () => {
  const status = statusOf({ pid: 1 });
  const [web] = status.services;
  const dns = {
    ...web!,
    name: 'dns',
    listen: ['10.0.0.100:53'],
    connections: 100,
    backends: [backendStatusOf('10.0.2.1:53', { connections: 100, health: 'down', eligible: false })],
  };
  const { rows } = modelOf(reading(0, { ...status, services: [web!, dns] }), undefined);
  const keys = (changes: Partial<Arrangement>): string[] =>
    arrange(rows, { ...plain, ...changes }).map(({ key }) => key);

  it('sorts services, and the backends of each below it', () => {
    expect(keys({})).toEqual(['web', `web/${A}`, `web/${B}`, 'dns', 'dns/10.0.2.1:53']);
    expect(keys({ sort: 'connections' })).toEqual(['dns', 'dns/10.0.2.1:53', 'web', `web/${A}`, `web/${B}`]);
    expect(keys({ sort: 'connections', reverse: true })).toEqual([
      'web',
      `web/${B}`,
      `web/${A}`,
      'dns',
      'dns/10.0.2.1:53',
    ]);
  });

  it('filters by every word, and keeps the service above what matches', () => {
    expect(keys({ filter: '1.12' })).toEqual(['web', `web/${B}`]);
    expect(keys({ filter: 'DOWN' })).toEqual(['dns', 'dns/10.0.2.1:53']);
    expect(keys({ filter: 'web 1.11' })).toEqual(['web', `web/${A}`]);
    expect(keys({ filter: '10.0.0.100:53' })).toEqual(['dns', 'dns/10.0.2.1:53']);
    expect(keys({ filter: 'nothing' })).toEqual([]);
  });
});
