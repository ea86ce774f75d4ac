/** What the probes of one target have seen. Pure: the times are handed in, in milliseconds. */

export interface TargetReport {
  /** As a URL: tcp://10.0.0.100:80. */
  readonly target: string;
  readonly sent: number;
  readonly lost: number;
  /** The longest time without an answer, from the first answer to the end; null without any answer. */
  readonly gapMillis: number | null;
  /** Wall-clock milliseconds of the last answer before it. */
  readonly gapAt: number | null;
}

export class Tally {
  readonly target: string;
  #sent = 0;
  #answered = 0;
  #lastAnswer: number | null = null;
  #gap: number | null = null;
  #gapAt: number | null = null;

  constructor(target: string) {
    this.target = target;
  }

  get answered(): number {
    return this.#answered;
  }

  sent(): void {
    this.#sent++;
  }

  /** Answers come in any order. */
  answer(at: number, wall: number): void {
    this.#answered++;
    this.#silence(at, wall);
    this.#lastAnswer = Math.max(at, this.#lastAnswer ?? at);
  }

  /** Silence goes on to the end: a target that does not come back has the longest of all. */
  report(at: number, wall: number): TargetReport {
    this.#silence(at, wall);
    return {
      target: this.target,
      sent: this.#sent,
      lost: Math.max(0, this.#sent - this.#answered),
      gapMillis: this.#gap,
      gapAt: this.#gapAt,
    };
  }

  #silence(at: number, wall: number): void {
    if (this.#lastAnswer === null) return;
    const silence = Math.max(0, at - this.#lastAnswer);
    if (this.#gap !== null && silence <= this.#gap) return;
    this.#gap = silence;
    this.#gapAt = wall - silence;
  }
}
