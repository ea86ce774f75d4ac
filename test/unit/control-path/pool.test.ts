import { describe, expect, it } from 'vitest';
import { parseReply } from '../../../src/control-path/agent-check/reply.ts';
import { Pool, type PoolChange, type RuntimeState } from '../../../src/control-path/pool.ts';
import { type Instant, instant, seconds } from '../../../src/lib/duration.ts';
import type { ServiceSpec } from '../../../src/model/service.ts';
import {
  backendSpec,
  endpoint,
  healthSpec,
  passiveSpec,
  probeBad,
  probeOk,
  serviceSpec,
} from '../../support/specs.ts';

const slots = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

/** A pool with a clock in seconds and short words for its inputs. */
class Bench {
  readonly pool: Pool;
  now: Instant = instant(0);
  readonly said: string[] = [];
  lost: string[] = [];

  constructor(spec: ServiceSpec, runtime?: RuntimeState) {
    this.pool = new Pool({ spec, slotOf: (id) => slots.indexOf(id), runtime }, this.now);
    this.#note(this.pool.opening);
  }

  #note(change: PoolChange): PoolChange {
    this.said.push(...change.events.map((e) => [e.name, e.fields['backend']].filter(Boolean).join(' ')));
    this.lost.push(...change.lost);
    return change;
  }

  at(s: number): this {
    this.now = instant(seconds(s));
    return this;
  }

  probe(id: string, results: string): this {
    for (const r of results) this.#note(this.pool.probeResult(id, r === '+' ? probeOk : probeBad, this.now));
    return this;
  }

  fail(id: string, times: number): this {
    for (let i = 0; i < times; i++) this.#note(this.pool.traffic(id, 'connect-refused', this.now));
    return this;
  }

  works(id: string): this {
    this.#note(this.pool.traffic(id, 'connect-ok', this.now));
    return this;
  }

  admin(id: string, state: 'ready' | 'draining' | 'maintenance', persist = false): this {
    this.#note(this.pool.setAdmin(id, state, persist, this.now));
    return this;
  }

  weight(id: string, weight: number | null, persist = false): this {
    this.#note(this.pool.setWeight(id, weight, persist, this.now));
    return this;
  }

  /** A line of the backend's agent; null: no answer. */
  agent(id: string, line: string | null): this {
    const result =
      line === null
        ? ({ ok: false, reason: 'refused', detail: 'connection refused' } as const)
        : ({ ok: true, reply: parseReply(line) } as const);
    this.#note(this.pool.agentResult(id, result, this.now));
    return this;
  }

  reconfigure(spec: ServiceSpec): this {
    this.#note(this.pool.reconfigure(spec, this.now));
    return this;
  }

  tick(): this {
    this.#note(this.pool.tick(this.now));
    return this;
  }

  /** "a:eligible b:keep" */
  get stands(): string {
    return this.pool.set.members.map((m) => `${m.id}:${m.disposition}`).join(' ');
  }

  weightOf(id: string): number {
    return this.pool.set.members.find((m) => m.id === id)?.weight ?? Number.NaN;
  }

  /** What was said since the last time. */
  heard(): string[] {
    return this.said.splice(0);
  }
}

const three = [backendSpec('a'), backendSpec('b'), backendSpec('c')];
const checked = (over: Partial<ServiceSpec> = {}): ServiceSpec =>
  serviceSpec({ health: healthSpec(), backends: three, ...over });
const passive = (over: Partial<ServiceSpec> = {}): ServiceSpec =>
  serviceSpec({ passive: passiveSpec(), backends: three, ...over });

