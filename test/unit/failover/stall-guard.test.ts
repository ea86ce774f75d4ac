import { afterEach, beforeEach, expect, test } from 'vitest';
import { StallGuard } from '../../../src/failover/stall-guard.ts';
import { type Duration, millis, toMillis } from '../../../src/lib/duration.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;
let guard: StallGuard;
let log: string[];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

beforeEach(() => {
  clock = new ManualClock();
  log = [];
  guard = new StallGuard({
    clock,
    tolerance: millis(100),
    onStall: (length: Duration) => log.push(`stall ${Math.round(toMillis(length))}`),
  });
});
afterEach(() => guard.close());

test('without a stall it acts at once', () => {
  for (let i = 0; i < 10; i++) {
    clock.advance(millis(37));
    guard.run(() => log.push('ran'));
  }
  expect(log).toEqual(Array.from({ length: 10 }, () => 'ran'));
});

test('lateness within the tolerance is no stall', async () => {
  clock.stall(millis(90));
  guard.run(() => log.push('ran'));
  expect(log).toEqual(['ran']);
  await turns(5);
  expect(log).toEqual(['ran']);
});

test('after a stall it waits until nothing more is received, and tells the stall first', async () => {
  clock.stall(millis(500));
  guard.run(() => log.push('ran'));
  for (let i = 0; i < 5; i++) {
    expect(guard.stalled).toBe(true);
    guard.noteReceived();
    await turn();
    expect(log).toEqual([]);
  }
  await turns(5);
  expect(log).toEqual(['stall 500', 'ran']);
  expect(guard.stalled).toBe(false);
  guard.run(() => log.push('again'));
  expect(log).toEqual(['stall 500', 'ran', 'again']);
});

test('a message that is read first finds the stall as well', async () => {
  clock.stall(millis(500));
  guard.noteReceived();
  expect(guard.stalled).toBe(true);
  await turns(5);
  expect(log).toEqual(['stall 500']);
});

test('its own tick finds the stall when nothing else does', async () => {
  clock.stall(millis(500));
  clock.advance(millis(1));
  await turns(5);
  expect(log).toHaveLength(1);
  clock.advance(millis(1_000));
  await turns(5);
  expect(log).toHaveLength(1);
});

test('afterDrain waits for a quiet turn without any stall', async () => {
  guard.afterDrain(() => log.push('ran'));
  expect(log).toEqual([]);
  guard.noteReceived();
  await turn();
  expect(log).toEqual([]);
  await turns(5);
  expect(log).toEqual(['ran']);
});

test('a flood cannot put it off for ever', async () => {
  guard.afterDrain(() => log.push('ran'));
  let count = 0;
  while (log.length === 0 && count++ < 5_000) {
    guard.noteReceived();
    await turn();
  }
  expect(log).toEqual(['ran']);
  expect(count).toBeGreaterThan(500);
});

test('closed, it does nothing any more', async () => {
  clock.stall(millis(500));
  guard.run(() => log.push('ran'));
  guard.close();
  await turns(5);
  expect(log).toEqual([]);
  expect(clock.pending).toBe(0);
});
