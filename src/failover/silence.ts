import { between, type Duration, type Instant, micros, millis, seconds } from '../lib/duration.ts';

/** What the kernel says of the main thread of a process that has fallen silent. */
export interface ProcessSight {
  /** `runnable` has a CPU or waits for one; `stopped` by SIGSTOP or a debugger. */
  readonly state: 'runnable' | 'stopped' | 'dumping-core' | 'other';
  /** CPU time that the thread has used in its life. */
  readonly cpu: Duration;
}

interface Look {
  readonly at: Instant;
  readonly sight: ProcessSight | null;
}

/** A message that is late by so much is not just late: from here on the kernel is asked. */
const DOUBT: Duration = millis(150);
/** Not sooner, whatever the kernel says: three heartbeats. */
const CERTAINTY: Duration = millis(300);
/** What is granted to a process that said that it has long work to do. */
const LONG_WORK: Duration = seconds(4);
/** A process that gets no CPU has not hung; but after so long nobody is served either. */
const STARVED_LIMIT: Duration = seconds(6);

/**
 * Is a process that has fallen silent lost, or has it not had its turn yet? Supervisor and agent each watch the
 * other with this. Silence alone would have to be waited out for as long as the longest pause that is no fault;
 * the kernel knows more. A stopped process and one that writes its core do nothing for anybody and are lost at
 * once. Time in which a runnable process waited for a CPU is not held against it: on an overloaded host the
 * silent one is late, not hung. Everything else (an endless loop, a deadlock, a wait for swap) counts in full.
 */
export class SilenceWatch {
  readonly #look: () => ProcessSight | null;
  #limit: Duration;
  #heardAt: Instant;
  #last: Look | null = null;
  /** The part of the silence that the process has to answer for. */
  #charged: Duration = micros(0);
  #excused: Duration = micros(0);

  /** @param look null when the kernel does not tell: then silence counts as it is */
  constructor(now: Instant, limit: Duration, look: () => ProcessSight | null) {
    this.#heardAt = now;
    this.#limit = limit;
    this.#look = look;
  }

  get limit(): Duration {
    return this.#limit;
  }

  set limit(limit: Duration) {
    this.#limit = limit;
  }

  /** A message came; or the watcher itself did not run, and messages may still lie unread. */
  heard(now: Instant): void {
    this.#heardAt = now;
    this.#last = null;
    this.#excused = micros(0);
  }

  /** It has said that it will be silent, for a reason; until its next message. */
  excuse(): void {
    this.#excused = LONG_WORK;
  }

  silence(now: Instant): Duration {
    return between(this.#heardAt, now);
  }

  /** To be called several times a second. @returns what is wrong with the process; null while it may live. */
  check(now: Instant): string | null {
    const silence = this.silence(now);
    if (silence < DOUBT) return null;
    const before = this.#last;
    const sight = this.#look();
    this.#last = { at: now, sight };
    if (before === null) this.#charged = silence;
    else this.#charge(before, now, sight);
    if (silence < CERTAINTY) return null;
    if (sight?.state === 'dumping-core') return 'crashed and writes its core';
    // twice: a tracer stops a process for a moment at each of its system calls
    if (sight?.state === 'stopped' && before?.sight?.state === 'stopped') return 'is stopped';
    if (this.#charged >= this.#limit + this.#excused) return 'hangs';
    return silence >= STARVED_LIMIT ? 'gets no CPU' : null;
  }

  #charge(before: Look, now: Instant, sight: ProcessSight | null): void {
    const elapsed = between(before.at, now);
    const waits = sight?.state === 'runnable' && before.sight !== null;
    const used = waits ? Math.min(elapsed, sight.cpu - before.sight.cpu) : elapsed;
    this.#charged = micros(this.#charged + used);
  }
}

/** The longest silence that is held to be late: more than a collection of garbage or a reload takes. */
const MAX_LIMIT: Duration = millis(1_500);

/**
 * How long a process may hang before the other one acts: so early that the addresses are off the host within
 * their lease, with a heartbeat and a look in between.
 */
export function silenceLimit(leases: readonly Duration[]): Duration {
  return micros(Math.min(MAX_LIMIT, ...leases.map((lease) => (lease * 3) / 4)));
}