describe('health', () => {
  it('has unchecked backends eligible at once, and checked ones with their first success', () => {
    expect(new Bench(serviceSpec({ backends: three })).stands).toBe('a:eligible b:eligible c:eligible');
    const bench = new Bench(checked());
    expect(bench.stands).toBe('a:keep b:keep c:keep');
    expect(bench.probe('b', '+').stands).toBe('a:keep b:eligible c:keep');
    expect(bench.heard()).toEqual(['backend.up b']);
  });

  it('lets clients of a backend that goes down leave, and names it as lost', () => {
    const bench = new Bench(checked()).probe('a', '+').probe('b', '+').probe('c', '+');
    bench.heard();
    expect(bench.probe('a', '--').stands).toBe('a:eligible b:eligible c:eligible');
    expect(bench.probe('a', '-').stands).toBe('a:leave b:eligible c:eligible');
    expect(bench.lost).toEqual(['a']);
    expect(bench.heard()).toEqual(['backend.down a']);
  });

  it('ignores results of a backend that is gone', () => {
    const bench = new Bench(checked()).probe('z', '+');
    expect(bench.pool.set.version).toBe(1);
  });

  it('tells a set only when it changed, with a greater version', () => {
    const bench = new Bench(checked()).probe('a', '+');
    expect(bench.pool.set.version).toBe(2);
    expect(bench.pool.probeResult('a', probeOk, bench.now).set).toBeNull();
    expect(bench.pool.tick(bench.now).set).toBeNull();
    expect(bench.pool.reconfigure(checked(), bench.now).set).toBeNull();
    expect(bench.pool.set.version).toBe(2);
  });

  it('shows health, the last check and the age of the state', () => {
    const bench = new Bench(checked()).at(1).probe('a', '+').probe('b', '-').at(5);
    expect(bench.pool.view(bench.now)).toMatchObject([
      {
        id: 'a',
        address: '10.0.1.1:80',
        health: 'up',
        eligible: true,
        lastCheck: 'connected in 1ms',
        stateAgeMillis: 4_000,
      },
      { id: 'b', health: 'down', eligible: false, lastCheck: 'connection refused', stateAgeMillis: 4_000 },
      { id: 'c', health: 'checking', eligible: false, lastCheck: null, stateAgeMillis: 5_000 },
    ]);
    expect(new Bench(serviceSpec({ backends: three })).pool.view(instant(0))[0]).toMatchObject({
      health: 'unchecked',
      eligible: true,
      lastCheck: null,
    });
  });
});

describe('nobody eligible', () => {
  const withBackup = [backendSpec('a'), backendSpec('b', { backup: true })];

  it('uses backups only while no primary is eligible', () => {
    const bench = new Bench(checked({ backends: withBackup })).probe('a', '+').probe('b', '+');
    expect(bench.stands).toBe('a:eligible b:keep');
    expect(bench.probe('a', '---').stands).toBe('a:leave b:eligible');
    expect(bench.probe('a', '++').stands).toBe('a:eligible b:keep');
    expect(bench.heard()).not.toContain('service.none-eligible');
  });

  it('rejects by default, and says so once', () => {
    const bench = new Bench(checked()).probe('a', '-').probe('b', '-');
    expect(bench.heard()).toEqual(['backend.down a', 'backend.down b']);
    bench.probe('c', '-').probe('c', '-');
    expect(bench.heard()).toEqual(['backend.down c', 'service.none-eligible']);
    expect(bench.stands).toBe('a:leave b:leave c:leave');
    bench.probe('a', '++');
    expect(bench.heard()).toEqual(['backend.up a', 'service.eligible-again']);
  });

  it('fails open to primaries, but never to what the operator took out', () => {
    const bench = new Bench(
      checked({ noneEligible: 'fail-open', backends: [...three, backendSpec('d', { weight: 0 })] }),
    );
    bench.admin('b', 'maintenance').probe('a', '-').probe('b', '-').probe('c', '-').probe('d', '-');
    expect(bench.stands).toBe('a:eligible b:leave c:eligible d:leave');
    bench.admin('c', 'draining');
    expect(bench.stands).toBe('a:eligible b:leave c:leave d:leave');
  });

  it('says whether clients are refused, also when a policy finds nobody', () => {
    const bench = new Bench(serviceSpec({ noneEligible: 'fail-open', backends: [backendSpec('a')] }));
    const change = bench.pool.setAdmin('a', 'maintenance', false, bench.now);
    expect(change.events.at(-1)).toMatchObject({
      level: 'error',
      name: 'service.none-eligible',
      fields: { policy: 'fail-open', refusing: true },
    });
    expect(bench.pool.tick(bench.now).events).toEqual([]);
    const open = new Bench(checked({ noneEligible: 'fail-open', backends: [backendSpec('a')] }));
    expect(open.pool.probeResult('a', probeBad, open.now).events.at(-1)).toMatchObject({
      level: 'warn',
      fields: { refusing: false },
    });
  });

  it('takes backups regardless of health when the policy says so', () => {
    const bench = new Bench(checked({ noneEligible: 'backup', backends: withBackup }))
      .probe('a', '-')
      .probe('b', '-');
    expect(bench.stands).toBe('a:leave b:eligible');
  });

  it('applies no policy before the first verdicts are in', () => {
    const bench = new Bench(checked({ noneEligible: 'fail-open' })).probe('a', '-').probe('b', '-');
    expect(bench.stands).toBe('a:leave b:leave c:keep');
    expect(bench.probe('c', '-').stands).toBe('a:eligible b:eligible c:eligible');
    // from then on a new backend that is still being asked does not suspend it
    bench.reconfigure(checked({ noneEligible: 'fail-open', backends: [...three, backendSpec('d')] }));
    expect(bench.stands).toBe('a:eligible b:eligible c:eligible d:eligible');
  });

  it('says at once that a service without backends has none', () => {
    expect(new Bench(serviceSpec()).heard()).toEqual(['service.none-eligible']);
  });
});

