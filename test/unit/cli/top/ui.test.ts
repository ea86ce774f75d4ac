import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/admin/contract.ts';
import { type Model, modelOf } from '../../../../src/cli/top/model.ts';
import { press, START, type Step, type Ui } from '../../../../src/cli/top/ui.ts';
import { statusOf } from '../../../support/fake-admin.ts';

const A = '10.0.1.11:8080';
const B = '10.0.1.12:8080';
const modelFrom = (status: Status): Model =>
  modelOf({ status, at: 1_060_000, ticks: 0, events: [] }, undefined);
const model = modelFrom(statusOf());

/** The keys one after another; the last one's step. */
function keys(names: readonly string[], from: Ui = START, shown: Model | undefined = model): Step {
  let step: Step = { ui: from };
  for (const name of names) step = press(step.ui, name, shown);
  return step;
}
const on = (selected: string): Ui => ({ ...START, selected });
const typed = (text: string): string[] => [...text];

describe('press', () => {
  it('drains, and makes ready again, the marked backend at once', () => {
    const action = { type: 'state', service: 'web', backends: [B], state: 'draining' };
    expect(keys(['DOWN', 'DOWN', 'DOWN', 'd']).action).toEqual(action);
    expect(keys(['r'], on(`web/${B}`)).action).toEqual({ ...action, state: 'ready' });
  });

  it('takes the first backend, not the service, while nothing is marked or the marked one has gone', () => {
    const action = { type: 'state', service: 'web', backends: [A], state: 'draining' };
    expect(keys(['d']).action).toEqual(action);
    expect(keys(['d'], on('web/10.9.9.9:1')).action).toEqual(action);
  });

  it('asks before maintenance, before all of a service, and before the last that takes clients', () => {
    const asked = keys(['m'], on(`web/${A}`));
    expect(asked.action).toBeUndefined();
    expect(asked.ui.mode).toMatchObject({ type: 'confirm', question: `take into maintenance web/${A}?` });
    expect(keys(['y'], asked.ui).action).toMatchObject({ state: 'maintenance', backends: [A] });
    const all = keys(['d'], on('web'));
    expect(all.ui.mode).toMatchObject({ question: 'drain all 2 backends of web?' });
    expect(keys(['y'], all.ui).action).toMatchObject({ backends: [A, B], state: 'draining' });
    const status = statusOf();
    status.services[0]!.backends[1]!.eligible = false;
    const last = keys(['d'], on(`web/${A}`), modelFrom(status));
    expect(last.ui.mode).toMatchObject({ question: expect.stringContaining('nobody else takes clients') });
  });

  it('takes every key but y as no', () => {
    for (const key of ['n', 'ENTER', 'ESCAPE', 'd', 'q']) {
      const { ui, action, leave } = keys(['m', key], on(`web/${A}`));
      expect([ui.mode.type, action, leave]).toEqual(['browse', undefined, undefined]);
    }
  });

  it('hands over after a question, and says why it cannot', () => {
    const asked = keys(['H']);
    expect(asked.ui.mode).toMatchObject({ type: 'confirm', question: 'hand over main to 10.0.0.2?' });
    expect(keys(['y'], asked.ui).action).toEqual({ type: 'handover' });
    const none = keys(['H'], START, modelFrom(statusOf({ failover: null })));
    expect(none.ui).toMatchObject({ mode: { type: 'browse' }, message: { tone: 'warn' } });
    const status = statusOf();
    status.failover!.routers[0]!.state = 'Backup';
    expect(keys(['H'], START, modelFrom(status)).ui.message?.text).toContain('Active');
  });

  it.each([
    ['0', 0],
    ['256', 256],
    ['configured', null],
    ['c', null],
  ])('sets the weight %s', (text, weight) => {
    const { action, ui } = keys(['w', ...typed(text), 'ENTER'], on(`web/${B}`));
    expect(action).toEqual({ type: 'weight', service: 'web', backends: [B], weight });
    expect(ui.mode.type).toBe('browse');
  });

  it.each(['257', '-1', '', '1.5', 'heavy'])('refuses the weight %j and says what is right', (text) => {
    const { action, ui } = keys(['w', ...typed(text), 'ENTER'], on(`web/${B}`));
    expect(action).toBeUndefined();
    expect(ui.message?.text).toContain('0 to 256');
  });

  it('writes a filter that works at once; Escape brings the one before back', () => {
    const kept = keys(['/', ...typed('1.1x'), 'BACKSPACE', '2', 'ENTER']).ui;
    expect(kept).toMatchObject({ filter: '1.12', mode: { type: 'browse' } });
    expect(keys(['/', ...typed('zzz'), 'ESCAPE'], kept).ui.filter).toBe('1.12');
    expect(keys(['ESCAPE'], kept).ui.filter).toBe('');
    expect(keys(['/', ...typed('q?dH')]).ui.filter).toBe('q?dH');
    expect(keys(['/', ...typed('x'.repeat(200))]).ui.filter).toHaveLength(60);
    expect(keys(['/', 'UP', 'F5', '\u001b', 'ENTER']).ui.filter).toBe('');
  });

  it('stays within the rows', () => {
    expect(keys(['UP', 'UP']).ui.selected).toBe('web');
    expect(keys(['END', 'DOWN']).ui.selected).toBe(`web/${B}`);
    expect(keys(['PAGE_DOWN', 'PAGE_UP']).ui.selected).toBe('web');
    expect(keys(['DOWN', 'd'], START, modelFrom(statusOf({ services: [] }))).ui.message?.tone).toBe('warn');
  });

  it('quits, suspends, repaints in every mode', () => {
    for (const first of [[], ['?'], ['/'], ['w'], ['m']]) {
      expect(keys([...first, 'CTRL_C']).leave).toBe('quit');
      expect(keys([...first, 'CTRL_Z']).leave).toBe('suspend');
      expect(keys([...first, 'CTRL_L']).repaint).toBe(true);
    }
    expect(keys(['q']).leave).toBe('quit');
  });

  it('goes through the sort keys both ways, pauses, and shows help until a key', () => {
    expect(keys(['s', 's']).ui.sort).toBe('new');
    expect(keys(['S']).ui.sort).toBe('out');
    expect(keys(['s', 'i']).ui).toMatchObject({ sort: 'connections', reverse: true });
    expect(keys(['p']).ui.paused).toBe(true);
    expect(keys(['p', ' ']).ui.paused).toBe(false);
    expect(keys(['?']).ui.mode.type).toBe('help');
    expect(keys(['?', 'd']).action).toBeUndefined();
  });
});
