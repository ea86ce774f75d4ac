import { describe, expect, it } from 'vitest';
import { createCounters } from '../../../src/data-path/counters.ts';
import { Door } from '../../../src/data-path/door.ts';
import { SharedState } from '../../../src/data-path/shared-state.ts';
import { instant } from '../../../src/lib/duration.ts';

const SLOT = 1;

/** The doors of one service in two workers, `a` and `b`, and its free places. */
function doors() {
  const buffer = createCounters({ workers: 2, services: 2, backends: 1 });
  const state = { room: 0, waits: false };
  const inside: string[] = [];
  const make = (worker: number) => {
    const shared = new SharedState(buffer, worker);
    const door: Door<string> = new Door(shared, SLOT, {
      hasRoom: () => state.room > 0,
      letIn: (client) => {
        if (state.waits) return false;
        door.delete(client);
        state.room--;
        inside.push(client);
        return true;
      },
    });
    return { door, shared };
  };
  const [a, b] = [make(0), make(1)];
  /** Was this worker woken meanwhile? */
  const woken = async (shared: SharedState, act: () => void): Promise<boolean> => {
    let called = false;
    const end = shared.onWake(() => {
      called = true;
    });
    act();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const result = called;
    end();
    return result;
  };
  return { a: a.door, b: b.door, wakesB: (act: () => void) => woken(b.shared, act), state, inside };
}

describe('the door of a full service', () => {
  it('lets in as many as there is room for, the first one first', () => {
    const { a, state, inside } = doors();
    for (const [at, client] of ['one', 'two', 'three'].entries()) a.add(client, instant(at + 1));
    a.serve();
    expect(inside).toEqual([]);
    state.room = 2;
    a.serve();
    expect(inside).toEqual(['one', 'two']);
    expect([...a]).toEqual(['three']);
    a.delete('three');
    expect(a.size).toBe(0);
  });

  it('leaves the room to one who has waited longer at another worker, and wakes that', async () => {
    const { a, b, wakesB, state, inside } = doors();
    b.add('first', instant(1));
    a.add('second', instant(2));
    state.room = 1;
    expect(await wakesB(() => a.serve())).toBe(true);
    expect(inside).toEqual([]);
    b.serve();
    a.serve();
    expect(inside).toEqual(['first']);
    state.room = 1;
    expect(await wakesB(() => a.serve())).toBe(false);
    expect(inside).toEqual(['first', 'second']);
  });

  it('wakes who waits elsewhere when nobody waits here, and nobody without room', async () => {
    const { a, b, wakesB, state } = doors();
    b.add('first', instant(1));
    expect(await wakesB(() => a.serve())).toBe(false);
    state.room = 1;
    expect(await wakesB(() => a.serve())).toBe(true);
  });

  it('goes ahead at the second tick when the other worker does not take the room', () => {
    const { a, b, state, inside } = doors();
    b.add('hangs', instant(1));
    a.add('second', instant(2));
    a.add('third', instant(3));
    state.room = 3;
    a.serveInTurn();
    expect(inside).toEqual([]);
    a.serveInTurn();
    expect(inside).toEqual(['second']);
    a.serveInTurn();
    a.serveInTurn();
    expect(inside).toEqual(['second', 'third']);
    expect([...b]).toEqual(['hangs']);
  });

  it('waits on when another worker took the last place meanwhile', () => {
    const { a, state } = doors();
    a.add('one', instant(1));
    Object.assign(state, { room: 1, waits: true });
    a.serve();
    a.serveInTurn();
    expect([...a]).toEqual(['one']);
  });
});
