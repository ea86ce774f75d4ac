import type { Instant } from '../lib/duration.ts';
import type { SharedState } from './shared-state.ts';

export interface DoorOwner<C> {
  hasRoom(): boolean;
  /** Admits the client, or refuses it for good, and deletes it here first. @returns false when it has to wait on */
  letIn(client: C): boolean;
}

/**
 * `on_limit = "wait"`: who was accepted when there was no room. While somebody stands here the worker accepts nobody else, so
 * in the rule it is one client of each worker, and the others wait in the kernel's backlog. Over all workers the one that
 * has waited longest goes first, so that none keeps its backlog waiting while others take all the places.
 */
export class Door<C> {
  readonly #shared: SharedState;
  /** The service's row in the shared counters. */
  readonly #slot: number;
  readonly #owner: DoorOwner<C>;
  /** Since when each has waited, the first one first. */
  readonly #clients = new Map<C, Instant>();
  /** There was room at the last tick, and somebody elsewhere who has waited longer. */
  #gaveWay = false;

  constructor(shared: SharedState, slot: number, owner: DoorOwner<C>) {
    this.#shared = shared;
    this.#slot = slot;
    this.#owner = owner;
  }

  get size(): number {
    return this.#clients.size;
  }

  [Symbol.iterator](): IterableIterator<C> {
    return this.#clients.keys();
  }

  add(client: C, now: Instant): void {
    this.#clients.set(client, now);
    this.#publish();
  }

  delete(client: C): void {
    if (this.#clients.delete(client)) this.#publish();
  }

  /** There may be room. One who has waited longer elsewhere has its worker woken, which looks for itself. */
  serve(): void {
    while (this.#owner.hasRoom()) {
      const [first] = this.#clients;
      const before = this.#shared.longerWaiting('door', this.#slot, first?.[1] ?? null);
      if (before !== null) {
        this.#shared.wake(before);
        return;
      }
      if (first === undefined || !this.#owner.letIn(first[0])) return;
    }
  }

  /** At every tick: one who waits elsewhere has until the next to take the room that there is, for its worker may hang. */
  serveInTurn(): void {
    const [first] = this.#clients;
    const late = this.#gaveWay && first !== undefined && this.#owner.hasRoom();
    this.#gaveWay = false;
    if (late) this.#owner.letIn(first[0]);
    this.serve();
    this.#gaveWay = !late && this.#clients.size > 0 && this.#owner.hasRoom();
  }

  #publish(): void {
    const [first] = this.#clients;
    this.#shared.publishHead('door', this.#slot, first?.[1] ?? null);
  }
}
