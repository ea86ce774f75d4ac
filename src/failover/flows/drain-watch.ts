import type { Clock, Timer } from '../../lib/clock.ts';
import { after, between, type Duration, type Instant, micros, millis, seconds } from '../../lib/duration.ts';

/** Between two counts; with many connections a count takes long, and this node has more to do than that. */
const POLL = millis(500);
const SHARE_OF_TIME = 20;
/** Answers to datagrams that came before the move are still on their way, and so are neighbours' ARP entries. */
const SHORTEST = seconds(2);
/** The last acknowledgement of a connection may be lost and have to be sent again. */
const EMPTY_COUNTS = 2;

export interface DrainWatchOptions {
  readonly clock: Clock;
  /** Old connections that are still here. */
  readonly count: () => Promise<number>;
  /** Once: there is none left. */
  readonly onEmpty: () => void;
  /** A count failed, and the drain runs to its deadline. */
  readonly onFailure: (error: unknown) => void;
}

/** Counts the connections that a drain is for, and tells when there is none left. */
export class DrainWatch {
  readonly #options: DrainWatchOptions;
  readonly #since: Instant;
  #timer: Timer | null = null;
  #over = false;
  #empty = 0;
  #initially: number | null = null;
  #connections: number | null = null;

  constructor(options: DrainWatchOptions) {
    this.#options = options;
    this.#since = options.clock.now();
    this.#again(millis(0));
  }

  /** At the first count, and at the last; null before. */
  get initially(): number | null {
    return this.#initially;
  }

  get connections(): number | null {
    return this.#connections;
  }

  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #again(delay: Duration): void {
    this.#timer = this.#options.clock.timerAfter(delay, () => {
      this.#look().catch((error: unknown) => {
        if (!this.#over) this.#options.onFailure(error);
      });
    });
  }

  async #look(): Promise<void> {
    const { clock, count, onEmpty } = this.#options;
    const begin = clock.now();
    const connections = await count();
    if (this.#over) return;
    this.#connections = connections;
    this.#initially ??= connections;
    this.#empty = connections === 0 ? this.#empty + 1 : 0;
    const now = clock.now();
    if (this.#empty >= EMPTY_COUNTS && now >= after(this.#since, SHORTEST)) {
      this.stop();
      onEmpty();
      return;
    }
    this.#again(micros(Math.max(POLL, between(begin, now) * SHARE_OF_TIME)));
  }
}
