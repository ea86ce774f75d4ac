import type { Clock, Timer } from '../../lib/clock.ts';
import { between, toMillis } from '../../lib/duration.ts';
import type { Emit } from '../../model/event.ts';
import { MAX_WEIGHT, type Standing } from '../../model/failover.ts';
import { describeWitness, type WitnessSeen, type WitnessSpec } from '../../model/witness.ts';
import type { Native } from '../../native/index.ts';
import type { ProbeOutcome } from '../health/probe.ts';
import {
  initialWitness,
  judgeWitness,
  mayClaim,
  observeWitness,
  type PeerEvidence,
  type WitnessState,
  type WitnessVerdict,
} from './judge.ts';
import { type WitnessProbe, witnessProbe } from './probe.ts';

export interface WitnessWatchOptions {
  readonly spec: WitnessSpec;
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly evidence: () => PeerEvidence;
  /** It speaks otherwise for or against this node from now on. */
  readonly onChange: () => void;
  /** Tests replace it. */
  readonly probe?: WitnessProbe;
}

export interface WitnessStatus {
  readonly name: string;
  readonly seen: WitnessSeen;
  readonly verdict: WitnessVerdict;
  /** Both nodes lost it while they heard each other: it counts for nothing until it answers. */
  readonly discredited: boolean;
  readonly policy: WitnessSpec['policy'];
  readonly detail: string;
  readonly stateAgeMillis: number;
}

/** Asks the witness, and keeps the judgement. In the supervisor: the agent waits for nobody. */
export class WitnessWatch {
  readonly #options: WitnessWatchOptions;
  readonly #probe: WitnessProbe;
  readonly #name: string;
  #state: WitnessState;
  #verdict: WitnessVerdict = 'fine';
  #detail = 'not asked yet';
  #timer: Timer | null = null;
  #asking: Promise<ProbeOutcome> | null = null;
  #stopped = false;

  constructor(options: WitnessWatchOptions) {
    this.#options = options;
    this.#probe = options.probe ?? witnessProbe(options.spec.check, options.native);
    this.#name = describeWitness(options.spec);
    this.#state = initialWitness(options.clock.now());
  }

  get seen(): WitnessSeen {
    return this.#state.seen;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#probe.close();
  }

  /** What is known of the peer may have changed, or time has passed. */
  judge(): void {
    const { clock, evidence, spec, onChange } = this.#options;
    const { state, verdict } = judgeWitness(this.#state, evidence(), spec.policy, clock.now());
    this.#state = state;
    if (verdict === this.#verdict) return;
    this.#verdict = verdict;
    this.#tell(verdict === 'fine' ? 'info' : 'warn', VERDICTS[verdict]);
    onChange();
  }

  /** What is against the node already stays as it is. */
  standing(base: Standing): Standing {
    if (this.#verdict === 'isolated') {
      return {
        ...base,
        fault: base.fault ?? `isolated: the witness ${this.#name} and the peer are not heard`,
      };
    }
    if (this.#verdict === 'fine' || base.weight === -MAX_WEIGHT) return base;
    return {
      ...base,
      weight: -MAX_WEIGHT,
      reason: `the witness ${this.#name} answers the peer and not this node`,
    };
  }

  /** Asks now: null when a Backup that hears no Active router may claim the addresses, else why not. */
  async objection(): Promise<string | null> {
    // the probe is closed for good: a question would open it again for nobody
    if (this.#stopped) return `the witness ${this.#name} is not asked any more`;
    const { ok } = await this.#ask();
    return mayClaim(this.#state, ok)
      ? null
      : `the witness ${this.#name} does not answer: this node may be cut off`;
  }

  status(): WitnessStatus {
    const { seen, since, discredited } = this.#state;
    return {
      name: this.#name,
      seen,
      verdict: this.#verdict,
      discredited,
      policy: this.#options.spec.policy,
      detail: this.#detail,
      stateAgeMillis: toMillis(between(since, this.#options.clock.now())),
    };
  }

  async #round(): Promise<void> {
    const { clock, spec } = this.#options;
    const { ok, detail } = await this.#ask();
    if (this.#stopped) return;
    this.#detail = detail;
    const before = this.#state.seen;
    this.#state = observeWitness(this.#state, spec, ok, clock.now());
    const { seen } = this.#state;
    if (seen !== before && (before !== 'unknown' || seen === 'down')) {
      this.#tell(ok ? 'info' : 'warn', ok ? `answers again: ${detail}` : `is lost: ${detail}`);
    }
    this.judge();
    this.#timer = clock.timerAfter(spec.interval, () => void this.#round());
  }

  /** A question that is under way answers the next one, too. */
  #ask(): Promise<ProbeOutcome> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<ProbeOutcome> {
    const { clock, spec } = this.#options;
    const limit = new AbortController();
    const timer = clock.timerAfter(spec.timeout, () => limit.abort());
    try {
      return await this.#probe.ask(limit.signal);
    } finally {
      timer.cancel();
    }
  }

  #tell(level: 'info' | 'warn', what: string): void {
    const { seen } = this.#state;
    this.#options.emit({
      level,
      name: 'failover.witness',
      message: `the witness ${this.#name} ${what}`,
      fields: { witness: this.#name, seen, verdict: this.#verdict },
    });
  }
}

const VERDICTS: Readonly<Record<WitnessVerdict, string>> = {
  fine: 'says nothing against this node any more',
  worse: 'answers the peer and not this node: yielding to it',
  isolated: 'and the peer are not heard: this node is cut off and takes no part',
};
