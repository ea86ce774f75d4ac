import type { Duration } from '../lib/duration.ts';
import { type IpAddress, ipFromBytes } from '../lib/ip.ts';
import { GOOD_STANDING, type Standing, type VirtualRouterStatus } from '../model/failover.ts';
import type { AddressInfo } from '../native/index.ts';
import type { Envelope } from '../vrrp/packet.ts';
import {
  createRouter,
  type ResumePoint,
  type Router,
  type RouterAction,
  type RouterInput,
  type RouterSettings,
} from '../vrrp/router.ts';
import { step } from '../vrrp/state-machine.ts';
import type { SyncInput } from '../vrrp/sync.ts';
import type { Stepped } from '../vrrp/transition.ts';
import type { Announcers } from './announcers.ts';
import { Attachment } from './attachment.ts';
import { ClaimAttempt } from './claim-attempt.ts';
import { ClaimGate } from './claim-gate.ts';
import type { DuplicateWatch } from './duplicate-watch.ts';
import { Holdings } from './holdings.ts';
import type { InterfaceView } from './interface-view.ts';
import { Reception } from './reception.ts';
import { refuseHandover, refuseTakeover } from './role-commands.ts';
import { RouterEvents } from './router-events.ts';
import { describeRouter, type VirtualRouterSpec } from './router-spec.ts';
import { routerStatus } from './router-status.ts';
import { RouterTimers } from './router-timers.ts';
import type { Surroundings } from './surroundings.ts';
import { type Move, TransitionLog } from './transition-log.ts';
import { createVoice } from './voice.ts';

/** Drives one virtual router's state machine: sockets, timers, leased addresses, announcements. */
export class VirtualRouter {
  readonly #around: Surroundings;
  readonly #timers: RouterTimers;
  readonly #claim: ClaimAttempt;
  readonly #holdings: Holdings;
  readonly #announcers: Announcers;
  readonly #attachment: Attachment;
  readonly #reception: Reception;
  readonly #events: RouterEvents;
  readonly #log: TransitionLog;
  readonly #gate: ClaimGate;
  readonly #duplicates: DuplicateWatch;
  #spec: VirtualRouterSpec;
  #router: Router;
  /** The supervisor's judgement. */
  #standing: Standing = GOOD_STANDING;
  /** The strongest advertisement that lay unread during a stall while Active. */
  #heardInStall: Heard | null = null;
  #onParted: () => void = () => undefined;
  #sent = 0;
  #closed = false;

