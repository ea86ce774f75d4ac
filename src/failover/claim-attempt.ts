import type { Clock, Timer } from '../lib/clock.ts';
import { seconds } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';

/** Before a node that could not add its addresses stands for election again. */
const RETRY = seconds(15);

export interface ClaimAttemptOptions {
  readonly clock: Clock;
  /** Adds the addresses. @throws Error or NativeError when one cannot be added */
  readonly claim: () => void;
  readonly onError: (fault: string, error: unknown) => void;
  /** `fault` is over: the next attempt may be made. */
  readonly onRetry: () => void;
}

/** Adding the addresses. After a failure the router is unfit for a while, so that another node can be Active. */
export class ClaimAttempt {
  readonly #options: ClaimAttemptOptions;
  #fault: string | null = null;
  #retry: Timer | null = null;

  constructor(options: ClaimAttemptOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed; null when it did not, or was long enough ago. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Never throws: `fault` says whether it worked. */
  make(): void {
    const { claim, onError } = this.#options;
    try {
      claim();
    } catch (error) {
      this.#fault = `the addresses cannot be added: ${messageOf(error)}`;
      onError(this.#fault, error);
      this.#retryLater();
    }
  }

  #retryLater(): void {
    const { clock, onRetry } = this.#options;
    this.#retry?.cancel();
    this.#retry = clock.timerAfter(RETRY, () => {
      this.#fault = null;
      onRetry();
    });
  }

  close(): void {
    this.#retry?.cancel();
  }
}
