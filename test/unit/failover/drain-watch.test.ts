import { expect, test } from 'vitest';
import { DrainWatch } from '../../../src/failover/flows/drain-watch.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function watch(counts: (number | Error)[]) {
  const clock = new ManualClock();
  const heard: string[] = [];
  const drain = new DrainWatch({
    clock,
    count: async () => {
      const next = counts.length > 1 ? counts.shift() : counts[0];
      if (next instanceof Error) throw next;
      return next ?? 0;
    },
    onEmpty: () => heard.push('empty'),
    onFailure: (error) => heard.push(String(error)),
  });
  return { clock, drain, heard };
}

test('is over when there is no connection twice in a row, and shows how many are left before', async () => {
  const { clock, drain, heard } = watch([5, 5, 3, 0, 1, 0, 0]);
  expect(drain.connections).toBeNull();
  await clock.advanceAsync(millis(1));
  expect([drain.initially, drain.connections]).toEqual([5, 5]);
  await clock.advanceAsync(millis(1_000));
  expect([drain.initially, drain.connections]).toEqual([5, 3]);
  await clock.advanceAsync(millis(1_500));
  expect(heard).toEqual([]);
  await clock.advanceAsync(millis(500));
  expect(heard).toEqual(['empty']);
  expect(clock.pending).toBe(0);
});

test('lasts two seconds even when there was no connection at all', async () => {
  const { clock, heard } = watch([0]);
  await clock.advanceAsync(millis(1_900));
  expect(heard).toEqual([]);
  await clock.advanceAsync(millis(200));
  expect(heard).toEqual(['empty']);
});

test('a count that fails is said once, and ends nothing', async () => {
  const { clock, heard } = watch([4, new Error('EMFILE')]);
  await clock.advanceAsync(seconds(20));
  expect(heard).toEqual(['Error: EMFILE']);
});

test('says nothing once it is stopped, not even of a count that was under way', async () => {
  const { clock, drain, heard } = watch([0]);
  await clock.advanceAsync(millis(1_999));
  drain.stop();
  await clock.advanceAsync(seconds(5));
  expect(heard).toEqual([]);
  expect(clock.pending).toBe(0);
});
