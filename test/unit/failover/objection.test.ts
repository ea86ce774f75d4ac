import { describe, expect, test } from 'vitest';
import { objectionTo, shortfallOf, type TakerView } from '../../../src/failover/handover/objection.ts';
import type { TransferRequest } from '../../../src/failover/handover/taker.ts';
import type { VirtualRouterStatus } from '../../../src/model/failover.ts';
import { backend, load, service } from '../../support/config.ts';

const file = (sync = ''): string =>
  `${service()}${backend()}[failover]\ninterface = "eth0"\n[[failover.group]]\nname = "one"\nvrid = 1\n` +
  `addresses = ["10.0.0.100/24"]\n${sync}\n[[failover.group]]\nname = "two"\nvrid = 2\n` +
  `addresses = ["10.0.0.101/24"]\n${sync}\n`;

function router(group: string, over: Partial<VirtualRouterStatus> = {}): VirtualRouterStatus {
  return {
    group,
    family: 4,
    vrid: 1,
    interface: 'eth0',
    state: 'Backup',
    reason: 'startup',
    since: 0,
    priority: 100,
    effectivePriority: 100,
    addresses: [],
    holdsAddresses: false,
    routes: [],
    leaseAgeMillis: null,
    explanation: 'for a reason',
    outlook: [],
    peer: null,
    advertisementsSent: 0,
    advertisementsReceived: 0,
    discarded: {},
    transitions: 0,
    conflicts: 0,
    duplicates: { count: 0, last: null },
    ...over,
  };
}

function view(over: Partial<TakerView> = {}, sync = ''): TakerView {
  return {
    agentState: 'running',
    groups: load(file(sync)).failover?.groups ?? [],
    routers: [router('one'), router('two')],
    starved: [],
    ...over,
  };
}

const ONE = { vrid: 1, addresses: ['10.0.0.100'] };
const TWO = { vrid: 2, addresses: ['10.0.0.101'] };
const asked = (over: Partial<TransferRequest> = {}): TransferRequest => ({
  groups: [ONE],
  condition: { shortfall: 0, starved: [] },
  force: false,
  ...over,
});
const lacking = (shortfall: number, starved: string[] = []) => ({ condition: { shortfall, starved } });

test('what a priority lacks; a raised one lacks nothing', () => {
  expect(shortfallOf([router('one', { effectivePriority: 70 }), router('one')])).toBe(30);
  expect(shortfallOf([router('one', { effectivePriority: 201 })])).toBe(0);
  expect(shortfallOf([])).toBe(0);
});

describe('the taker', () => {
  test('has nothing against it when it is well and Backup', () => {
    expect(objectionTo(asked(), view())).toBeNull();
  });

  test.each<[string, TransferRequest, Partial<TakerView>, string]>([
    ['no agent', asked(), { agentState: 'hung' }, 'its failover agent is hung'],
    ['another VRID', asked({ groups: [{ ...ONE, vrid: 3 }] }), {}, 'it has no group with VRID 3'],
    ['other addresses', asked({ groups: [{ ...ONE, addresses: ['10.0.0.1'] }] }), {}, 'it has no group'],
    ['no router', asked(), { routers: [router('two')] }, 'its group one does not run'],
    [
      'a conflict: it is Active, too',
      asked({ force: true }),
      { routers: [router('one', { state: 'Active' }), router('two')] },
      'its group one is Active, not Backup: for a reason',
    ],
    ['a service without backends', asked(), { starved: ['web'] }, 'its service web has no eligible backend'],
  ])('%s', (_name, request, over, objection) => {
    expect(objectionTo(request, view(over))).toContain(objection);
  });

  test.each([
    [0, 20, false],
    [20, 20, false],
    [21, 20, true],
    [20, 0, true],
  ])('the giver lacks %i, the taker %i: would it take over? %s', (giver, taker, would) => {
    const routers = [router('one', { effectivePriority: 100 - taker }), router('two')];
    const objection = objectionTo(asked(lacking(giver)), view({ routers }));
    expect(objection === null).toBe(would);
    if (!would) expect(objection).toContain(`is no better placed (priority ${100 - taker} instead of 100)`);
    expect(objectionTo({ ...asked(lacking(giver)), force: true }, view({ routers }))).toBeNull();
  });

  test('a service that the giver cannot serve either is no reason', () => {
    expect(objectionTo(asked(lacking(0, ['web'])), view({ starved: ['web'] }))).toBeNull();
  });

  test('a partner here that is none there would be dragged along', () => {
    const sync = 'sync = "edge"';
    expect(objectionTo(asked(), view({}, sync))).toContain('its group two would move with them');
    expect(objectionTo(asked({ groups: [ONE, TWO] }), view({}, sync))).toBeNull();
  });
});
