import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Notifier, notifyState } from '../../../src/failover/notifier.ts';
import { NotifyQueue } from '../../../src/failover/notify-queue.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import type { EventInput } from '../../../src/model/event.ts';
import type { FailoverGroupSpec, NotifySpec } from '../../../src/model/failover.ts';
import type { TransitionRecord } from '../../../src/model/history.ts';
import { transitionOf } from '../../support/fake-admin.ts';

let directory: string;
let events: EventInput[];
let notifier: Notifier;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-notify-'));
  events = [];
  notifier = new Notifier({ emit: (event) => events.push(event), clock: systemClock });
});
afterEach(async () => {
  await notifier.close(millis(0));
  rmSync(directory, { recursive: true, force: true });
});

const shell = (script: string) => ['/bin/sh', '-c', script] as const;
const log = (): string => readFileSync(join(directory, 'log'), 'utf8');
const told = (): readonly [string, ...string[]] =>
  shell(`echo $TANDEM_STATE $TANDEM_REASON >> ${join(directory, 'log')}`);

function use(notify: Partial<NotifySpec>): void {
  const spec: NotifySpec = {
    active: null,
    backup: null,
    fault: null,
    stopped: null,
    timeout: seconds(5),
    beforeClaim: null,
    beforeClaimTimeout: seconds(5),
    onTimeout: 'proceed',
    ...notify,
  };
  notifier.configure([{ name: 'main', notify: spec } as FailoverGroupSpec]);
}

function move(to: TransitionRecord['to'], reason: TransitionRecord['reason']): void {
  notifier.tell({ ...transitionOf(), to, reason });
}

const named = (name: string): EventInput[] => events.filter((event) => event.name === name);

describe('Notifier', () => {
  it('tells every state in order, one at a time, however fast they come', async () => {
    const slow = shell(
      `echo begin $TANDEM_STATE >> ${directory}/log; sleep 0.05; echo end $TANDEM_STATE >> ${directory}/log`,
    );
    use({ active: slow, backup: slow, fault: slow, stopped: slow });
    move('Backup', 'startup');
    move('Active', 'active-down-expired');
    move('Initialize', 'link-down');
    move('Backup', 'link-up');
    move('Initialize', 'shutdown');
    await notifier.close(seconds(5));
    const states = ['backup', 'active', 'fault', 'backup', 'stopped'];
    expect(log()).toBe(states.map((state) => `begin ${state}\nend ${state}\n`).join(''));
    expect(named('notify.finished')).toHaveLength(5);
  });

  it('says what happened in the environment, and hands nothing else on', async () => {
    process.env['TANDEM_TEST_SECRET'] = 'x';
    use({ active: shell(`env | sort > ${directory}/log`) });
    move('Active', 'preempt');
    await notifier.close(seconds(5));
    delete process.env['TANDEM_TEST_SECRET'];
    expect(
      log()
        .split('\n')
        .filter((line) => line.startsWith('TANDEM_')),
    ).toEqual([
      'TANDEM_ADDRESSES=10.0.0.100/24',
      'TANDEM_FAMILY=4',
      'TANDEM_GROUP=main',
      'TANDEM_INTERFACE=eth0',
      'TANDEM_PEER=10.0.0.2',
      'TANDEM_PRIORITY=200',
      'TANDEM_REASON=preempt',
      'TANDEM_STATE=active',
      'TANDEM_VRID=51',
    ]);
  });

  it('kills a program that hangs, with its children, and goes on', async () => {
    use({ active: shell('sleep 1000 & sleep 1000'), backup: told(), timeout: millis(100) });
    move('Active', 'preempt');
    move('Backup', 'handover');
    await notifier.close(seconds(5));
    expect(log()).toBe('backup handover\n');
    expect(named('notify.failed').map(({ message }) => message)).toEqual([
      expect.stringContaining('no end within 100ms, killed'),
    ]);
  });

  it('says the first line of a program that fails, and why one cannot run', async () => {
    use({ active: shell('echo disk full >&2; exit 3'), backup: ['/nonexistent/program'] });
    move('Active', 'preempt');
    move('Backup', 'handover');
    await notifier.close(seconds(5));
    const [failed, missing] = named('notify.failed').map(({ message }) => message);
    expect(failed).toContain('exit status 3: disk full');
    expect(missing).toContain('/nonexistent/program: no such program');
  });

  it('does not tell the state again that was told last', async () => {
    use({ active: told() });
    move('Active', 'preempt');
    move('Active', 'resumed');
    await notifier.close(seconds(5));
    expect(log()).toBe('active preempt\n');
  });

  it('tells a group that a reload dropped that it stops', async () => {
    use({ stopped: told() });
    notifier.configure([]);
    move('Initialize', 'shutdown');
    await notifier.close(seconds(5));
    expect(log()).toBe('stopped shutdown\n');
  });

  it('ends what runs when the time to close is over, and says what was dropped', async () => {
    use({ active: shell('sleep 1000'), backup: told(), timeout: seconds(300) });
    move('Active', 'preempt');
    move('Backup', 'handover');
    await notifier.close(millis(50));
    expect(named('notify.failed')).toHaveLength(2);
  });
});

describe('before_claim', () => {
  const ask = () => notifier.beforeClaim(transitionOf() as TransitionRecord);

  it('lets the router become active with exit status 0, and with any other not', async () => {
    use({ beforeClaim: shell('[ "$TANDEM_STATE" = active ]') });
    expect((await ask()).proceed).toBe(true);
    use({ beforeClaim: shell('echo the database is elsewhere; exit 1') });
    expect(await ask()).toEqual({ proceed: false, why: 'exit status 1: the database is elsewhere' });
    expect(named('notify.vetoed')).toHaveLength(1);
    // a veto is an answer, not a failure
    expect(named('notify.failed')).toHaveLength(0);
  });

  it.each([
    ['proceed', true],
    ['refuse', false],
  ] as const)('without an answer in time, or a program: %s', async (onTimeout, proceed) => {
    use({ beforeClaim: shell('sleep 1000'), beforeClaimTimeout: millis(50), onTimeout });
    expect(await ask()).toMatchObject({ proceed, why: 'no end within 50ms, killed' });
    use({ beforeClaim: ['/nonexistent/program'], onTimeout });
    expect((await ask()).proceed).toBe(proceed);
  });

  it('does not wait for programs that are being told', async () => {
    use({ active: shell('sleep 1000'), timeout: seconds(300), beforeClaim: shell('exit 0') });
    move('Active', 'preempt');
    expect((await ask()).proceed).toBe(true);
    await notifier.close(millis(0));
  });
});

describe('NotifyQueue', () => {
  it('drops what waits for a router when there is too much of it, and keeps the newest', () => {
    const queue = new NotifyQueue<{ key: string; n: number }>();
    queue.push({ key: 'other', n: -1 });
    for (let n = 0; n < 8; n++) expect(queue.push({ key: 'flaps', n })).toEqual([]);
    expect(queue.push({ key: 'flaps', n: 8 }).map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([queue.next()?.n, queue.next()?.n, queue.next()]).toEqual([-1, 8, undefined]);
  });
});

it('notifyState: Initialize is a fault unless it was wanted', () => {
  expect(notifyState({ to: 'Initialize', reason: 'shutdown' })).toBe('stopped');
  expect(notifyState({ to: 'Initialize', reason: 'agent-lost' })).toBe('fault');
});
