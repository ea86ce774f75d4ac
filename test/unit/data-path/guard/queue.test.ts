import { describe, expect, it } from 'vitest';
import { WaitQueue } from '../../../../src/data-path/guard/queue.ts';
import { instant, seconds } from '../../../../src/lib/duration.ts';

const at = (s: number) => instant(seconds(s));

describe('WaitQueue', () => {
  it('serves first in, first out, and refuses beyond its maximum', () => {
    const queue = new WaitQueue<string>({ max: 2, timeout: seconds(5) });
    expect(queue.enqueue('a', at(0))).not.toBeNull();
    expect(queue.enqueue('b', at(1))).not.toBeNull();
    expect(queue.enqueue('c', at(1))).toBeNull();
    expect([queue.dequeue(), queue.dequeue(), queue.dequeue()]).toEqual(['a', 'b', null]);
    expect(queue.enqueue('d', at(2))).not.toBeNull();
  });

  it('shows the first in line without taking it', () => {
    const queue = new WaitQueue<string>({ max: 2, timeout: seconds(5) });
    expect(queue.peek()).toBeNull();
    queue.enqueue('a', at(0));
    expect([queue.peek(), queue.dequeue(), queue.peek()]).toEqual(['a', 'a', null]);
  });

  it('lets nobody wait when it is turned off', () => {
    expect(new WaitQueue({ max: 0, timeout: seconds(5) }).enqueue('a', at(0))).toBeNull();
  });

  it('expires in order, at the deadline and not before', () => {
    const queue = new WaitQueue<string>({ max: 9, timeout: seconds(5) });
    queue.enqueue('a', at(0));
    queue.enqueue('b', at(3));
    expect(queue.nextDeadline()).toBe(at(5));
    expect(queue.expire(at(4.999))).toBeNull();
    expect([queue.expire(at(5)), queue.expire(at(5))]).toEqual(['a', null]);
    expect(queue.nextDeadline()).toBe(at(8));
    expect([queue.expire(at(99)), queue.expire(at(99))]).toEqual(['b', null]);
    expect(queue.nextDeadline()).toBeNull();
  });

  it('forgets a client that goes away, wherever it stands, once', () => {
    const queue = new WaitQueue<string>({ max: 9, timeout: seconds(5) });
    const [a, b, , d] = ['a', 'b', 'c', 'd'].map((item) => queue.enqueue(item, at(0))!);
    queue.cancel(b!);
    queue.cancel(d!);
    queue.cancel(a!);
    queue.cancel(a!);
    expect(queue.length).toBe(1);
    queue.enqueue('e', at(1));
    expect([queue.dequeue(), queue.dequeue(), queue.dequeue()]).toEqual(['c', 'e', null]);
    queue.cancel(b!);
    expect(queue.length).toBe(0);
  });

  it('applies a new time-out to those who wait already, and turns nobody out', () => {
    const queue = new WaitQueue<string>({ max: 3, timeout: seconds(60) });
    queue.enqueue('a', at(0));
    queue.enqueue('b', at(1));
    queue.update({ max: 1, timeout: seconds(2) });
    expect(queue.length).toBe(2);
    expect(queue.enqueue('c', at(1))).toBeNull();
    expect(queue.nextDeadline()).toBe(at(2));
    expect([queue.expire(at(2.5)), queue.expire(at(2.5))]).toEqual(['a', null]);
  });
});
