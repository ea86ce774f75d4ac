import { beforeEach, describe, expect, it } from 'vitest';
import { ClaimGate } from '../../../src/failover/claim-gate.ts';
import type { ClaimVerdict } from '../../../src/failover/notifier.ts';
import type { VirtualRouterSpec } from '../../../src/failover/router-spec.ts';
import { type Duration, millis, seconds } from '../../../src/lib/duration.ts';
import type { NotifySpec } from '../../../src/model/failover.ts';
import { createRouter, type Router, type RouterInput } from '../../../src/vrrp/router.ts';
import { step } from '../../../src/vrrp/state-machine.ts';
import { addr } from '../../support/golden.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const EXPIRY: RouterInput = { type: 'timer', timer: 'active-down' };
const HEARD: RouterInput = {
  type: 'advertisement',
  source: addr('10.0.0.2'),
  priority: 200,
  interval: millis(100),
};

let clock: ManualClock;
let router: Router;
let gate: ClaimGate;
let answers: ((verdict: ClaimVerdict) => void)[];

/** As the shell does it. */
function feed(input: RouterInput, by: string | null = null): void {
  const now = clock.now();
  const { router: after } = step(router, input, now);
  if (!gate.holds({ before: router, after, input, now, by })) router = after;
}

function open(notify: Partial<NotifySpec>, witnessTimeout: Duration | null = null): void {
  const spec = {
    family: 4,
    held: [],
    group: {
      name: 'main',
      vrid: 51,
      interface: 'eth0',
      notify: { beforeClaim: ['/bin/true'], beforeClaimTimeout: seconds(1), onTimeout: 'proceed', ...notify },
    },
  } as unknown as VirtualRouterSpec;
  gate = new ClaimGate({
    clock,
    spec: () => spec,
    witnessTimeout: () => witnessTimeout,
    ask: (_request, answer) => answers.push(answer),
    resume: feed,
  });
  feed({ type: 'start', resume: null });
  clock.advance(seconds(1));
}

beforeEach(() => {
  clock = new ManualClock();
  answers = [];
  router = createRouter({
    version: 3,
    priority: 150,
    advertiseInterval: millis(100),
    preempt: true,
    preemptDelay: millis(0),
    source: addr('10.0.0.1'),
  });
});

describe('ClaimGate', () => {
  it('stays out of the way where nothing is configured', () => {
    open({ beforeClaim: null });
    feed(EXPIRY);
    expect([router.state, answers.length]).toEqual(['Active', 0]);
  });

  it('has the witness asked about a silence, and not about a resignation', () => {
    open({ beforeClaim: null }, millis(300));
    feed(EXPIRY);
    expect([router.state, answers.length]).toEqual(['Backup', 1]);
    expect(gate.hindrance).toBe('the witness was asked, and has not answered yet');
    answers[0]?.({ proceed: false, why: 'this node may be cut off', by: 'witness' });
    expect(gate.hindrance).toBe('this node may be cut off');
    const resignation = { source: addr('10.0.0.2'), priority: 0, interval: millis(100) };
    feed({ type: 'advertisement', ...resignation });
    clock.advance(millis(100));
    feed(EXPIRY);
    expect([router.state, answers.length]).toEqual(['Active', 1]);
  });

  it('keeps a Backup until the answer is yes, and asks once', () => {
    open({});
    feed(EXPIRY);
    feed(EXPIRY);
    expect([router.state, answers.length, gate.asking]).toEqual(['Backup', 1, true]);
    answers[0]?.({ proceed: true, why: '' });
    expect([router.state, router.reason]).toEqual(['Active', 'active-down-expired']);
    expect([gate.hindrance, clock.pending]).toEqual([null, 0]);
  });

  it('lets an advertisement that comes meanwhile decide', () => {
    open({});
    feed(EXPIRY);
    feed(HEARD);
    answers[0]?.({ proceed: true, why: '' });
    expect(router.state).toBe('Backup');
    // and the next time somebody is asked again
    clock.advance(seconds(1));
    feed(EXPIRY);
    expect([router.state, answers.length]).toEqual(['Backup', 2]);
  });

  it('asks again after a veto, for as long as it would become Active', () => {
    open({});
    feed(EXPIRY);
    answers[0]?.({ proceed: false, why: 'not yet' });
    expect(gate.hindrance).toContain('not yet');
    feed(EXPIRY);
    expect(answers).toHaveLength(1);
    clock.advance(seconds(2));
    expect([router.state, answers.length]).toEqual(['Backup', 2]);
    answers[1]?.({ proceed: true, why: '' });
    expect(router.state).toBe('Active');
  });

  it('does not give a refused command again', () => {
    open({});
    feed(HEARD);
    feed({ type: 'takeover' }, 'ann');
    answers[0]?.({ proceed: false, why: 'no' });
    clock.advance(seconds(10));
    expect([router.state, answers.length, gate.hindrance]).toEqual(['Backup', 1, null]);
  });

  it.each([
    ['proceed', 'Active'],
    ['refuse', 'Backup'],
  ] as const)('does not depend on the supervisor: without an answer it may %s', (onTimeout, state) => {
    open({ onTimeout });
    feed(EXPIRY);
    clock.advance(seconds(2));
    expect(router.state).toBe(state);
    // too late
    answers[0]?.({ proceed: state === 'Backup', why: '' });
    expect(router.state).toBe(state);
  });

  it('forgets the question when the link goes, and when it is closed', () => {
    open({});
    feed(EXPIRY);
    feed({ type: 'link', up: false });
    answers[0]?.({ proceed: true, why: '' });
    expect([router.state, clock.pending]).toEqual(['Initialize', 0]);
    gate.close();
    expect(gate.hindrance).toBeNull();
  });
});
