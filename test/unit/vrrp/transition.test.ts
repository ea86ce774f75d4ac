import { describe, expect, it } from 'vitest';
import { type Duration, type Instant, instant, micros, millis } from '../../../src/lib/duration.ts';
import { outlook } from '../../../src/vrrp/outlook.ts';
import {
  createRouter,
  type Router,
  type RouterInput,
  type RouterSettings,
} from '../../../src/vrrp/router.ts';
import { step } from '../../../src/vrrp/state-machine.ts';
import { TraceRecorder } from '../../../src/vrrp/trace.ts';
import { activeDownAt, causeOf, type Facts, peerAt, type Stepped } from '../../../src/vrrp/transition.ts';
import { addr } from '../../support/golden.ts';
import { loadScenarios, playTrace } from '../../support/scenario.ts';

const SETTINGS: RouterSettings = {
  version: 3,
  priority: 150,
  advertiseInterval: millis(100),
  preempt: true,
  preemptDelay: millis(0),
  source: addr('10.0.0.1'),
};
const START: RouterInput = { type: 'start', resume: null };
const heard = (priority: number): RouterInput => ({
  type: 'advertisement',
  source: addr('10.0.0.2'),
  priority,
  interval: millis(100),
});

/** Inputs with the milliseconds at which they come; the last one is the one looked at. */
function lastStep(inputs: readonly (readonly [number, RouterInput])[], by: string | null = null): Stepped {
  let router: Router = createRouter(SETTINGS);
  let last: Stepped | undefined;
  for (const [ms, input] of inputs) {
    const now = instant(ms * 1_000);
    const before = router;
    router = step(router, input, now).router;
    last = { before, after: router, input, now, by };
  }
  if (last === undefined) throw new Error('no input');
  return last;
}

function cause(stepped: Stepped, changes: Partial<Facts> = {}): string {
  return causeOf({
    group: 'main',
    family: 4,
    vrid: 51,
    interface: 'eth0',
    from: stepped.before.state,
    to: stepped.after.state,
    reason: stepped.after.reason,
    priority: 150,
    addresses: [],
    peer: peerAt(stepped),
    activeDown: activeDownAt(stepped),
    requestedBy: stepped.by,
    linkUp: stepped.after.linkUp,
    fit: stepped.after.fit,
    weight: 0,
    unfitReason: null,
    stall: null,
    supervisorSilenceMillis: 0,
    heartbeatsLost: 0,
    ...changes,
  });
}

const EXPIRY: RouterInput = { type: 'timer', timer: 'active-down' };

describe('causeOf', () => {
  it('says who fell silent, for how long, and how late the timer was', () => {
    // 3 x 100 ms + 106/256 x 100 ms
    const taken = lastStep([
      [0, START],
      [10, heard(200)],
      [352, EXPIRY],
    ]);
    expect(taken.after.state).toBe('Active');
    expect(activeDownAt(taken)).toEqual({ intervalMillis: 341.40625, lateMillis: 0.59375 });
    expect(cause(taken)).toBe(
      '10.0.0.2 (priority 200, every 100ms) was last heard 342ms before; ' +
        'Active_Down_Interval 341.4ms, acted on 600us after its end',
    );
  });

  it.each([
    ['started', [[0, START]]],
    [
      'no advertisement from another router; Active_Down_Interval 341.4ms, acted on 658.6ms after its end',
      [
        [0, START],
        [1_000, EXPIRY],
      ],
    ],
    [
      '10.0.0.2 resigned with priority 0 42ms before; Skew_Time 41.4ms, acted on 600us after its end',
      [
        [0, START],
        [10, heard(200)],
        [20, heard(0)],
        [62, EXPIRY],
      ],
    ],
    [
      '10.0.0.2 advertises priority 100 < 150: preempted',
      [
        [0, START],
        [10, heard(100)],
        [1_000, EXPIRY],
      ],
    ],
    [
      '10.0.0.2 advertises priority 200 > 150',
      [
        [0, START],
        [1_000, EXPIRY],
        [1_100, heard(200)],
      ],
    ],
    [
      '10.0.0.2 advertises priority 150 = 150, and has the greater address',
      [
        [0, START],
        [1_000, EXPIRY],
        [1_100, heard(150)],
      ],
    ],
    [
      'the link of eth0 went down',
      [
        [0, START],
        [5, { type: 'link', up: false }],
      ],
    ],
  ] as [string, [number, RouterInput][]][])('%s', (sentence, inputs) => {
    expect(cause(lastStep(inputs))).toBe(sentence);
  });

  it('says who asked, why a node was unfit, and how long the supervisor was silent', () => {
    const moved = lastStep(
      [
        [0, START],
        [10, heard(200)],
        [20, { type: 'takeover' }],
      ],
      'ann on the command line',
    );
    expect(cause(moved)).toBe(
      'took over, asked by ann on the command line; 10.0.0.2 advertises priority 200 > 150',
    );
    const unfit = lastStep([
      [0, START],
      [5, { type: 'fitness', fit: false }],
    ]);
    expect(cause(unfit, { unfitReason: 'no worker runs' })).toMatch(/unfit to serve: no worker runs$/);
    const left = lastStep([
      [0, START],
      [5, { type: 'stop', reason: 'supervisor-lost' }],
    ]);
    expect(cause(left, { supervisorSilenceMillis: 2_000, heartbeatsLost: 19 })).toBe(
      'the supervisor was silent for 2s (19 heartbeats)',
    );
  });

  it('mentions a stall of the agent', () => {
    const taken = lastStep([
      [0, START],
      [1_000, EXPIRY],
    ]);
    expect(cause(taken, { stall: { millis: 700, ageMillis: 0.2 } })).toMatch(
      /; the agent had not run for 700ms until 200us before$/,
    );
  });
});

