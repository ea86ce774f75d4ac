import type { Clock, Timer } from '../../lib/clock.ts';
import { between, type Duration, type Instant, millis, seconds } from '../../lib/duration.ts';
import type { Emit } from '../../model/event.ts';
import type { PeerSpec } from '../../model/failover.ts';
import {
  MAX_SUMMARY_ROUTERS,
  MAX_SUMMARY_SERVICES,
  type NodeSummary,
  type PeerReport,
} from '../../model/peer-report.ts';
import { type ChannelEnd, connectPeer, type PeerChannel } from './channel.ts';
import type { PeerMessage } from './messages.ts';
import type { CallerHandlers } from './server.ts';

const INTERVAL = millis(500);
/** Six reports missed: the peer is not heard. */
const STALE = seconds(3);
/** Shorter than a channel may live. */
const RENEW = seconds(30);
const RETRY = seconds(1);
/** A peer that was never heard is missed no earlier: at the start both nodes begin at once. */
const FIRST = seconds(30);
/** After a peer that does not know reports (each one ends its session), or has another key: it counts such calls. */
const RETRY_REFUSED = seconds(60);

type ReportMessage = Extract<PeerMessage, { type: 'report' }>;

export interface PeerReportsOptions {
  readonly peer: PeerSpec;
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly emit: Emit;
  /** What to say of this node. */
  readonly report: () => PeerReport;
  /** Tests replace it. */
  readonly connect?: typeof connectPeer;
}

/**
 * Tells the peer's supervisor about this node, and hears about that one: over a connection of our own, where each
 * report is answered by one, and over the peer's, so that one way through a firewall is enough.
 */
export class PeerReports {
  readonly #options: PeerReportsOptions;
  #channel: PeerChannel | null = null;
  #timer: Timer | null = null;
  #openedAt: Instant | null = null;
  #answered = false;
  #heard: { readonly report: PeerReport; readonly at: Instant } | null = null;
  #told: boolean | null = null;
  #stopped = false;
  #startedAt: Instant;

  constructor(options: PeerReportsOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  start(): void {
    this.#startedAt = this.#options.clock.now();
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#channel?.close();
    this.#channel = null;
  }

  /** The last report, as long as it is fresh. */
  latest(): PeerReport | null {
    const age = this.age();
    return age === null || age > STALE ? null : (this.#heard?.report ?? null);
  }

  /** The last report, however old, and when it came. */
  get last(): { readonly report: PeerReport; readonly at: Instant } | null {
    return this.#heard;
  }

  /** Since the last report; null before the first. */
  age(): Duration | null {
    return this.#heard && between(this.#heard.at, this.#options.clock.now());
  }

  /** Takes reports out of what a caller says; the rest is for `other`. */
  caller(other: CallerHandlers): CallerHandlers {
    let channel: PeerChannel | null = null;
    let reports = false;
    return {
      onOpen: (opened) => {
        channel = opened;
        other.onOpen(opened);
      },
      onMessage: (message) => {
        if (message.type !== 'report') {
          other.onMessage(message);
          return;
        }
        // this connection will never be a handover
        if (!reports) other.onEnd({ why: 'the peer reports', trusted: true });
        reports = true;
        this.#hear(message);
        channel?.send(this.#message());
      },
      onEnd: (end) => {
        channel = null;
        if (!reports) other.onEnd(end);
      },
    };
  }

  #connect(): void {
    const { peer, secret, clock, connect = connectPeer } = this.#options;
    this.#openedAt = null;
    this.#answered = false;
    this.#channel = connect(
      peer,
      { secret, clock },
      {
        onOpen: () => {
          this.#openedAt = clock.now();
          this.#say();
        },
        onMessage: (message) => {
          if (message.type !== 'report') return;
          this.#answered = true;
          this.#hear(message);
        },
        onEnd: (end) => this.#ended(end),
      },
    );
  }

  #ended({ why, trusted }: ChannelEnd): void {
    this.#channel = null;
    const unanswered = this.#openedAt !== null && !this.#answered;
    if (!trusted) this.#tellSilence(why, true);
    else this.#tellSilence(unanswered ? `${why}; it may be of an older version` : why, false);
    this.#again(trusted && !unanswered ? RETRY : RETRY_REFUSED);
  }

  #again(pause: Duration): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#options.clock.timerAfter(pause, () => this.#connect());
  }

  /** Now, and again and again; over a new connection before this one has lived too long. */
  #say(): void {
    const { clock } = this.#options;
    if (this.#stopped || this.#channel === null) return;
    if (this.#openedAt !== null && between(this.#openedAt, clock.now()) > RENEW) {
      this.#channel.close();
      this.#connect();
      return;
    }
    this.#timer?.cancel();
    this.#timer = clock.timerAfter(INTERVAL, () => this.#say());
    // may find the connection dead, and then there is another timer
    this.#channel.send(this.#message());
    this.#tellSilence('no report for a while', false);
  }

  #message(): ReportMessage {
    const { fit, reach, witness, node } = this.#options.report();
    const seen = witness === null ? {} : { witness };
    const self = node === null ? {} : { node: wireSummary(node) };
    return { type: 'report', version: 1, fit, backends: reach.digest, up: reach.up, ...seen, ...self };
  }

  #hear({ fit, backends, up, witness, node }: ReportMessage): void {
    const reach = { digest: backends, up };
    const report = { fit, reach, witness: witness ?? null, node: node ?? null };
    this.#heard = { report, at: this.#options.clock.now() };
    if (this.#told === true) return;
    this.#told = true;
    this.#tell('info', 'the peer reports about itself: backends can be compared');
  }

  /** @param lasting time will not mend it */
  #tellSilence(why: string, lasting: boolean): void {
    if (this.#told === false || this.latest() !== null) return;
    const early = between(this.#startedAt, this.#options.clock.now()) < FIRST;
    if (this.#heard === null && early && !lasting) return;
    this.#told = false;
    this.#tell('warn', `the peer reports nothing about itself: ${why}`);
  }

  #tell(level: 'info' | 'warn', message: string): void {
    const { address } = this.#options.peer;
    this.#options.emit({ level, name: 'failover.peer', message, fields: { peer: address.text } });
  }
}

/** As much of it as a report has room for. */
const wireSummary = ({ routers, services, config, ...rest }: NodeSummary): ReportMessage['node'] => ({
  ...rest,
  routers: routers.slice(0, MAX_SUMMARY_ROUTERS),
  services: services.slice(0, MAX_SUMMARY_SERVICES),
  config: [...config],
});
