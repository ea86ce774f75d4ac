import { describe, expect, it } from 'vitest';
import type { EventInput, TandemEvent } from '../../../src/model/event.ts';
import { Timeline } from '../../../src/observability/timeline.ts';

const input = (n: number): EventInput => ({
  level: 'info',
  name: 'backend.up',
  message: `event ${n}`,
  fields: { n },
});

function filled(count: number, capacity: number): Timeline {
  const timeline = new Timeline({ capacity, wallMillis: () => 5 });
  for (let n = 1; n <= count; n++) timeline.emit(input(n));
  return timeline;
}

const seqs = (events: TandemEvent[]): number[] => events.map((event) => event.seq);

describe('Timeline', () => {
  it('is empty at first', () => {
    expect(filled(0, 4).after(0)).toEqual([]);
    expect(filled(0, 4).lastSeq).toBe(0);
  });

  it('numbers events from 1 and stamps them', () => {
    expect(filled(1, 4).after(0)).toEqual([{ ...input(1), seq: 1, time: 5 }]);
  });

  it('keeps the newest when it is full', () => {
    const timeline = filled(10, 4);
    expect(seqs(timeline.after(0))).toEqual([7, 8, 9, 10]);
    expect(timeline.after(0).map(({ fields: { n } }) => n)).toEqual([7, 8, 9, 10]);
    expect(seqs(timeline.after(8))).toEqual([9, 10]);
    expect(timeline.after(10)).toEqual([]);
  });

  it('answers everything for a number from an earlier life of the daemon', () => {
    expect(seqs(filled(3, 4).after(999))).toEqual([1, 2, 3]);
    expect(seqs(filled(3, 4).after(-1))).toEqual([1, 2, 3]);
  });

  it('answers at most `limit`, the oldest first', () => {
    expect(seqs(filled(10, 8).after(4, 3))).toEqual([5, 6, 7]);
  });

  it('counts by name, dropped ones included', () => {
    expect(filled(10, 4).totals.get('backend.up')).toBe(10);
  });

  it('tells subscribers until they leave, even from within a notification', () => {
    const timeline = filled(0, 4);
    const heard: number[] = [];
    const leave = timeline.subscribe((event) => {
      heard.push(event.seq);
      if (event.seq === 2) leave();
    });
    for (let n = 1; n <= 3; n++) timeline.emit(input(n));
    expect(heard).toEqual([1, 2]);
  });

  it('works when emit is handed out on its own', () => {
    const timeline = filled(0, 4);
    const { emit } = timeline;
    emit(input(1));
    expect(timeline.lastSeq).toBe(1);
  });
});
