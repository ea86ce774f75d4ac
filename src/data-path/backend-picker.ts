import type { TrafficOutcome } from '../model/health.ts';
import type { BackendSet, PoolMember, ScheduleSpec } from '../model/service.ts';
import { createScheduler } from './scheduler/registry.ts';
import type { ClientKey, LoadReader, Scheduler } from './scheduler/types.ts';
import type { WorkerContext } from './worker-context.ts';

/** Why there is no backend for a client right now. */
export type NoBackend = 'no-backend' | 'backend-limit';

/** Chooses a backend and takes a place on it, for one service. */
export class BackendPicker implements LoadReader {
  readonly #context: WorkerContext;
  readonly #service: string;
  #schedule: ScheduleSpec;
  #scheduler: Scheduler;
  #set: BackendSet;
  #members: ReadonlyMap<string, PoolMember> = new Map();

  constructor(context: WorkerContext, service: string, schedule: ScheduleSpec, set: BackendSet) {
    this.#context = context;
    this.#service = service;
    this.#schedule = schedule;
    this.#scheduler = createScheduler(schedule, Math.random, context.shared.worker);
    this.#set = set;
    this.#adopt(set);
  }

  setSchedule(schedule: ScheduleSpec): void {
    if (JSON.stringify(schedule) === JSON.stringify(this.#schedule)) return;
    this.#schedule = schedule;
    this.#scheduler = createScheduler(schedule, Math.random, this.#context.shared.worker);
    this.#adopt(this.#set);
  }

  /** @returns false for a set older than the one in force, which changes nothing */
  setBackends(set: BackendSet): boolean {
    if (set.version < this.#set.version) return false;
    this.#adopt(set);
    return true;
  }

  #adopt(set: BackendSet): void {
    this.#set = set;
    this.#members = new Map(set.members.map((member) => [member.id, member]));
    this.#scheduler.update(set.members.filter((member) => member.disposition === 'eligible'));
  }

  /** The backend as the set in force knows it. */
  member(id: string): PoolMember | undefined {
    return this.#members.get(id);
  }

  /**
   * A backend with room, one place on it taken: give it back with `release`.
   * @param tried backends that are no choice for this client any more
   */
  take(client: ClientKey, tried: ReadonlySet<string> | null): PoolMember | NoBackend {
    let exclude = tried;
    for (;;) {
      const member = this.#scheduler.pick(client, this, exclude);
      if (member === null) return exclude === tried ? this.#absence() : 'backend-limit';
      if (this.#context.counters.tryEnterBackend(member.slot, member.maxConnections)) return member;
      exclude = new Set(exclude).add(member.id);
    }
  }

  /** Takes a place on this very backend; false when it is full or no longer takes clients. */
  retake(id: string): PoolMember | null {
    const member = this.#members.get(id);
    if (member?.disposition !== 'eligible') return null;
    return this.#context.counters.tryEnterBackend(member.slot, member.maxConnections) ? member : null;
  }

  release(member: PoolMember): void {
    this.#context.counters.leaveBackend(member.slot);
  }

  /** "first" passes over full backends by itself: nobody picked may mean that all are full. */
  #absence(): NoBackend {
    const eligible = this.#set.members.some((member) => member.disposition === 'eligible');
    return eligible ? 'backend-limit' : 'no-backend';
  }

  succeeded(member: PoolMember): void {
    this.#context.failures.succeeded(member.slot, this.#context.wheel.now);
    if (this.#context.shared.clearTroubled(member.slot)) this.#report(member, 'connect-ok');
  }

  failed(member: PoolMember, outcome: TrafficOutcome): void {
    this.#context.failures.failed(member.slot, this.#context.clock.now());
    this.#context.shared.markTroubled(member.slot);
    this.#report(member, outcome);
  }

  #report(member: PoolMember, outcome: TrafficOutcome): void {
    this.#context.traffic(this.#service, member.id, outcome);
  }

  active(slot: number): number {
    return this.#context.counters.backendConnections(slot);
  }

  recentFailures(slot: number): number {
    return this.#context.failures.level(slot, this.#context.wheel.now);
  }
}
