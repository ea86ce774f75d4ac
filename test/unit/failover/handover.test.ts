import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createGiver,
  type GiverAction,
  type GiverInput,
  type GiverPlan,
  stepGiver,
} from '../../../src/failover/handover/giver.ts';
import {
  createTaker,
  type PrepareRequest,
  stepTaker,
  type TakerAction,
  type TakerInput,
} from '../../../src/failover/handover/taker.ts';
import type { PeerMessage } from '../../../src/failover/peer/messages.ts';

const groups = [{ vrid: 51, addresses: ['10.0.0.100'] }];
const request: PrepareRequest = {
  groups,
  drainMillis: 60_000,
  handover: '0123456789abcdef',
  condition: { shortfall: 0, starved: [] },
  force: false,
};
const plan: GiverPlan = { ...request, requirePeer: false };

/** Actions in short: "send take", "pin", "finish ok: ...". */
function short(action: GiverAction | TakerAction): string {
  switch (action.type) {
    case 'send':
      return `send ${action.message.type}`;
    case 'finish':
      return `${action.ok ? 'ok' : 'failed'}: ${action.message}`;
    case 'let-go':
      return action.quiet ? 'let go quietly' : 'let go';
    default:
      return action.type;
  }
}

function give(inputs: readonly GiverInput[], options: Partial<GiverPlan> = {}): string[] {
  let giver = createGiver({ ...plan, ...options });
  return inputs.flatMap((input) => {
    const turn = stepGiver(giver, input);
    giver = turn.giver;
    return turn.actions.map(short);
  });
}

function take(inputs: readonly TakerInput[]): string[] {
  let taker = createTaker();
  return inputs.flatMap((input) => {
    const turn = stepTaker(taker, input);
    taker = turn.taker;
    return turn.actions.map(short);
  });
}

const message = (text: PeerMessage) => ({ type: 'message', message: text }) as const;
const ready = message({ type: 'ready', note: null });
const start: GiverInput = { type: 'start' };
const connected: GiverInput = { type: 'connected' };
const pinned: GiverInput = { type: 'pinned', why: null };
const taken = message({ type: 'taken' });
const closed = (active: boolean, trusted = true): GiverInput => ({
  type: 'closed',
  why: 'gone',
  trusted,
  active,
});

describe('the giver', () => {
  test('lets go only when the peer has claimed and announced', () => {
    expect(give([start, connected, ready, pinned, taken, { type: 'released', active: false }])).toEqual([
      'connect',
      'send prepare',
      'pin',
      'send take',
      'let go quietly',
      'send released',
      'hang-up',
      'ok: handed over to the peer; established connections go on here for up to 60 s',
    ]);
  });

  test('keeps no connections with a drain of 0, and none when either node cannot', () => {
    const rest = [taken, { type: 'released', active: false }] as const;
    const kept = (inputs: readonly GiverInput[], options: Partial<GiverPlan> = {}): string =>
      give([start, connected, ...inputs, ...rest], options).at(-1) ?? '';
    expect(kept([ready], { drainMillis: 0 })).toBe('ok: handed over to the peer; connections are not kept');
    const note = message({ type: 'ready', note: 'no nft' });
    expect(kept([note])).toBe('ok: handed over to the peer; connections are not kept: no nft');
    const unpinned: GiverInput = { type: 'pinned', why: 'EPERM' };
    expect(kept([ready, unpinned])).toBe('ok: handed over to the peer; connections are not kept: EPERM');
  });

  test('stays Active when there is nobody to ask; sends priority 0 only when told to', () => {
    expect(give([start, closed(true)])).toEqual([
      'connect',
      'hang-up',
      'failed: the peer cannot be reached: gone; this node stays Active (with --force it sends priority 0, for another VRRP router to take over)',
    ]);
    expect(give([start, closed(true)], { force: true })).toEqual([
      'connect',
      'resign',
      'ok: the peer cannot be reached (gone): sent priority 0 instead, connections are not kept',
    ]);
    expect(give([start, closed(true)], { force: true, requirePeer: true })).toEqual([
      'connect',
      'hang-up',
      'failed: the peer cannot be reached: gone; this node stays Active',
    ]);
  });

  test('never sends priority 0 to somebody with another key', () => {
    expect(give([start, closed(true, false)])).toEqual([
      'connect',
      'hang-up',
      'failed: the peer cannot be trusted: gone; this node stays Active',
    ]);
  });

  test.each<[string, GiverInput[], string[]]>([
    [
      'the peer is not fit',
      [message({ type: 'refused', reason: 'unfit' })],
      ['send abort', 'hang-up', 'failed: the peer refuses: unfit; this node stays Active'],
    ],
    [
      'the peer dies while it prepares',
      [closed(true)],
      ['send abort', 'hang-up', 'failed: the peer hung up (gone) while it prepared; this node stays Active'],
    ],
    [
      'the peer is silent',
      [{ type: 'timeout', active: true }],
      ['send abort', 'hang-up', 'failed: the peer does not answer while it prepared; this node stays Active'],
    ],
    [
      'the peer dies after "take" without taking',
      [ready, pinned, closed(true)],
      [
        'pin',
        'send take',
        'unpin',
        'send abort',
        'hang-up',
        'failed: the peer hung up (gone) and did not take over; this node stays Active',
      ],
    ],
    [
      'the peer cannot add the addresses',
      [ready, pinned, message({ type: 'failed', reason: 'EPERM' })],
      ['pin', 'send take', 'unpin', 'send abort', 'hang-up', 'failed: the peer could not take over: EPERM'],
    ],
    [
      'its word is lost, but VRRP says that it took over',
      [ready, pinned, { type: 'timeout', active: false }, { type: 'released', active: false }],
      [
        'pin',
        'send take',
        'let go quietly',
        'send released',
        'hang-up',
        'ok: handed over to the peer; established connections go on here for up to 60 s',
      ],
    ],
    [
      'the agent here does not let go',
      [ready, pinned, taken, { type: 'released', active: true }],
      [
        'pin',
        'send take',
        'let go quietly',
        'unpin',
        'send abort',
        'hang-up',
        'failed: the peer took over, but this node did not let go',
      ],
    ],
    [
      'the peer hangs up while this node lets go',
      [ready, pinned, taken, closed(false), { type: 'released', active: false }],
      [
        'pin',
        'send take',
        'let go quietly',
        'send released',
        'hang-up',
        'ok: handed over to the peer; established connections go on here for up to 60 s',
      ],
    ],
  ])('%s', (_what, inputs, expected) => {
    expect(give([start, connected, ...inputs]).slice(2)).toEqual(expected);
  });
});