describe('the operator', () => {
  it('drains, takes out and readmits', () => {
    const bench = new Bench(checked()).probe('a', '+').probe('b', '+').probe('c', '+');
    expect(bench.admin('a', 'draining').stands).toBe('a:keep b:eligible c:eligible');
    expect(bench.lost).toEqual([]);
    expect(bench.admin('a', 'maintenance').stands).toBe('a:leave b:eligible c:eligible');
    expect(bench.lost).toEqual(['a']);
    expect(bench.admin('a', 'ready').stands).toBe('a:eligible b:eligible c:eligible');
    expect(bench.heard().filter((e) => e === 'backend.admin a')).toHaveLength(3);
  });

  it('sets a weight; 0 keeps clients and takes no new ones; null goes back to the file', () => {
    const bench = new Bench(serviceSpec({ backends: [backendSpec('a', { weight: 10 }), backendSpec('b')] }));
    bench.weight('a', 4);
    expect(bench.weightOf('a')).toBe(4);
    expect(bench.weight('a', 0).stands).toBe('a:keep b:eligible');
    bench.weight('a', null);
    expect([bench.weightOf('a'), bench.stands]).toEqual([10, 'a:eligible b:eligible']);
    expect(bench.heard()).toEqual(['backend.weight a', 'backend.weight a', 'backend.weight a']);
  });

  it('names what is wrong', () => {
    const bench = new Bench(serviceSpec({ backends: three }));
    expect(() => bench.admin('z', 'ready')).toThrow(
      expect.objectContaining({ code: 'unknown-backend', hint: 'there is: a, b, c' }),
    );
    expect(() => bench.weight('a', 257)).toThrow(expect.objectContaining({ code: 'invalid-weight' }));
    expect(() => bench.weight('a', Number.NaN)).toThrow(expect.objectContaining({ code: 'invalid-weight' }));
  });

  it('keeps over a reload what was set to persist, and nothing else', () => {
    const spec = serviceSpec({ backends: three });
    const bench = new Bench(spec)
      .admin('a', 'maintenance', true)
      .admin('b', 'draining')
      .weight('c', 7, true)
      .weight('b', 3);
    bench.heard();
    bench.reconfigure(serviceSpec({ backends: [three[0]!, backendSpec('b', { weight: 5 }), three[2]!] }));
    expect(bench.stands).toBe('a:leave b:eligible c:eligible');
    expect([bench.weightOf('b'), bench.weightOf('c')]).toEqual([5, 7]);
    expect(bench.heard()).toEqual(['backend.weight b', 'backend.admin b']);
    const kept = bench.pool.runtimeState();
    expect(Object.fromEntries(kept)).toEqual({
      a: { admin: 'maintenance', weight: null },
      c: { admin: null, weight: 7 },
    });
    const successor = new Bench(spec, kept);
    expect(successor.stands).toBe('a:leave b:eligible c:eligible');
    expect(successor.weightOf('c')).toBe(7);
    expect(successor.reconfigure(spec).weightOf('c')).toBe(7);
  });
});

describe('flapping', () => {
  it('holds a backend down, says so, and lets it up when the operator vouches for it', () => {
    const bench = new Bench(checked()).probe('a', '+').probe('b', '+');
    for (let i = 0; i < 4; i++) bench.probe('a', '++---');
    bench.probe('a', '++++');
    expect(bench.stands).toBe('a:leave b:eligible c:keep');
    expect(bench.pool.view(bench.now)[0]?.lastCheck).toBe(
      'connected in 1ms; flapping, held down for 20s more',
    );
    expect(bench.admin('a', 'ready').probe('a', '+').stands).toBe('a:eligible b:eligible c:keep');
  });
});