  constructor(spec: VirtualRouterSpec, around: Surroundings) {
    const { clock, emit, isOtherVrid } = around;
    this.#spec = spec;
    this.#around = around;
    this.#log = new TransitionLog(clock);
    this.#timers = new RouterTimers(around, (timer) => this.#feed({ type: 'timer', timer }));
    this.#claim = new ClaimAttempt({
      clock,
      claim: () => this.#claimAddresses(),
      onError: (fault, error) => this.#events.error(fault, error),
      onRetry: () => this.#feedFitness(),
    });
    this.#gate = new ClaimGate({
      clock,
      spec: () => this.#spec,
      witnessTimeout: around.witnessTimeout,
      ask: around.askClaim,
      resume: (input, by) => this.#feed(input, by),
    });
    this.#router = createRouter(this.#settings(UNKNOWN_SOURCE[spec.family]));
    this.#events = new RouterEvents(clock, emit, () => this.#spec);
    this.#reception = new Reception(
      spec,
      (vrid) => isOtherVrid(this.#spec, vrid),
      (reason, source) => this.#events.discarded(reason, source),
    );
    this.#holdings = new Holdings(
      () => this.#spec,
      around,
      () => this.#feed({ type: 'contested' }),
    );
    const { announcers, duplicates } = createVoice({
      spec,
      around,
      holdings: this.#holdings,
      router: () => this.#router,
      onContested: () => this.#feed({ type: 'contested' }),
      onDuplicate: (claim, count) => this.#events.duplicate(claim, count),
    });
    this.#announcers = announcers;
    this.#duplicates = duplicates;
    this.#attachment = new Attachment({
      spec: () => this.#spec,
      around,
      announcers,
      events: this.#events,
      prepare: (view) => this.#prepare(view),
      onMessage: (message, envelope) => this.#heard(message, envelope),
      onSource: (source) => this.#sendFrom(source),
      onLink: (up) => this.#feed({ type: 'link', up }),
      onMacChanged: () => {
        if (this.#router.state === 'Active') this.#announcers.announce('active');
      },
    });
  }

  get spec(): VirtualRouterSpec {
    return this.#spec;
  }

  get router(): Router {
    return this.#router;
  }

  get state(): Router['state'] {
    return this.#router.state;
  }

  /** Begins, once. Without something to resume, addresses that a dead predecessor left are removed first. */
  start(resume: ResumePoint | null): void {
    if (resume?.state !== 'Active') this.#removeStale();
    this.interfaceChanged();
    this.#feed({ type: 'start', resume });
  }

  /** After the supervisor's silence: as `start`, with an election. */
  restart(): void {
    this.#feed({ type: 'start', resume: null });
  }

  /** Priority 0 when Active, and Initialize. */
  resign(reason: 'shutdown' | 'supervisor-lost'): void {
    this.#feed({ type: 'stop', reason });
    if (reason === 'shutdown') this.#holdings.dismantle();
  }

  /** Priority 0, and Initialize as soon as another router has the addresses or had the time to take them. */
  async part(): Promise<void> {
    this.#feed({ type: 'part' });
    if (this.#router.parting) {
      await new Promise<void>((resolve) => {
        this.#onParted = resolve;
      });
    }
    this.#holdings.dismantle();
  }

  /**
   * Falls silent without a word; the addresses stay for the successor that resumes from the returned point. So do
   * the sockets, until this process ends: closing them takes milliseconds each, in which nobody would advertise.
   */
  handOn(): ResumePoint | null {
    const { state, raised, yielded } = this.#router;
    this.#holdings.abandon();
    this.#announcers.stop();
    this.#fallSilent();
    return state === 'Initialize' ? null : { state, effectivePriority: raised, yielded };
  }

  setStanding(standing: Standing): void {
    this.#standing = standing;
    // the weight first: a router that leaves Initialize enters the election with it
    this.#feed({ type: 'weight', weight: standing.weight });
    this.#feedFitness();
  }

  /** What a partner's move asks of this one. */
  follow(input: SyncInput): void {
    this.#feed(input);
  }

  /** @returns a sentence, and whether it worked. */
  handover(by: string): { readonly ok: boolean; readonly message: string } {
    const refusal = refuseHandover(this.#spec, this.#router);
    if (refusal !== null) return { ok: false, message: refusal };
    this.#feed({ type: 'handover' }, by);
    return { ok: true, message: `${describeRouter(this.#spec)} handed over` };
  }

  takeover(by: string): { readonly ok: boolean; readonly message: string } {
    const refusal = refuseTakeover(this.#spec, this.#router, this.#standing);
    if (refusal !== null) return { ok: false, message: refusal };
    const name = describeRouter(this.#spec);
    const before = this.state;
    this.#feed({ type: 'takeover' }, by);
    if (this.#gate.asking) return { ok: true, message: `${name} takes over if before_claim agrees` };
    if (this.state !== 'Active') return { ok: false, message: `${name}: ${this.status().explanation}` };
    return { ok: true, message: `${name} ${before === 'Active' ? 'was Active already' : 'took over'}` };
  }

  /** A new configuration for the same VRID, family and interface: state and timers stay. */
  reconfigure(spec: VirtualRouterSpec): void {
    this.#spec = spec;
    this.#announcers.update(spec.held, spec.group.announce);
    if (this.#holdings.update()) this.#announcers.announce('active');
    this.#reception.configure(spec, this.#attachment.port?.source ?? null);
    this.#feed({ type: 'reconfigure', settings: this.#settings(this.#router.settings.source) });
    this.interfaceChanged();
  }

  /** The interface's link or addresses may have changed; also opens what could not be opened before. */
  interfaceChanged(): void {
    this.#attachment.check();
    this.#holdings.verifyRoutes();
  }

  routesChanged(): void {
    this.#holdings.verifyRoutes();
  }

  addressRemoved(ifindex: number, address: IpAddress): void {
    this.#holdings.addressRemoved(ifindex, address);
  }

  /**
   * A stall is over and everything received during it has been read.
   * @param present every address that the host holds now
   */
  stalled(length: Duration, present: readonly AddressInfo[]): void {
    this.#log.stalled(length);
    const heard = this.#heardInStall;
    this.#heardInStall = null;
    if (heard !== null) {
      if (heard.priority > 0 && this.#holdings.isLost(present)) this.#feed({ type: 'lapsed' });
      this.#feed(heard);
    }
    if (this.#router.state !== 'Active') return;
    this.#holdings.verify(present);
    this.#feed({ type: 'contested' });
  }

  /** Waits until what was sent has left, at most `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    await this.#attachment.port?.flush(limitMs);
  }

  /** Without sending or removing anything. */
  close(): void {
    this.#fallSilent();
    this.#attachment.close();
  }

  #fallSilent(): void {
    this.#closed = true;
    this.#timers.close();
    this.#claim.close();
    this.#duplicates.close();
    this.#gate.close();
    this.#onParted();
  }

  status(): VirtualRouterStatus {
    return routerStatus({
      spec: this.#spec,
      router: this.#router,
      reception: this.#reception,
      hindrance: this.#hindrance(),
      standing: this.#standing,
      holdings: this.#holdings,
      log: this.#log,
      conflicts: this.#events.conflicts,
      duplicates: this.#duplicates,
      sent: this.#sent,
      now: this.#around.clock.now(),
    });
  }

  #settings(source: IpAddress): RouterSettings {
    const { version, priority, advertiseInterval, preempt, preemptDelay } = this.#spec.group;
    const { paired } = this.#spec;
    const partnership = this.#around.partnership(this.#spec);
    return { version, priority, advertiseInterval, preempt, preemptDelay, source, paired, ...partnership };
  }

  #feed(input: RouterInput, by: string | null = null): void {
    if (this.#closed) return;
    const before = this.#router;
    const now = this.#around.clock.now();
    const { router, actions } = step(before, input, now);
    const stepped: Stepped = { before, after: router, input, now, by };
    if (this.#gate.holds(stepped)) return;
    this.#router = router;
    this.#log.stepped(stepped);
    const failedBefore = this.#claim.fault;
    for (const action of actions) {
      // a claim that failed must not make a working Active let go
      const failed = this.#claim.fault !== failedBefore;
      if (!failed || (action.type !== 'send' && action.type !== 'announce')) this.#perform(action, stepped);
    }
    if (before.parting && !router.parting) this.#onParted();
    // after the step is complete: an Active router without its addresses must resign
    if (this.#claim.fault !== failedBefore) this.#feedFitness();
    else this.#around.onStep();
  }

  #perform(action: RouterAction, stepped: Stepped): void {
    switch (action.type) {
      case 'send':
        this.#sent += this.#attachment.port?.advertise(this.#spec, action.priority) ?? 0;
        break;
      case 'arm':
        this.#timers.arm(action.timer, action.at);
        break;
      case 'cancel':
        this.#timers.cancel(action.timer);
        break;
      case 'claim':
        this.#claim.make();
        break;
      case 'release':
        this.#announcers.stop();
        this.#holdings.release();
        break;
      case 'announce':
        this.#announcers.announce(stepped.before.state === 'Active' ? 'conflict' : 'active');
        break;
      case 'conflict':
        this.#events.conflict(action.source, action.priority);
        break;
      case 'transition':
        this.#transitioned(action, stepped);
        break;
    }
  }

  /** @throws Error or NativeError */
  #claimAddresses(): void {
    if (this.#attachment.port === null) throw new Error(`no interface ${this.#spec.group.interface}`);
    this.#holdings.claim();
  }

  /** When the interface with the virtual MAC address had to be made anew, the addresses went with the old one. */
  #prepare(view: InterfaceView): void {
    if (!this.#holdings.prepare(view) || this.#router.state !== 'Active') return;
    this.#claim.make();
    if (this.#claim.fault === null) this.#feed({ type: 'contested' });
    else this.#feedFitness();
  }

  #sendFrom(source: IpAddress): void {
    this.#reception.configure(this.#spec, source);
    this.#feed({ type: 'reconfigure', settings: this.#settings(source) });
  }

  #heard(message: Uint8Array, envelope: Envelope): void {
    this.#around.guard.noteReceived();
    const advertisement = this.#reception.accept(message, envelope);
    if (advertisement === null) return;
    const { priority, interval } = advertisement;
    const heard: Heard = { type: 'advertisement', source: envelope.source, priority, interval };
    if (this.#around.guard.stalled && this.#router.state === 'Active') this.#hearLater(heard);
    else this.#feed(heard);
  }

  /** Whether we are still Active is decided when all has been read: until then, no answer. */
  #hearLater(heard: Heard): void {
    if (heard.priority >= (this.#heardInStall?.priority ?? 0)) this.#heardInStall = heard;
  }

  #removeStale(): void {
    try {
      const removed = this.#holdings.removeStale();
      if (removed.length > 0) this.#events.removedStale(removed);
    } catch (error) {
      this.#events.error('addresses cannot be changed', error);
    }
  }

  #feedFitness(): void {
    this.#feed({ type: 'fitness', fit: this.#standing.fault === null && this.#claim.fault === null });
  }

  /** What stands against this router from outside its state machine. */
  #hindrance(): string | null {
    if (this.#attachment.blocked !== null) return this.#attachment.blocked;
    if (this.#claim.fault !== null) return this.#claim.fault;
    return this.#standing.fault ?? this.#gate.hindrance;
  }

  #transitioned({ from, to, reason }: Move, stepped: Stepped): void {
    const record = this.#log.record({ from, to, reason }, stepped, {
      spec: this.#spec,
      unfitReason: this.#claim.fault ?? this.#standing.fault ?? this.#standing.reason,
      supervisorSilence: this.#around.supervisorSilence(),
    });
    this.#events.transition(record, this.#router);
    this.#around.onTransition(record);
  }
}

type Heard = Extract<RouterInput, { type: 'advertisement' }>;

/** Until the interface is known. */
const UNKNOWN_SOURCE = { 4: ipFromBytes(new Uint8Array(4)), 6: ipFromBytes(new Uint8Array(16)) } as const;
