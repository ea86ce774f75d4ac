import { describe, expect, test } from 'vitest';
import { managerVariables, ServiceManager } from '../../../src/daemon/service-manager.ts';
import { statusLine, vitalFault } from '../../../src/daemon/vital-signs.ts';
import { type Duration, instant, millis, seconds } from '../../../src/lib/duration.ts';

const at = (ms: number) => instant(ms * 1_000);

function rig(watchdog: Duration | null = null) {
  const heard: string[] = [];
  const warnings: string[] = [];
  const rig = {
    heard,
    warnings,
    works: true,
    manager: new ServiceManager({
      send: (message) => {
        if (!rig.works) throw new Error('EAGAIN');
        heard.push(Buffer.from(message).toString());
      },
      watchdog,
      pid: 7,
      monotonicMicros: () => 42n,
      warn: (message) => warnings.push(message),
    }),
  };
  return rig;
}

describe('ServiceManager', () => {
  test('says what sd_notify(3) asks for', () => {
    const { manager, heard } = rig();
    manager.ready();
    manager.reloading();
    manager.stopping(seconds(2));
    expect(heard).toEqual([
      'READY=1\nMAINPID=7',
      'RELOADING=1\nMONOTONIC_USEC=42',
      'STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000',
    ]);
  });

  test('a status is one line, bounded, and sent when it changes', () => {
    const { manager, heard } = rig();
    manager.status('a\nREADY=1');
    manager.status('a\nREADY=1');
    manager.status('b'.repeat(2_000));
    expect(heard).toEqual(['STATUS=a READY=1', `STATUS=${'b'.repeat(512)}`]);
  });

  test('states that could not be sent are sent later, in order; a failure is told of once', () => {
    const it = rig();
    it.works = false;
    it.manager.ready();
    it.manager.reloading();
    it.manager.status('old by then');
    it.manager.tick(at(0), () => null);
    for (let i = 0; i < 100; i++) it.manager.ready();
    expect(it.warnings).toEqual(['the service manager cannot be told: EAGAIN']);
    it.works = true;
    it.manager.tick(at(1), () => null);
    expect(it.heard.slice(0, 2)).toEqual(['READY=1\nMAINPID=7', 'RELOADING=1\nMONOTONIC_USEC=42']);
    expect(it.heard).toHaveLength(16);
  });

  test('signs of life come once a second, or four times in a short watchdog, and not with a fault', () => {
    for (const [watchdog, every] of [
      [seconds(30), 1_000],
      [seconds(2), 500],
    ] as const) {
      const { manager, heard } = rig(watchdog);
      for (let ms = 0; ms < 3_000; ms += 100) manager.tick(at(ms), () => null);
      expect(heard).toEqual(Array(3_000 / every).fill('WATCHDOG=1'));
      for (let ms = 3_000; ms < 9_000; ms += 100) manager.tick(at(ms), () => 'worker 0 is stalled');
      expect(heard).toHaveLength(3_000 / every);
      manager.tick(at(9_000), () => null);
      expect(heard).toHaveLength(3_000 / every + 1);
    }
  });

  test('without a watchdog nobody is asked; without a socket nothing happens', () => {
    const { manager, heard } = rig();
    manager.tick(at(0), () => {
      throw new Error('asked');
    });
    expect(heard).toEqual([]);
    const warnings: string[] = [];
    const none = new ServiceManager({
      send: null,
      watchdog: null,
      pid: 1,
      monotonicMicros: () => 0n,
      warn: (message) => warnings.push(message),
    });
    none.ready();
    none.status('x');
    none.tick(at(0), () => null);
    expect(warnings).toEqual([]);
  });
});

test.each([
  [{}, null, null],
  [{ NOTIFY_SOCKET: '' }, null, null],
  [{ NOTIFY_SOCKET: '/run/n' }, '/run/n', null],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '5000' }, '@n', millis(5)],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '5000', WATCHDOG_PID: '7' }, '@n', millis(5)],
  // for another process: the one that started this one
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '5000', WATCHDOG_PID: '8' }, '@n', null],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: 'often' }, '@n', null],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '0' }, '@n', null],
  [{ WATCHDOG_USEC: '5000' }, null, null],
])('variables %j', (env, socket, watchdog) => {
  expect(managerVariables(env, 7)).toEqual({ socket, watchdog });
});

describe('vital signs', () => {
  type Vital = Parameters<typeof statusLine>[0];
  const worker = { worker: 0, state: 'running', connections: 0, loopLagSeconds: 0, restarts: 0 } as const;
  const router = (group: string, state: string) => ({ group, state });
  const backend = (eligible: boolean) => ({ eligible });
  const vital = (changes: object = {}): Vital =>
    ({
      workers: [worker],
      services: [{ name: 'web', backends: [backend(true), backend(false)] }],
      failover: {
        agent: 'running',
        unfitReason: null,
        routers: [router('a', 'Active'), router('a', 'Active'), router('b', 'Active'), router('b', 'Backup')],
      },
      ...changes,
    }) as unknown as Vital;

  test('well', () => {
    expect(vitalFault(vital())).toBeNull();
    expect(statusLine(vital())).toBe('a Active, b Active/Backup; web 1/2 backends');
    expect(statusLine(vital({ failover: null, services: [] }))).toBe('no services');
  });

  test('what a restart would mend is a fault; backends that are down are not', () => {
    const stalled = vital({ workers: [worker, { ...worker, worker: 1, state: 'stalled' }] });
    expect(vitalFault(stalled)).toBe('data-path worker 1 is stalled');
    const agent = { agent: 'dead', unfitReason: null, routers: [] };
    expect(vitalFault(vital({ failover: agent }))).toBe('the failover agent is dead');
    const starved = { agent: 'running', unfitReason: 'no service has an eligible backend', routers: [] };
    expect(vitalFault(vital({ failover: starved }))).toBeNull();
    expect(statusLine(vital({ failover: starved }))).toBe(
      'no service has an eligible backend; web 1/2 backends',
    );
  });
});