describe('reload', () => {
  it('keeps what is known of backends that stay, and checks new or moved ones first', () => {
    const bench = new Bench(checked()).probe('a', '+').probe('b', '+').probe('c', '-');
    const moved = backendSpec('b', { endpoint: endpoint('10.0.1.99:80') });
    bench.reconfigure(checked({ backends: [backendSpec('d'), moved, three[0]!, three[2]!] }));
    expect(bench.stands).toBe('d:keep b:keep a:eligible c:leave');
  });

  it('does not take unchecked backends out of service when a check is added', () => {
    const bench = new Bench(serviceSpec({ backends: three })).reconfigure(checked());
    expect(bench.stands).toBe('a:eligible b:eligible c:eligible');
    expect(bench.probe('a', '---').stands).toBe('a:leave b:eligible c:eligible');
    expect(bench.reconfigure(serviceSpec({ backends: three })).stands).toBe(
      'a:eligible b:eligible c:eligible',
    );
  });

  it('tells a changed order: `first` fills in that order', () => {
    const bench = new Bench(serviceSpec({ backends: three })).reconfigure(
      serviceSpec({ backends: [...three].reverse() }),
    );
    expect(bench.stands).toBe('c:eligible b:eligible a:eligible');
    expect(bench.pool.set.version).toBe(2);
  });
});

describe('passive ejection', () => {
  it('ejects after consecutive failures and readmits after base x count', () => {
    const bench = new Bench(passive()).fail('a', 2).works('a').fail('a', 2);
    expect(bench.stands).toBe('a:eligible b:eligible c:eligible');
    expect(bench.fail('a', 1).stands).toBe('a:leave b:eligible c:eligible');
    expect(bench.lost).toEqual([]); // ejected on suspicion: its connections may well be fine
    expect(bench.pool.deadline).toBe(seconds(10));
    expect(bench.at(9.9).tick().stands).toContain('a:leave');
    expect(bench.at(10).tick().stands).toContain('a:eligible');
    expect(bench.heard()).toEqual(['backend.ejected a', 'backend.returned a']);
    bench.fail('a', 3);
    expect(bench.pool.deadline).toBe(seconds(30)); // the second one lasts 2 x base
  });

  it('caps the length and forgives with time', () => {
    const bench = new Bench(passive());
    let t = 0;
    for (const length of [10, 20, 30, 40, 50, 60, 60]) {
      bench.at(t).fail('a', 3);
      expect(bench.pool.deadline).toBe(seconds(t + length));
      t += length;
      bench.at(t).tick();
    }
    t += 40; // forgives four of seven
    bench.at(t).fail('a', 3);
    expect(bench.pool.deadline).toBe(seconds(t + 40));
  });

  it('ejects no more than the cap, at least one where that is none, and nobody at 0 %', () => {
    const ten = slots.map((id) => backendSpec(id));
    const count = (percent: number, backends = ten): number => {
      const bench = new Bench(passive({ backends, passive: passiveSpec({ maxEjectedPercent: percent }) }));
      for (const { id } of backends) bench.fail(id, 5);
      return bench.pool.view(bench.now).filter((b) => b.ejected).length;
    };
    expect([count(0), count(5), count(30), count(39), count(100)]).toEqual([0, 1, 3, 3, 9]);
    expect([count(100, ten.slice(0, 1)), count(10, ten.slice(0, 2))]).toEqual([0, 1]);
  });

  it('ejects a backend that the cap kept with its next failure once there is room', () => {
    const bench = new Bench(passive()).fail('a', 3).fail('b', 3);
    expect(bench.stands).toBe('a:leave b:eligible c:eligible');
    expect(bench.at(10).fail('b', 1).stands).toBe('a:eligible b:leave c:eligible');
  });

  it('brings an ejected backend back when it is the last one that could serve', () => {
    const bench = new Bench(passive({ health: healthSpec() }))
      .probe('a', '+')
      .probe('b', '+')
      .probe('c', '+');
    bench.fail('a', 3).probe('b', '---');
    bench.heard();
    expect(bench.probe('c', '---').stands).toBe('a:eligible b:leave c:leave');
    expect(bench.heard()).toEqual(['backend.down c', 'backend.returned a']);
    expect(bench.fail('a', 9).stands).toBe('a:eligible b:leave c:leave');
  });

  it('returns what a smaller set may not hold out', () => {
    const ten = slots.map((id) => backendSpec(id));
    const bench = new Bench(passive({ backends: ten })).fail('b', 3).at(1).fail('a', 3).at(2).fail('c', 3);
    bench.reconfigure(passive({ backends: ten.slice(0, 4) }));
    expect(bench.stands).toBe('a:leave b:eligible c:leave d:eligible');
    bench.reconfigure(passive({ backends: ten.slice(0, 4), passive: null }));
    expect(bench.stands).toBe('a:eligible b:eligible c:eligible d:eligible');
  });

  it('is forgotten when the operator sets the backend ready', () => {
    const bench = new Bench(passive()).fail('a', 3).admin('a', 'ready');
    expect(bench.stands).toBe('a:eligible b:eligible c:eligible');
    expect(bench.fail('a', 3).pool.deadline).toBe(seconds(10));
  });
});

