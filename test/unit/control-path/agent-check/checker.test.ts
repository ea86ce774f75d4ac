import { describe, expect, it } from 'vitest';
import type { AskAgent } from '../../../../src/control-path/agent-check/ask.ts';
import { AgentChecker } from '../../../../src/control-path/agent-check/checker.ts';
import { parseReply } from '../../../../src/control-path/agent-check/reply.ts';
import type { AgentResult } from '../../../../src/control-path/agent-check/state.ts';
import { ProbeGate } from '../../../../src/control-path/health/probe-gate.ts';
import { millis, seconds } from '../../../../src/lib/duration.ts';
import type { AgentCheckSpec } from '../../../../src/model/agent-check.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { endpoint } from '../../../support/specs.ts';

const spec = (over: Partial<AgentCheckSpec> = {}): AgentCheckSpec => ({
  endpoint: endpoint('10.0.1.1:9777'),
  interval: seconds(2),
  timeout: seconds(1),
  send: 'x',
  ...over,
});
const up: AgentResult = { ok: true, reply: parseReply('up') };

/** A checker over agents that answer at once, or never when `silent`. */
function bench() {
  const clock = new ManualClock();
  const log: string[] = [];
  const state = { silent: false };
  const ask: AskAgent = (target, send, signal) => {
    log.push(`ask ${target.port} ${send}`);
    if (!state.silent) return Promise.resolve(up);
    return new Promise((resolve) =>
      signal.addEventListener('abort', () => {
        log.push('let go');
        resolve({ ok: false, reason: 'reset', detail: 'aborted' });
      }),
    );
  };
  const gate = new ProbeGate(10);
  const checker = new AgentChecker({
    clock,
    random: () => 0.5,
    gate,
    ask,
    onResult: (id, result) => log.push(`${id} ${result.ok ? 'ok' : result.detail}`),
  });
  const wait = async (ms: number): Promise<string[]> => {
    await clock.advanceAsync(millis(ms));
    return log.splice(0);
  };
  return { clock, gate, checker, state, wait };
}

describe('the agent checker', () => {
  it('asks at once and then at the interval, and nobody who has no agent', async () => {
    const { checker, wait, clock } = bench();
    checker.configure([
      { id: 'a', agentCheck: spec() },
      { id: 'b', agentCheck: null },
    ]);
    expect(await wait(0)).toEqual(['ask 9777 x', 'a ok']);
    expect(await wait(1_999)).toEqual([]);
    expect(await wait(1)).toEqual(['ask 9777 x', 'a ok']);
    checker.stop();
    expect(clock.pending).toBe(0);
  });

  it('lets go of an agent that is silent for too long, and never asks twice at once', async () => {
    const { checker, state, wait, gate } = bench();
    state.silent = true;
    checker.configure([{ id: 'a', agentCheck: spec() }]);
    expect(await wait(999)).toEqual(['ask 9777 x']);
    expect(await wait(1)).toEqual(['let go', 'a timed out after 1s']);
    expect(gate.running).toBe(0);
    expect(await wait(1_000)).toEqual(['ask 9777 x']);
    checker.stop();
    expect(await wait(5_000)).toEqual(['let go']);
  });

  it('goes on undisturbed over a reload, and begins anew where something was changed', async () => {
    const { checker, wait } = bench();
    checker.configure([{ id: 'a', agentCheck: spec() }]);
    await wait(1_000);
    checker.configure([{ id: 'a', agentCheck: spec() }]);
    expect(await wait(999)).toEqual([]);
    expect(await wait(1)).toEqual(['ask 9777 x', 'a ok']);
    checker.configure([{ id: 'a', agentCheck: spec({ send: 'y' }) }]);
    expect(await wait(0)).toEqual(['ask 9777 y', 'a ok']);
    checker.configure([]);
    expect(await wait(10_000)).toEqual([]);
  });
});