describe('outlook', () => {
  it('gives a Backup the time that it would wait', () => {
    const { after } = lastStep([
      [0, START],
      [10, heard(200)],
    ]);
    expect(outlook(after)).toEqual([
      'would become Active 341.4ms after its last advertisement, or 41.4ms after it resigns',
      'would preempt it at a priority below 150',
      'would become Active by "tandem failover takeover"',
    ]);
  });

  it('is right about that time, however late the advertisement was', () => {
    const { after } = lastStep([
      [0, START],
      [77, heard(200)],
    ]);
    const [sentence = ''] = outlook(after);
    const wait = Number(/Active ([\d.]+)ms/.exec(sentence)?.[1]);
    const at = (ms: number): Instant => instant(77_000 + ms * 1_000);
    expect(step(after, EXPIRY, at(wait - 0.1)).router.state).toBe('Backup');
    expect(step(after, EXPIRY, at(wait + 0.1)).router.state).toBe('Active');
  });

  it('names the priority that ends an Active router', () => {
    const active = lastStep([
      [0, START],
      [1_000, EXPIRY],
    ]).after;
    expect(outlook(active)[0]).toBe(
      'would become Backup when another router advertises a priority above 150, or 150 from an address above 10.0.0.1',
    );
    const later = instant(1_100_000);
    expect(step(active, heard(151), later).router.state).toBe('Backup');
    expect(step(active, heard(149), later).router.state).toBe('Active');
  });

  it('names what an Initialize router waits for', () => {
    const down = lastStep([
      [0, START],
      [5, { type: 'link', up: false }],
      [6, { type: 'fitness', fit: false }],
    ]).after;
    expect(outlook(down)).toEqual(['would become Backup when the link is up and this node is fit to serve']);
  });
});

describe('TraceRecorder', () => {
  it.each(loadScenarios().map((scenario) => [scenario.name, scenario] as const))(
    'writes %s down so that its transitions happen again',
    (_, scenario) => {
      for (const { trace, state, reason } of scenario.traced()) {
        const replayed = playTrace(trace);
        expect([replayed.state, replayed.reason]).toEqual([state, reason]);
      }
    },
  );

  it('keeps the last inputs alone, and they suffice', () => {
    let router = step(createRouter(SETTINGS), START, instant(0)).router;
    const recorder = new TraceRecorder(instant(0));
    const feed = (input: RouterInput, now: Instant): void => {
      recorder.note(router, input, now);
      router = step(router, input, now).router;
    };
    for (let ms = 1; ms <= 10_000; ms += 100) feed(heard(200), instant(ms * 1_000));
    const silent: Duration = micros(1_000_000);
    feed(EXPIRY, instant(10_000_000 + silent));
    expect(router.state).toBe('Active');
    const trace = recorder.take(instant(12_000_000));
    if (trace === null) throw new Error('no trace');
    expect(trace.input.length).toBeLessThanOrEqual(33);
    expect(playTrace(trace)).toMatchObject({ state: 'Active', reason: 'active-down-expired' });
    expect(recorder.take(instant(13_000_000))).toBeNull();
  });
});