describe('slow start', () => {
  const slow = checked({
    slowStart: seconds(20),
    backends: [backendSpec('a', { weight: 100 }), backendSpec('b')],
  });

  it('never happens at process start', () => {
    const bench = new Bench(slow).probe('a', '+');
    expect([bench.weightOf('a'), bench.pool.deadline]).toEqual([100, null]);
  });

  it('climbs from 10 % to 100 % in steps after a recovery, and no deadline lies in the past', () => {
    const bench = new Bench(slow).probe('a', '+').probe('b', '+').probe('a', '---').at(5).probe('a', '++');
    const seen = [bench.weightOf('a')];
    for (let steps = 0; bench.pool.deadline !== null; steps++) {
      expect(steps).toBeLessThan(25);
      expect(bench.pool.deadline).toBeGreaterThan(bench.now);
      bench.now = bench.pool.deadline;
      bench.tick();
      seen.push(bench.weightOf('a'));
    }
    expect(bench.now).toBe(seconds(25));
    expect(seen).toHaveLength(21);
    expect(seen[0]).toBe(10);
    expect(seen[10]).toBe(55);
    expect(seen.at(-1)).toBe(100);
    expect([...seen].sort((x, y) => x - y)).toEqual(seen);
  });

  it('starts over when the backend goes down again, and follows an ejection and a maintenance', () => {
    const bench = new Bench({ ...slow, passive: passiveSpec() }).probe('a', '+').probe('b', '+');
    bench.probe('a', '---').probe('a', '++').at(10).tick();
    expect(bench.weightOf('a')).toBe(55);
    expect(bench.probe('a', '---').probe('a', '++').weightOf('a')).toBe(10);
    bench.at(40).tick().fail('a', 3).at(50).tick();
    expect(bench.weightOf('a')).toBe(10);
    bench.at(80).tick().admin('a', 'maintenance').at(81).admin('a', 'ready');
    expect(bench.weightOf('a')).toBe(10);
    bench.at(120).tick().admin('a', 'draining').admin('a', 'ready');
    expect(bench.weightOf('a')).toBe(100);
  });
});

