import { describe, expect, it } from 'vitest';
import { type Instant, instant, millis } from '../../../src/lib/duration.ts';
import { explain } from '../../../src/vrrp/explain.ts';
import {
  createRouter,
  type Router,
  type RouterInput,
  type RouterSettings,
} from '../../../src/vrrp/router.ts';
import { step } from '../../../src/vrrp/state-machine.ts';
import { addr } from '../../support/golden.ts';

const settings: RouterSettings = {
  version: 3,
  priority: 150,
  advertiseInterval: millis(100),
  preempt: true,
  preemptDelay: millis(0),
  source: addr('10.0.0.1'),
};
const heard = (priority: number): RouterInput => ({
  type: 'advertisement',
  source: addr('10.0.0.2'),
  priority,
  interval: millis(100),
});
const start: RouterInput = { type: 'start', resume: null };
const expire: RouterInput = { type: 'timer', timer: 'active-down' };

function explained(inputs: readonly RouterInput[], changes: Partial<RouterSettings> = {}): string {
  let router: Router = createRouter({ ...settings, ...changes });
  let now: Instant = instant(0);
  for (const input of inputs) {
    now = instant(now + 1_000);
    if (input === expire) now = instant(now + 10_000_000);
    router = step(router, input, now).router;
  }
  return explain(router, router.weight === 0 ? null : 'eth1 is down');
}

describe('explain', () => {
  it.each([
    ['Initialize: not started yet', []],
    ['Backup: listening for an Active router before becoming one', [start]],
    ['Backup: 10.0.0.2 advertises priority 200 > 150', [start, heard(200)]],
    ['Backup: 10.0.0.2 advertises priority 150 as this node does', [start, heard(150)]],
    ['Backup: 10.0.0.2 advertises priority 100 < 150; about to preempt it', [start, heard(100)]],
    ['Backup: 10.0.0.2 resigned; taking over after Skew_Time', [start, heard(200), heard(0)]],
    ['Active: no advertisement from another router within Active_Down_Interval', [start, expire]],
    ['Active: the peer resigned with priority 0', [start, heard(200), heard(0), expire]],
    ['Active: preempted a router of lower priority', [start, heard(100), expire]],
    [
      'Active: told to take over, with priority 201 instead of 150',
      [start, heard(200), { type: 'takeover' }],
    ],
    ['Active: told to take over', [start, heard(100), { type: 'takeover' }]],
    [
      'Active: preempted a router of lower priority, with priority 130 instead of 150 (eth1 is down)',
      [start, heard(100), expire, { type: 'weight', weight: -20 }],
    ],
    [
      'Backup: 10.0.0.2 advertises priority 100 > 1, with priority 1 instead of 150 (eth1 is down)',
      [start, heard(100), { type: 'weight', weight: -254 }],
    ],
    [
      'Backup: handed over to 10.0.0.2 (priority 100); not preempting while it advertises',
      [start, expire, { type: 'handover' }, heard(100)],
    ],
    ['Initialize: the link is down', [start, { type: 'link', up: false }]],
    ['Initialize: this node is not fit to serve', [start, { type: 'fitness', fit: false }]],
    ['Initialize: shut down', [start, { type: 'stop', reason: 'shutdown' }]],
    [
      'Initialize: resigned, because the supervisor fell silent',
      [start, { type: 'stop', reason: 'supervisor-lost' }],
    ],
  ] as [string, RouterInput[]][])('%s', (sentence, inputs) => {
    expect(explained(inputs)).toBe(sentence);
  });

  it('says when preemption is off or delayed', () => {
    expect(explained([start, heard(100)], { preempt: false })).toMatch(/preemption is off$/);
    expect(explained([start, heard(100)], { preemptDelay: millis(5_000) })).toMatch(
      /the preempt delay is running$/,
    );
  });
});
