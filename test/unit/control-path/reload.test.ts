import { describe, expect, it } from 'vitest';
import { diffConfig } from '../../../src/config/diff.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { planReload, type ReloadPlan } from '../../../src/control-path/reload.ts';
import { formatEndpoint, parsePrefix } from '../../../src/lib/ip.ts';

const environment = {
  hostname: () => 'test',
  interfaces: () => [{ name: 'eth0', addresses: [parsePrefix('10.0.0.1/24')!] }],
  groups: () => [],
  programFault: () => undefined,
  secretFault: () => undefined,
  tokenFault: () => undefined,
  tlsFault: () => undefined,
};

const service = (name: string, port: number, more = 'protocol = "tcp"'): string =>
  `[[service]]\nname = "${name}"\nlisten = ["10.0.0.100:${port}"]\n${more}\n[[service.backend]]\naddress = "10.0.1.1:80"\n`;
const failover = (priority: number): string =>
  `[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 51\npriority = ${priority}\naddresses = ["10.0.0.100/24"]\n`;

const plan = (before: string, after: string): ReloadPlan =>
  planReload(
    diffConfig(
      parseConfig(before, '/a.toml', { environment }),
      parseConfig(after, '/a.toml', { environment }),
    ),
  );
const steps = (of: ReloadPlan): string[] =>
  of.steps.map((step) => {
    if (step.type === 'open' || step.type === 'change') return `${step.type} ${step.spec.name}`;
    if (step.type === 'close') return `close ${step.service}${step.drain ? '' : ' now'}`;
    return step.type;
  });
const listeners = (of: ReloadPlan): string[] =>
  of.listeners.map((l) => `${l.service} ${l.protocol} ${formatEndpoint(l.endpoint)}`);

describe('the plan of a reload', () => {
  const a = service('a', 80);

  it('is empty when nothing differs', () => {
    expect(plan(a + failover(100), a + failover(100))).toEqual({
      listeners: [],
      joining: { services: 0, backends: 0 },
      steps: [],
    });
  });

  it('opens listeners of new services only', () => {
    const p = plan(a, a + service('b', 81));
    expect(listeners(p)).toEqual(['b tcp 10.0.0.100:81']);
    expect(steps(p)).toEqual(['open b']);
    expect(p.joining).toEqual({ services: 1, backends: 1 });
  });

  it('touches no listener when a setting changes', () => {
    const p = plan(a, service('a', 80, 'protocol = "tcp"\nretries = 1'));
    expect(p.listeners).toEqual([]);
    expect(steps(p)).toEqual(['change a']);
  });

  it('opens the new and closes the old address of a service that moves', () => {
    const p = plan(a, service('a', 8080));
    expect(listeners(p)).toEqual(['a tcp 10.0.0.100:8080']);
    const [change] = p.steps;
    expect(change?.type === 'change' && change.closed.map(formatEndpoint)).toEqual(['10.0.0.100:80']);
  });

  it('opens services before failover starts and closes them after it ends', () => {
    expect(steps(plan(a, a + service('b', 81) + failover(100)))).toEqual(['open b', 'failover-start']);
    expect(steps(plan(a + service('b', 81) + failover(100), a))).toEqual(['failover-stop', 'close b']);
    expect(steps(plan(a + failover(100), a + failover(150)))).toEqual(['failover-configure']);
  });

  it('closes a service at once whose name another protocol takes over', () => {
    const p = plan(a, service('a', 80, 'protocol = "udp"'));
    expect(listeners(p)).toEqual(['a udp 10.0.0.100:80']);
    expect(steps(p)).toEqual(['close a now', 'open a']);
  });
});
