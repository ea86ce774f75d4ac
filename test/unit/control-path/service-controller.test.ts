import { describe, expect, it } from 'vitest';
import { failed, type Probe, passed } from '../../../src/control-path/health/probe.ts';
import { ProbeGate } from '../../../src/control-path/health/probe-gate.ts';
import { ServiceController } from '../../../src/control-path/service-controller.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import type { ServiceSpec } from '../../../src/model/service.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { backendSpec, endpoint, healthSpec, passiveSpec, serviceSpec } from '../../support/specs.ts';

const backends = ['a', 'b'].map((id, i) => backendSpec(id, { endpoint: endpoint(`10.0.1.${i + 1}:80`) }));

/** A controller over a fake network: addresses in `broken` refuse. */
function bench(over: Partial<ServiceSpec> = {}) {
  const clock = new ManualClock();
  const broken = new Set<string>();
  const log: string[] = [];
  const probe: Probe = async (_spec, { address }) =>
    broken.has(address.text) ? failed('refused', 'connection refused') : passed('connected');
  const controller = new ServiceController({
    spec: serviceSpec({ health: healthSpec(), backends, ...over }),
    clock,
    random: () => 0.5,
    gate: new ProbeGate(10),
    probe,
    ask: async () => ({ ok: false, reason: 'refused', detail: 'nobody there' }),
    slotOf: (id) => ['a', 'b', 'c'].indexOf(id),
    onSet: (set) =>
      log.push(`set ${set.members.map((m) => `${m.id}:${m.disposition}:${m.weight}`).join(' ')}`),
    emit: (event) => log.push(event.name),
    onBackendDown: (id) => log.push(`close ${id}`),
    onProbe: (id, result) => log.push(`probe ${id} ${result.ok ? 'ok' : result.reason}`),
  });
  /** Moves on and returns what happened, probes left out. */
  const wait = async (ms: number): Promise<string[]> => {
    await clock.advanceAsync(millis(ms));
    return log.splice(0).filter((line) => !line.startsWith('probe'));
  };
  return { clock, broken, log, controller, wait };
}

describe('the service controller', () => {
  it('has a set before it starts, then tells what probes find', async () => {
    const { controller, wait, clock } = bench();
    expect(controller.set.members.map((m) => [m.id, m.slot, m.disposition])).toEqual([
      ['a', 0, 'keep'],
      ['b', 1, 'keep'],
    ]);
    expect(clock.pending).toBe(0);
    controller.start();
    expect(await wait(0)).toEqual(['set a:eligible:1 b:keep:1', 'backend.up']);
    expect(await wait(200)).toEqual(['set a:eligible:1 b:eligible:1', 'backend.up']);
    expect(await wait(10_000)).toEqual([]);
    controller.stop();
  });

  it('tells the set before the event, and asks to close connections last, when `on_down` says so', async () => {
    for (const onDown of ['close', 'keep'] as const) {
      const { controller, wait, broken } = bench({ onDown });
      controller.start();
      await wait(1_000);
      broken.add('10.0.1.1');
      const seen = await wait(4_000);
      expect(seen).toEqual([
        'set a:leave:1 b:eligible:1',
        'backend.down',
        ...(onDown === 'close' ? ['close a'] : []),
      ]);
      controller.stop();
    }
  });

  it('asks the pool again at its deadline: slow start and the end of an ejection', async () => {
    const { controller, wait } = bench({ health: null, passive: passiveSpec(), slowStart: seconds(20) });
    controller.start();
    for (let i = 0; i < 3; i++) controller.onTraffic('a', 'connect-timeout');
    expect(await wait(9_999)).toEqual(['set a:leave:1 b:eligible:1', 'backend.ejected']);
    expect(await wait(1)).toEqual(['set a:eligible:0.1 b:eligible:1', 'backend.returned']);
    expect(await wait(20_000)).toHaveLength(20);
    expect(controller.snapshot()[0]).toMatchObject({
      id: 'a',
      effectiveWeight: 1,
      health: 'unchecked',
      ejected: false,
    });
    controller.stop();
  });

  it('takes commands and hands persistent ones to a successor', async () => {
    const { controller, wait } = bench({ health: null, onDown: 'close' });
    controller.start();
    controller.setAdmin('a', 'maintenance', true);
    controller.setWeight('b', 9, false);
    expect(await wait(0)).toEqual([
      'set a:leave:1 b:eligible:1',
      'backend.admin',
      'close a',
      'set a:leave:1 b:eligible:9',
      'backend.weight',
    ]);
    expect(Object.fromEntries(controller.exportRuntimeState())).toEqual({
      a: { admin: 'maintenance', weight: null },
    });
    expect(() => controller.setAdmin('z', 'ready', false)).toThrow('web has no backend z');
    controller.stop();
  });

  it('reconfigures: new backends are probed, check settings change, state stays', async () => {
    const { controller, wait, broken } = bench();
    controller.start();
    await wait(1_000);
    const c = backendSpec('c', { endpoint: endpoint('10.0.1.3:80') });
    controller.reconfigure({ ...controller.spec, backends: [...backends, c] });
    expect(await wait(0)).toEqual([
      'set a:eligible:1 b:eligible:1 c:keep:1',
      'set a:eligible:1 b:eligible:1 c:eligible:1',
      'backend.up',
    ]);
    controller.reconfigure({ ...controller.spec, health: null });
    broken.add('10.0.1.1');
    expect(await wait(60_000)).toEqual([]);
    controller.stop();
  });

  it('is silent and without timers once stopped', async () => {
    const { controller, wait, clock, broken } = bench({ slowStart: seconds(20), passive: passiveSpec() });
    controller.start();
    await wait(1_000);
    broken.add('10.0.1.1');
    controller.stop();
    controller.onTraffic('a', 'connect-refused');
    controller.setAdmin('a', 'draining', false);
    controller.stop();
    controller.start();
    expect(await wait(60_000)).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
