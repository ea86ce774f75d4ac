import type { Clock, Timer } from '../lib/clock.ts';
import { between, type Instant, seconds, toMillis } from '../lib/duration.ts';
import { formatMac } from '../lib/mac.ts';
import type { VirtualRouterStatus } from '../model/failover.ts';
import { type AddressClaim, claimGrace, judgeClaim } from '../vrrp/claim.ts';
import type { Router } from '../vrrp/router.ts';

/** Between events while a host goes on claiming an address; each one is counted. */
const TELL_AGAIN = seconds(30);

export interface Duplicate {
  readonly claim: AddressClaim;
  readonly at: Instant;
}

export interface DuplicateWatchOptions {
  readonly clock: Clock;
  readonly router: () => Router;
  /** Somebody else may have drawn the traffic. */
  readonly onContested: () => void;
  /** A host that is no router of ours has the address; told at most twice a minute. */
  readonly onDuplicate: (claim: AddressClaim, count: number) => void;
}

/**
 * Waits whether the role has moved before it contradicts a host that claims one of our addresses. One claim at a
 * time is waited for: the contradiction is the same for all.
 */
export class DuplicateWatch {
  readonly #options: DuplicateWatchOptions;
  #timer: Timer | null = null;
  #count = 0;
  #last: Duplicate | null = null;
  #toldAt: Instant | null = null;

  constructor(options: DuplicateWatchOptions) {
    this.#options = options;
  }

  /** Another MAC address was claimed for an address that we hold. */
  claimed(claim: AddressClaim): void {
    if (this.#timer !== null) return;
    const { clock, router } = this.#options;
    const at = clock.now();
    this.#timer = clock.timerAfter(claimGrace(router()), () => {
      this.#timer = null;
      this.#judge(claim, at);
    });
  }

  /** For the status: since this router was made. */
  status(now: Instant): VirtualRouterStatus['duplicates'] {
    const last = this.#last && {
      address: this.#last.claim.address.text,
      mac: formatMac(this.#last.claim.mac),
      ageMillis: toMillis(between(this.#last.at, now)),
    };
    return { count: this.#count, last };
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #judge(claim: AddressClaim, at: Instant): void {
    const { clock, router, onContested, onDuplicate } = this.#options;
    const verdict = judgeClaim(router(), at);
    if (verdict === 'moved') return;
    onContested();
    if (verdict === 'router') return;
    this.#count++;
    this.#last = { claim, at };
    const now = clock.now();
    if (this.#toldAt !== null && between(this.#toldAt, now) < TELL_AGAIN) return;
    this.#toldAt = now;
    onDuplicate(claim, this.#count);
  }
}