describe('agents', () => {
  const agentCheck = {
    endpoint: endpoint('10.0.1.1:9777'),
    interval: seconds(2),
    timeout: seconds(2),
    send: null,
  };
  const asked = [
    backendSpec('a', { agentCheck, weight: 10 }),
    backendSpec('b', { weight: 10, maxConnections: 50, agentCheck }),
    backendSpec('c', { weight: 10 }),
  ];
  const bench = (over: Partial<ServiceSpec> = {}): Bench =>
    new Bench(serviceSpec({ backends: asked, ...over }));
  const all = 'a:eligible b:eligible c:eligible';

  it('takes a backend out that its agent calls down, also when its health check is well, until it says up', () => {
    const b = new Bench(checked({ backends: asked, onDown: 'close' }))
      .probe('a', '+')
      .probe('b', '+')
      .probe('c', '+');
    b.heard();
    for (const word of ['down', 'fail', 'stopped']) {
      expect(b.agent('a', `${word} # on purpose`).stands).toBe('a:leave b:eligible c:eligible');
      expect(b.probe('a', '++').agent('a', null).agent('a', 'ready 100%').stands).toBe(
        'a:leave b:eligible c:eligible',
      );
      expect(b.agent('a', 'up').stands).toBe(all);
    }
    expect(b.lost).toEqual(['a', 'a', 'a']);
    expect(b.probe('a', '---').agent('a', 'up').stands).toBe('a:leave b:eligible c:eligible');
  });

  it('changes nothing when an agent does not answer', () => {
    expect(bench().agent('a', null).agent('b', null).stands).toBe(all);
    const b = bench().agent('a', '50% maxconn:7').agent('a', null);
    expect(b.pool.set.members[0]).toMatchObject({ weight: 5, maxConnections: 7, disposition: 'eligible' });
  });

  it('keeps the administrative and the operational word apart', () => {
    const b = bench().agent('a', 'drain');
    expect(b.stands).toBe('a:keep b:eligible c:eligible');
    expect(b.agent('a', 'up').stands).toBe('a:keep b:eligible c:eligible');
    expect(b.agent('a', 'down').agent('a', 'ready').stands).toBe('a:leave b:eligible c:eligible');
    expect(b.agent('a', 'up').stands).toBe(all);
    expect(b.agent('a', 'maint').stands).toBe('a:leave b:eligible c:eligible');
    expect(b.agent('a', 'ready').stands).toBe(all);
  });

  it("does not let the agent take the operator's word back, nor the other way round", () => {
    const b = bench().admin('a', 'draining');
    expect(b.agent('a', 'ready up').stands).toBe('a:keep b:eligible c:eligible');
    b.admin('a', 'ready').agent('a', 'maint').admin('a', 'draining');
    expect(b.stands).toBe('a:leave b:eligible c:eligible');
    expect(b.agent('a', 'ready').stands).toBe('a:keep b:eligible c:eligible');
  });

  it('forgets what an agent said when the operator sets ready, until it says so again', () => {
    const b = bench().agent('a', 'down, maint, 0%, maxconn:1').agent('a', null);
    expect(b.admin('a', 'ready').stands).toBe(all);
    expect(b.pool.set.members[0]).toMatchObject({ weight: 10, maxConnections: null });
    expect(b.agent('a', 'down').stands).toBe('a:leave b:eligible c:eligible');
  });

  it('scales the weight that is configured or set, within its bounds; 0% drains', () => {
    const b = bench().agent('a', '75%');
    expect(b.weightOf('a')).toBe(7.5);
    expect(b.weight('a', 20).weightOf('a')).toBe(15);
    expect(b.weight('a', null).agent('a', '25600%').weightOf('a')).toBe(256);
    expect(b.agent('a', '0%').stands).toBe('a:keep b:eligible c:eligible');
    expect(b.agent('a', '1%').stands).toBe(all);
    expect(b.agent('a', 'up').weightOf('a')).toBe(0.1);
  });

  it('takes a ceiling in place of the configured one; 0 is none', () => {
    const ceiling = (b: Bench): number | null | undefined => b.pool.set.members[1]?.maxConnections;
    const b = bench();
    expect(ceiling(b)).toBe(50);
    expect(ceiling(b.agent('b', 'maxconn:30'))).toBe(30);
    expect(ceiling(b.agent('b', 'maxconn:x'))).toBe(30);
    expect(ceiling(b.agent('b', 'maxconn:0'))).toBeNull();
  });

  it('tells what takes clients away or gives them back, not every weight', () => {
    const b = bench();
    b.heard();
    b.agent('a', 'up 100%').agent('a', '50%').agent('a', '51%');
    expect(b.heard()).toEqual([]);
    expect(b.agent('a', '0%').agent('a', '0%').agent('a', '9%').heard()).toEqual([
      'backend.agent a',
      'backend.agent a',
    ]);
    expect(b.agent('a', null).agent('a', null).agent('a', '9%').heard()).toEqual([
      'backend.agent a',
      'backend.agent a',
    ]);
  });

  it('begins anew with another agent, and goes on with the same one at another interval', () => {
    const b = bench().agent('a', 'down');
    const every = (change: object): ServiceSpec =>
      serviceSpec({ backends: asked.map((one) => ({ ...one, agentCheck: { ...agentCheck, ...change } })) });
    expect(b.reconfigure(every({ interval: seconds(5) })).stands).toBe('a:leave b:eligible c:eligible');
    expect(b.reconfigure(every({ send: 'x' })).stands).toBe(all);
    b.agent('a', 'down').reconfigure(serviceSpec({ backends: three }));
    expect(b.stands).toBe(all);
    expect(b.agent('a', 'down').agent('nobody', 'down').stands).toBe(all);
  });

  it('eases a backend in that comes back', () => {
    const b = bench({ slowStart: seconds(10) })
      .at(1)
      .agent('a', 'down')
      .at(2)
      .agent('a', 'up');
    expect(b.weightOf('a')).toBe(1);
    expect(b.at(12).tick().weightOf('a')).toBe(10);
  });
});
