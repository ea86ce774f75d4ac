import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReply } from '../../src/control-path/agent-check/reply.ts';
import { ejectionCap } from '../../src/control-path/ejection.ts';
import { Pool, type PoolChange } from '../../src/control-path/pool.ts';
import type { BackendView } from '../../src/control-path/pool-backend.ts';
import { instant, seconds } from '../../src/lib/duration.ts';
import type { TrafficOutcome } from '../../src/model/health.ts';
import {
  ADMIN_STATES,
  type AdminState,
  type BackendSpec,
  type NoneEligible,
  type ServiceSpec,
} from '../../src/model/service.ts';
import {
  backendSpec,
  endpoint,
  healthSpec,
  passiveSpec,
  probeBad,
  probeOk,
  serviceSpec,
} from '../support/specs.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];
const AGENT = { endpoint: endpoint('10.0.1.1:9777'), interval: seconds(2), timeout: seconds(2), send: null };

const backends = fc
  .uniqueArray(
    fc.record({
      id: fc.constantFrom(...IDS),
      weight: fc.integer({ min: 0, max: 9 }),
      backup: fc.boolean(),
      agentCheck: fc.option(fc.constant(AGENT)),
    }),
    { selector: (b) => b.id, maxLength: 5 },
  )
  .map((list) => list.map(({ id, ...over }) => backendSpec(id, over)));

const specs = fc
  .record({
    backends,
    noneEligible: fc.constantFrom<NoneEligible>('reject', 'fail-open', 'backup'),
    checked: fc.boolean(),
    percent: fc.option(fc.integer({ min: 0, max: 100 })),
    slow: fc.integer({ min: 0, max: 20 }),
  })
  .map(
    ({ backends, noneEligible, checked, percent, slow }): ServiceSpec =>
      serviceSpec({
        backends,
        noneEligible,
        health: checked ? healthSpec() : null,
        passive: percent === null ? null : passiveSpec({ failures: 2, maxEjectedPercent: percent }),
        slowStart: seconds(slow),
      }),
  );

type Input =
  | { kind: 'probe'; id: string; ok: boolean }
  | { kind: 'traffic'; id: string; outcome: TrafficOutcome }
  | { kind: 'admin'; id: string; state: AdminState; persist: boolean }
  | { kind: 'weight'; id: string; weight: number | null; persist: boolean }
  | { kind: 'agent'; id: string; line: string | null }
  | { kind: 'tick' }
  | { kind: 'reconfigure'; spec: ServiceSpec };

const id = fc.constantFrom(...IDS);
const inputs = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 5 }),
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('probe' as const), id, ok: fc.boolean() }) },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('traffic' as const),
          id,
          outcome: fc.constantFrom<TrafficOutcome>('connect-ok', 'connect-refused', 'icmp-unreachable'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('admin' as const),
          id,
          state: fc.constantFrom(...ADMIN_STATES),
          persist: fc.boolean(),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('weight' as const),
          id,
          weight: fc.option(fc.integer({ min: 0, max: 9 })),
          persist: fc.boolean(),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('agent' as const),
          id,
          line: fc.option(
            fc.constantFrom(
              'up',
              'down',
              'drain',
              'ready',
              'maint up',
              '0%',
              '50%',
              '100% ready up',
              'maxconn:3',
            ),
          ),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), spec: specs }) },
    ),
  ),
  { maxLength: 120 },
);

const slotOf = (backend: string): number => IDS.indexOf(backend);

class Run {
  spec: ServiceSpec;
  readonly pool: Pool;
  now = instant(0);

  constructor(spec: ServiceSpec) {
    this.spec = spec;
    this.pool = new Pool({ spec, slotOf }, this.now);
  }

  take(wait: number, input: Input): PoolChange | null {
    this.now = instant(this.now + seconds(wait));
    switch (input.kind) {
      case 'probe':
        return this.pool.probeResult(input.id, input.ok ? probeOk : probeBad, this.now);
      case 'traffic':
        return this.pool.traffic(input.id, input.outcome, this.now);
      case 'agent':
        return this.pool.agentResult(
          input.id,
          input.line === null
            ? { ok: false, reason: 'refused', detail: 'connection refused' }
            : { ok: true, reply: parseReply(input.line) },
          this.now,
        );
      case 'tick':
        return this.pool.tick(this.now);
      case 'reconfigure':
        this.spec = input.spec;
        return this.pool.reconfigure(input.spec, this.now);
      default:
        if (!this.spec.backends.some((b) => b.id === input.id)) return null;
        return input.kind === 'admin'
          ? this.pool.setAdmin(input.id, input.state, input.persist, this.now)
          : this.pool.setWeight(input.id, input.weight, input.persist, this.now);
    }
  }
}

