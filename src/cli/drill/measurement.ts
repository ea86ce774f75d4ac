import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { HeldConnection, type Prober, TcpProber, UdpProber } from './probes.ts';
import { Tally } from './tally.ts';
import { formatTarget, type Target } from './target.ts';

/** For the first answers. */
const READY_LIMIT_MS = 5_000;
const READY_POLL_MS = 50;
/** Answers that make a target one that answers. */
const ENOUGH_ANSWERS = 3;
/** For the answers to the last probes. */
const STRAGGLERS_MS = 1_000;
/** Probes that a timer which comes late makes up for at once. */
const MAX_BURST = 20;

const targetReport = z.object({
  target: z.string(),
  sent: z.number(),
  lost: z.number(),
  gapMillis: z.number().nullable(),
  gapAt: z.number().nullable(),
});

export const probeReport = z.object({
  targets: z.array(targetReport),
  /** Targets that gave no answer before it began: nothing is said of them. */
  unmeasured: z.array(z.string()),
  connectionsKept: z.number(),
  connectionsLost: z.number(),
});
export type ProbeReport = z.infer<typeof probeReport>;

export interface MeasurementOptions {
  readonly targets: readonly Target[];
  readonly intervalMillis: number;
  /** Held over the TCP targets in turn. */
  readonly connections: number;
  readonly udpPayload: Buffer;
}

/** Whatever probes: this process, or one on another host. */
export interface Measurement {
  /** Probes from now on. @returns why it cannot be done, or null */
  ready(): Promise<string | null>;
  /** The move begins: connections that are lost from now on are counted. */
  mark(): void;
  /** The last probes have been answered, or not. */
  finish(): Promise<ProbeReport>;
  /** Idempotent. */
  close(): void;
}

interface Probed {
  readonly target: Target;
  readonly tally: Tally;
  readonly prober: Prober;
}

/** The probes of this process. They must not run on a node that holds the address, or would take it. */
export class LocalMeasurement implements Measurement {
  readonly #options: MeasurementOptions;
  readonly #probers: Probed[];
  #held: HeldConnection[] = [];
  #marked: HeldConnection[] = [];
  #timer: NodeJS.Timeout | null = null;
  #unmeasured: string[] = [];

  constructor(options: MeasurementOptions) {
    this.#options = options;
    this.#probers = options.targets.map((target) => {
      const tally = new Tally(formatTarget(target));
      const prober =
        target.protocol === 'tcp'
          ? new TcpProber(target, tally)
          : new UdpProber(target, tally, options.udpPayload);
      return { target, tally, prober };
    });
  }

  async ready(): Promise<string | null> {
    const local = heldHere(this.#options.targets);
    if (local !== null) return local;
    this.#hold();
    this.#start();
    const deadline = performance.now() + READY_LIMIT_MS;
    while (performance.now() < deadline && this.#silent().length > 0) await sleep(READY_POLL_MS);
    const silent = this.#silent();
    const failed = silent.find(({ target }) => target.protocol === 'tcp');
    if (failed !== undefined) return `${failed.tally.target} does not answer`;
    if (silent.length === this.#probers.length) return 'no target answers';
    this.#drop(silent);
    return null;
  }

  mark(): void {
    this.#marked = this.#held.filter(({ isOpen }) => isOpen);
  }

  async finish(): Promise<ProbeReport> {
    this.#stop();
    const [at, wall] = [performance.now(), Date.now()];
    await sleep(STRAGGLERS_MS);
    const kept = this.#marked.filter(({ isOpen }) => isOpen).length;
    return {
      targets: this.#probers.map(({ tally }) => tally.report(at, wall)),
      unmeasured: this.#unmeasured,
      connectionsKept: kept,
      connectionsLost: this.#marked.length - kept,
    };
  }

  close(): void {
    this.#stop();
    for (const { prober } of this.#probers) prober.close();
    for (const held of this.#held) held.close();
    this.#probers.length = 0;
    this.#held = [];
  }

  #hold(): void {
    const tcp = this.#options.targets.filter(({ protocol }) => protocol === 'tcp');
    for (let n = 0; n < this.#options.connections; n++) {
      const target = tcp[n % Math.max(1, tcp.length)];
      if (target !== undefined) this.#held.push(new HeldConnection(target));
    }
  }

  #start(): void {
    const { intervalMillis } = this.#options;
    const begin = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor((performance.now() - begin) / intervalMillis);
      const burst = Math.min(due - sent, MAX_BURST);
      for (let n = 0; n < burst; n++) for (const { prober } of this.#probers) prober.probe();
      sent = due;
    }, intervalMillis);
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #silent(): Probed[] {
    return this.#probers.filter(({ tally }) => tally.answered < ENOUGH_ANSWERS);
  }

  /** UDP services that do not answer what they do not understand. */
  #drop(silent: readonly Probed[]): void {
    for (const one of silent) {
      this.#unmeasured.push(one.tally.target);
      one.prober.close();
      this.#probers.splice(this.#probers.indexOf(one), 1);
    }
  }
}

/** A packet to an address of one's own never leaves the host: what it measures is not what a client sees. */
export function heldHere(targets: readonly Target[]): string | null {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).map(({ address }) => address),
    ),
  );
  const local = targets.find(({ endpoint }) => own.has(endpoint.address.text));
  return local === undefined
    ? null
    : `this host holds ${local.endpoint.address.text} itself: what it probes there is not what a client sees`;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