describe('the taker', () => {
  const prepare: TakerInput = { type: 'prepare', request, objection: null };
  const steered: TakerInput = { type: 'steered', why: null };
  const claim = message({ type: 'take' });
  const claimed: TakerInput = { type: 'claimed', ok: true, message: '' };

  test('prepares, claims, and is done when the giver has let go', () => {
    expect(take([prepare, steered, claim, claimed, message({ type: 'released' })])).toEqual([
      'steer',
      'send ready',
      'claim',
      'send taken',
      'hang-up',
    ]);
  });

  test('refuses what it must not take', () => {
    expect(take([{ ...prepare, objection: 'not Backup' }])).toEqual(['send refused', 'hang-up']);
  });

  test.each<[string, TakerInput[], string[]]>([
    ['the giver dies after prepare', [prepare, { type: 'closed' }], ['steer', 'unsteer', 'hang-up']],
    [
      'the giver aborts when all is ready',
      [prepare, steered, message({ type: 'abort', reason: 'x' })],
      ['steer', 'send ready', 'unsteer', 'hang-up'],
    ],
    [
      'nothing follows',
      [prepare, steered, { type: 'timeout' }],
      ['steer', 'send ready', 'unsteer', 'hang-up'],
    ],
    [
      'what was prepared too late is undone',
      [prepare, { type: 'closed' }, steered],
      ['steer', 'unsteer', 'hang-up', 'unsteer'],
    ],
    [
      'the claim fails',
      [prepare, steered, claim, { type: 'claimed', ok: false, message: 'EPERM' }],
      ['steer', 'send ready', 'claim', 'unsteer', 'send failed', 'hang-up'],
    ],
    [
      'the giver dies after the claim: this node stays Active and goes on steering until the drain ends',
      [prepare, steered, claim, claimed, { type: 'closed' }],
      ['steer', 'send ready', 'claim', 'send taken', 'hang-up'],
    ],
    ['"take" before "prepare"', [claim], ['hang-up']],
    ['"take" while it prepares', [prepare, claim, steered], ['steer', 'unsteer', 'hang-up', 'unsteer']],
  ])('%s', (_what, inputs, expected) => {
    expect(take(inputs)).toEqual(expected);
  });
});

describe('whatever happens', () => {
  const text = fc.constantFrom<PeerMessage>(
    { type: 'ready', note: null },
    { type: 'refused', reason: 'x' },
    { type: 'take' },
    { type: 'taken' },
    { type: 'failed', reason: 'x' },
    { type: 'released' },
    { type: 'abort', reason: 'x' },
  );

  test('the giver lets go only after "take" was sent, finishes once, and leaves no pin behind a failure', () => {
    const input = fc.oneof<fc.Arbitrary<GiverInput>[]>(
      text.map(message),
      fc.boolean().map((active) => closed(active)),
      fc.boolean().map((active): GiverInput => ({ type: 'timeout', active })),
      fc.boolean().map((active): GiverInput => ({ type: 'released', active })),
      fc.constant(connected),
      fc.constant(pinned),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 12 }), (inputs) => {
        const done = give([start, ...inputs]);
        const finishes = done.filter((action) => /^(ok|failed): /.test(action));
        expect(finishes.length).toBeLessThanOrEqual(1);
        const letGo = done.findIndex((action) => action.startsWith('let go'));
        if (letGo >= 0) expect(done.slice(0, letGo)).toContain('send take');
        const failed = finishes.some((action) => action.startsWith('failed'));
        if (failed && done.includes('pin')) expect(done).toContain('unpin');
      }),
    );
  });

  test('the taker claims only after "ready", and leaves nothing steered that it has not taken', () => {
    const input = fc.oneof<fc.Arbitrary<TakerInput>[]>(
      text.map(message),
      fc.constant({ type: 'steered', why: null }),
      fc.constant({ type: 'closed' }),
      fc.constant({ type: 'timeout' }),
      fc.boolean().map((ok): TakerInput => ({ type: 'claimed', ok, message: 'x' })),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 12 }), (inputs) => {
        const end: TakerInput[] = [{ type: 'claimed', ok: false, message: 'x' }, { type: 'closed' }];
        const done = take([{ type: 'prepare', request, objection: null }, ...inputs, ...end]);
        if (done.includes('claim')) expect(done.slice(0, done.indexOf('claim'))).toContain('send ready');
        if (!done.includes('send taken')) expect(done).toContain('unsteer');
      }),
    );
  });
});