describe('the pool', () => {
  it('keeps its invariants over any sequence of inputs', () => {
    fc.assert(
      fc.property(specs, inputs, (spec, sequence) => {
        const run = new Run(spec);
        check(run, run.pool.opening, 0);
        for (const [wait, input] of sequence) {
          const before = run.pool.set.version;
          const change = run.take(wait, input);
          if (change !== null) check(run, change, before);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('judges the same whatever the order of the list', () => {
    fc.assert(
      fc.property(specs, inputs, fc.infiniteStream(fc.nat()), (spec, sequence, keys) => {
        const shuffle = (list: readonly BackendSpec[]): BackendSpec[] =>
          list
            .map((b) => ({ b, key: keys.next().value }))
            .sort((x, y) => x.key - y.key)
            .map(({ b }) => b);
        const [run, other] = [new Run(spec), new Run({ ...spec, backends: shuffle(spec.backends) })];
        for (const [wait, input] of sequence) {
          run.take(wait, input);
          const same = input.kind === 'reconfigure';
          other.take(
            wait,
            same ? { ...input, spec: { ...input.spec, backends: shuffle(input.spec.backends) } } : input,
          );
          expect(byId(other)).toEqual(byId(run));
        }
      }),
      { numRuns: 150 },
    );
  });
});

const byId = (run: Run) =>
  [...run.pool.set.members]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((m) => [m.id, m.disposition, m.weight]);

/** No word of its agent is against it; `up` false leaves out what is no more than an observation. */
const agentWants = ({ agent }: BackendView, up = true): boolean =>
  agent === null || (agent.admin === 'ready' && agent.weightPercent > 0 && (agent.up || !up));

function check(run: Run, change: PoolChange, versionBefore: number): void {
  const { pool, spec, now } = run;
  const { members, version } = pool.set;
  expect(members.map((m) => m.id)).toEqual(spec.backends.map((b) => b.id));
  expect(version).toBe(versionBefore + (change.set === null ? 0 : 1));
  if (change.set !== null) expect(change.set).toBe(pool.set);
  if (pool.deadline !== null) expect(pool.deadline).toBeGreaterThan(now);

  const view = pool.view(now);
  const fine = view.filter(
    (b) =>
      b.admin === 'ready' &&
      b.weight > 0 &&
      !b.ejected &&
      b.health !== 'down' &&
      b.health !== 'checking' &&
      agentWants(b),
  );
  const eligible = view.filter((b) => b.eligible);
  for (const b of eligible) {
    expect(b.effectiveWeight).toBeGreaterThan(0);
    expect(b.effectiveWeight).toBeLessThanOrEqual(b.weight);
    expect(b.admin).toBe('ready');
    expect(agentWants(b, false)).toBe(true);
  }
  if (fine.length > 0) {
    // the healthy ones of one tier serve, all of them and nobody else
    const primaries = fine.filter((b) => !b.backup);
    expect(eligible.map((b) => b.id)).toEqual((primaries.length > 0 ? primaries : fine).map((b) => b.id));
  } else if (spec.noneEligible === 'reject') {
    expect(eligible).toEqual([]);
  } else {
    expect(eligible.every((b) => b.backup === (spec.noneEligible === 'backup'))).toBe(true);
  }

  const ejected = view.filter((b) => b.ejected);
  expect(ejected.length).toBeLessThanOrEqual(
    spec.passive === null ? 0 : ejectionCap(spec.passive, view.length),
  );
  // nobody is held out by an ejection while nobody else could serve
  if (fine.length === 0) {
    expect(
      ejected.filter(
        (b) =>
          b.admin === 'ready' &&
          b.weight > 0 &&
          b.health !== 'down' &&
          b.health !== 'checking' &&
          agentWants(b),
      ),
    ).toEqual([]);
  }
}
