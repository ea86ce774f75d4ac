import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../../lib/clock.ts';
import { between, millis, toMillis } from '../../lib/duration.ts';
import type { Emit } from '../../model/event.ts';
import type { FailoverGroupSpec, FailoverSpec, Standing, Standings } from '../../model/failover.ts';
import type { TrackSpec, TrackStatus } from '../../model/track.ts';
import { type Links, readTrack } from './readers.ts';
import {
  effectOf,
  initialTrack,
  inverted,
  observeReading,
  type Reading,
  standingWith,
  type TrackState,
} from './track.ts';

/** For looks that ask the kernel; scripts have a time-out of their own. */
const LOOK_TIMEOUT = millis(5_000);

export interface TrackersOptions {
  readonly links: Links;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Something counts differently from now on. */
  readonly onChange: () => void;
}

/** Looks at what is tracked, each thing at its own interval, in the supervisor: never with real-time priority. */
export class Trackers {
  readonly #options: TrackersOptions;
  readonly #tracks = new Map<string, Track>();

  constructor(options: TrackersOptions) {
    this.#options = options;
  }

  /** Trackers that did not change keep their state. */
  configure(specs: readonly TrackSpec[]): void {
    for (const [name, track] of this.#tracks) {
      const same = specs.some((spec) => isDeepStrictEqual(spec, track.spec));
      if (same) continue;
      track.stop();
      this.#tracks.delete(name);
    }
    for (const spec of specs) {
      if (this.#tracks.has(spec.name)) continue;
      const track = new Track(spec, this.#options);
      this.#tracks.set(spec.name, track);
      track.look();
    }
  }

  stop(): void {
    this.configure([]);
  }

  /** By group: what its trackers, and the node's fitness, say for and against it. */
  standings({ groups }: FailoverSpec, fitness: Standing): Standings {
    return Object.fromEntries(groups.map((group) => [group.name, this.#standing(group, groups, fitness)]));
  }

  statuses(): TrackStatus[] {
    return [...this.#tracks.values()].map((track) => track.status());
  }

  /** Groups that move together share their trackers: they must be equally good. */
  #standing(of: FailoverGroupSpec, groups: readonly FailoverGroupSpec[], fitness: Standing): Standing {
    const partners = groups.filter(({ sync }) => sync !== null && sync === of.sync);
    const names = new Set([of, ...partners].flatMap(({ track }) => track));
    const tracks = [...names].flatMap((name) => this.#tracks.get(name) ?? []);
    return standingWith(
      fitness,
      tracks.map((each) => each.effect()),
    );
  }
}

class Track {
  readonly spec: TrackSpec;
  readonly #options: TrackersOptions;
  #state: TrackState;
  #timer: Timer | null = null;
  #looking: AbortController | null = null;
  #stopped = false;

  constructor(spec: TrackSpec, options: TrackersOptions) {
    this.spec = spec;
    this.#options = options;
    this.#state = initialTrack(options.clock.now());
  }

  /** Now, and then again and again; one look at a time. */
  look(): void {
    const { clock, links } = this.#options;
    const { check, name, interval } = this.spec;
    const looking = new AbortController();
    this.#looking = looking;
    const limit = check.type === 'script' ? check.timeout : LOOK_TIMEOUT;
    const timeout = clock.timerAfter(limit, () => looking.abort());
    const done = (reading: Reading): void => {
      timeout.cancel();
      this.#looking = null;
      if (this.#stopped) return;
      this.#observe(this.spec.invert ? inverted(reading) : reading);
      this.#timer = clock.timerAfter(interval, () => this.look());
    };
    void readTrack(check, name, links, looking.signal).then(done);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#looking?.abort();
  }

  effect(): ReturnType<typeof effectOf> {
    return effectOf(this.spec, this.#state);
  }

  status(): TrackStatus {
    const { settled, last, since } = this.#state;
    const { fault, weight } = this.effect();
    return {
      name: this.spec.name,
      type: this.spec.check.type,
      state: settled === null ? 'unknown' : settled.up ? 'up' : 'down',
      weight,
      fault,
      detail: last?.detail ?? 'not looked at yet',
      stateAgeMillis: toMillis(between(since, this.#options.clock.now())),
    };
  }

  #observe(reading: Reading): void {
    const { clock, emit, onChange } = this.#options;
    const first = this.#state.settled === null;
    const { state, settled } = observeReading(this.#state, this.spec, reading, clock.now());
    this.#state = state;
    if (settled === null) return;
    const { name, check } = this.spec;
    const { fault, weight } = this.effect();
    // that all is well from the start is no news
    if (!first || fault || weight !== 0 || !settled.up) {
      emit({
        level: settled.up ? 'info' : 'warn',
        name: settled.up ? 'tracker.up' : 'tracker.down',
        message: `tracker ${name} is ${settled.up ? 'up' : 'down'}: ${settled.detail}`,
        fields: { tracker: name, type: check.type, value: settled.value, weight, fault },
      });
    }
    onChange();
  }
}
