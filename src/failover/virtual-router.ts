import type { Clock, Timer } from '../lib/clock.ts';
import { type Instant, micros, millis, seconds } from '../lib/duration.ts';
import { errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { type IpAddress, ipFromBytes } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { VirtualRouterStatus } from '../model/failover.ts';
import type { Native } from '../native/index.ts';
import type { Envelope } from '../vrrp/packet.ts';
import {
  createRouter,
  effectivePriority,
  type ResumePoint,
  type Router,
  type RouterAction,
  type RouterInput,
  type RouterSettings,
  type TimerName,
} from '../vrrp/router.ts';
import { step } from '../vrrp/state-machine.ts';
import { AddressLease } from './address-lease.ts';
import { Announcer } from './announcer.ts';
import { Complaint } from './complaint.ts';
import { isPermanent, type Readiness, readiness } from './interface-view.ts';
import type { LinkMonitor } from './link-monitor.ts';
import { Reception } from './reception.ts';
import { RouterPort } from './router-port.ts';
import { describeRouter, routerFields, type VirtualRouterSpec } from './router-spec.ts';
import { routerStatus } from './router-status.ts';
import type { StallGuard } from './stall-guard.ts';

/** Before sockets that could not be opened, or addresses that could not be added, are tried again. */
const RETRY = seconds(2);
/** After a foreign announcement: an advertisement that explains it (a preempting peer) comes first. */
const FOREIGN_CLAIM_GRACE = millis(100);

/** What all virtual routers of an agent share. */
export interface Surroundings {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly guard: StallGuard;
  readonly links: LinkMonitor;
  /** One of this agent's virtual addresses, on any router. */
  readonly isVirtual: (address: IpAddress) => boolean;
  /** Another router of this agent has that VRID on this interface. */
  readonly isOtherVrid: (of: VirtualRouterSpec, vrid: number) => boolean;
  /** The state changed: the supervisor should know. */
  readonly onTransition: () => void;
}

/** Drives one virtual router's state machine: sockets, timers, leased addresses, announcements. */
export class VirtualRouter {
  readonly #around: Surroundings;
  readonly #timers = new Map<TimerName, Timer>();
  readonly #lease: AddressLease;
  readonly #announcer: Announcer;
  readonly #reception: Reception;
  readonly #complaint: Complaint;
  readonly #conflicts: Complaint;
  #spec: VirtualRouterSpec;
  #router: Router;
  #port: RouterPort | null = null;
  /** Why the interface cannot be used; null when it can. */
  #blocked: string | null = null;
  /** The supervisor's judgement, and why. */
  #fitness: { readonly fit: boolean; readonly reason: string | null } = { fit: true, reason: null };
  /** Adding the addresses failed: unfit until the next attempt. */
  #claimFailed: string | null = null;
  #retry: Timer | null = null;
  #foreignClaim: Timer | null = null;
  #since: number;
  #sent = 0;
  #transitions = 0;
  #closed = false;

  constructor(spec: VirtualRouterSpec, around: Surroundings) {
    const { native, clock, emit, guard, isOtherVrid } = around;
    const fields = routerFields(spec);
    const { group, addresses } = spec;
    this.#spec = spec;
    this.#around = around;
    this.#since = clock.wallMillis();
    this.#router = createRouter(settingsOf(spec, UNKNOWN_SOURCE[spec.family]));
    this.#reception = new Reception(spec, (vrid) => isOtherVrid(this.#spec, vrid));
    this.#complaint = new Complaint(clock, emit);
    this.#conflicts = new Complaint(clock, emit);
    this.#lease = new AddressLease(
      {
        native,
        clock,
        emit,
        fields,
        isPermanent: (ifindex, address) => this.#isPermanent(ifindex, address),
        whenCurrent: (act) => guard.run(act),
        onRestored: () => this.#feed({ type: 'contested' }),
      },
      addresses,
      group.lease,
    );
    this.#announcer = new Announcer(
      {
        native,
        clock,
        emit,
        fields,
        isOwner: () => this.#router.state === 'Active' && this.#lease.complete,
        onForeignClaim: () => this.#foreignlyClaimed(),
      },
      addresses,
      group.announce,
    );
  }

  get spec(): VirtualRouterSpec {
    return this.#spec;
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
  }

  /** Falls silent without a word; the addresses stay for the successor that resumes from the returned point. */
  handOn(): ResumePoint | null {
    const { state, raised, yielded } = this.#router;
    this.#lease.abandon();
    this.close();
    return state === 'Initialize' ? null : { state, effectivePriority: raised, yielded };
  }

  setFitness(fit: boolean, reason: string | null): void {
    this.#fitness = { fit, reason };
    this.#feedFitness();
  }

  /** @returns a sentence, and whether it worked. */
  handover(): { readonly ok: boolean; readonly message: string } {
    const name = describeRouter(this.#spec);
    if (this.#router.state !== 'Active') return { ok: false, message: `${name} is not Active on this node` };
    if (this.#router.settings.priority === 255) {
      return { ok: false, message: `${name} owns its addresses (priority 255) and would take them back` };
    }
    this.#feed({ type: 'handover' });
    return { ok: true, message: `${name} handed over` };
  }

  takeover(): { readonly ok: boolean; readonly message: string } {
    const name = describeRouter(this.#spec);
    if (this.#router.state === 'Initialize')
      return { ok: false, message: `${name}: ${this.status().explanation}` };
    const before = this.#router.state;
    this.#feed({ type: 'takeover' });
    if (this.state !== 'Active') return { ok: false, message: `${name}: ${this.status().explanation}` };
    return { ok: true, message: `${name} ${before === 'Active' ? 'was Active already' : 'took over'}` };
  }

  /** A new configuration for the same VRID, family and interface: state and timers stay. */
  reconfigure(spec: VirtualRouterSpec): void {
    this.#spec = spec;
    this.#announcer.update(spec.addresses, spec.group.announce);
    this.#lease.update(spec.addresses, spec.group.lease);
    this.#reception.configure(spec, this.#port?.source ?? null);
    this.#feed({ type: 'reconfigure', settings: settingsOf(spec, this.#router.settings.source) });
    this.interfaceChanged();
  }

  /** The interface's link or addresses may have changed; also opens what could not be opened before. */
  interfaceChanged(): void {
    if (this.#closed) return;
    const { links, isVirtual } = this.#around;
    const found = readiness(this.#spec, links.view(this.#spec.group.interface), isVirtual);
    if (!found.ready) {
      this.#block(found.why);
      return;
    }
    const usable = this.#port?.serves(this.#spec, found.view, found.source) === true || this.#open(found);
    if (!usable || !this.#attachAnnouncer(found)) return;
    if (this.#blocked !== null) this.#linkEvent('info', `can use ${found.view.name} again`);
    this.#blocked = null;
    this.#feed({ type: 'link', up: true });
  }

  addressRemoved(ifindex: number, address: IpAddress): void {
    this.#lease.addressRemoved(ifindex, address);
  }

  /** A stall is over and everything received during it has been read. */
  stalled(): void {
    if (this.#router.state !== 'Active') return;
    this.#lease.verify();
    this.#feed({ type: 'contested' });
  }

  /** Waits until what was sent has left, at most `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    await this.#port?.flush(limitMs);
  }

  /** Without sending or removing anything. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#retry?.cancel();
    this.#foreignClaim?.cancel();
    this.#announcer.detach();
    this.#port?.close();
    this.#port = null;
  }

  status(): VirtualRouterStatus {
    return routerStatus({
      spec: this.#spec,
      router: this.#router,
      reception: this.#reception,
      hindrance: this.#hindrance(),
      holdsAddresses: this.#holdsAddresses(),
      since: this.#since,
      sent: this.#sent,
      transitions: this.#transitions,
      now: this.#around.clock.now(),
    });
  }

  #feed(input: RouterInput): void {
    if (this.#closed) return;
    const { router, actions } = step(this.#router, input, this.#around.clock.now());
    this.#router = router;
    const failedBefore = this.#claimFailed;
    for (const action of actions) this.#perform(action);
    // after the step is complete: an Active router without its addresses must resign
    if (this.#claimFailed !== failedBefore) this.#feedFitness();
  }

  #perform(action: RouterAction): void {
    switch (action.type) {
      case 'send':
        this.#sent += this.#port?.advertise(this.#spec, action.priority) ?? 0;
        break;
      case 'arm':
        this.#arm(action.timer, action.at);
        break;
      case 'cancel':
        this.#timers.get(action.timer)?.cancel();
        break;
      case 'claim':
        this.#claim();
        break;
      case 'release':
        this.#announcer.stop();
        this.#lease.release();
        break;
      case 'announce':
        this.#announcer.announce();
        break;
      case 'conflict':
        this.#conflictEvent(action.source, action.priority);
        break;
      case 'transition':
        this.#transitioned(action);
        break;
    }
  }

  #arm(name: TimerName, at: Instant): void {
    const { clock, guard } = this.#around;
    this.#timers.get(name)?.cancel();
    const fire = (): void => this.#feed({ type: 'timer', timer: name });
    // Active_Down is believed only when no advertisement lies unread; the others only if nothing stalled
    const gate = name === 'active-down' ? guard.afterDrain : guard.run;
    this.#timers.set(
      name,
      clock.timerAt(at, () => gate.call(guard, fire)),
    );
  }

  #claim(): void {
    const index = this.#port?.view.index;
    try {
      if (index === undefined) throw new Error(`no interface ${this.#spec.group.interface}`);
      this.#lease.acquire(index);
    } catch (error) {
      this.#claimFailed = `the addresses cannot be added: ${messageOf(error)}`;
      this.#errorEvent(this.#claimFailed, error);
      this.#retryLater();
    }
  }

  #heard(message: Uint8Array, envelope: Envelope): void {
    this.#around.guard.noteReceived();
    const advertisement = this.#reception.accept(message, envelope);
    if (advertisement === null) return;
    const { priority, interval } = advertisement;
    this.#feed({ type: 'advertisement', source: envelope.source, priority, interval });
  }

  // Interface and sockets

  /** The interface cannot be used, or not yet: Initialize, without a word since nobody would hear it. */
  #block(why: string): void {
    if (this.#blocked !== why) this.#linkEvent('warn', `waits: ${why}`);
    this.#blocked = why;
    this.#feed({ type: 'link', up: false });
    if (this.#around.links.view(this.#spec.group.interface) !== null) return;
    this.#announcer.detach();
    this.#port?.close();
    this.#port = null;
  }

  /** Opens the sockets; on failure says so, blocks and tries again later. */
  #open({ view, source }: Ready): boolean {
    this.#port?.close();
    this.#port = null;
    try {
      this.#port = new RouterPort({
        native: this.#around.native,
        spec: this.#spec,
        view,
        source,
        onMessage: (message, envelope) => this.#heard(message, envelope),
        onSendError: (error) => this.#errorEvent('an advertisement cannot be sent', error),
        onDead: (error) => this.#portDied(error),
      });
    } catch (error) {
      this.#errorEvent('the sockets cannot be opened', error);
      this.#block(messageOf(error));
      this.#retryLater();
      return false;
    }
    this.#reception.configure(this.#spec, source);
    this.#feed({ type: 'reconfigure', settings: settingsOf(this.#spec, source) });
    return true;
  }

  /** A changed MAC address (bonding) is announced: the link still knows the old one. */
  #attachAnnouncer({ view }: Ready): boolean {
    try {
      if (this.#announcer.attach(view.index, view.mac)) this.#feed({ type: 'contested' });
      return true;
    } catch (error) {
      this.#errorEvent('the packet socket cannot be opened', error);
      this.#block(messageOf(error));
      this.#retryLater();
      return false;
    }
  }

  #portDied(error: Error): void {
    this.#errorEvent('the receiving socket failed', error);
    this.#port?.close();
    this.#port = null;
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#around.clock.timerAfter(RETRY, () => {
      this.#claimFailed = null;
      this.interfaceChanged();
      this.#feedFitness();
    });
  }

  #removeStale(): void {
    const { links, emit } = this.#around;
    const view = links.view(this.#spec.group.interface);
    if (view === null) return;
    try {
      const removed = this.#lease.removeStale(view.index);
      if (removed.length === 0) return;
      const message = `${describeRouter(this.#spec)}: removed what a predecessor left: ${removed.join(', ')}`;
      emit({ level: 'warn', name: 'failover.cleanup', message, fields: routerFields(this.#spec) });
    } catch (error) {
      this.#errorEvent('addresses cannot be changed', error);
    }
  }

  #isPermanent(ifindex: number, address: IpAddress): boolean {
    const view = this.#around.links.view(this.#spec.group.interface);
    if (view?.index !== ifindex) return false;
    return view.addresses.some(
      (info) => isPermanent(info) && Buffer.compare(info.address, address.bytes) === 0,
    );
  }

  #holdsAddresses(): boolean {
    if (this.#lease.complete) return true;
    const present = this.#around.links.view(this.#spec.group.interface)?.addresses ?? [];
    return this.#spec.addresses.every(({ address }) =>
      present.some((info) => Buffer.compare(info.address, address.bytes) === 0),
    );
  }

  #feedFitness(): void {
    this.#feed({ type: 'fitness', fit: this.#fitness.fit && this.#claimFailed === null });
  }

  /** What stands against this router from outside its state machine. */
  #hindrance(): string | null {
    if (this.#blocked !== null) return this.#blocked;
    if (this.#claimFailed !== null) return this.#claimFailed;
    if (this.#fitness.fit) return null;
    return `this node is not fit to serve: ${this.#fitness.reason ?? 'no reason given'}`;
  }

  /** A preempting peer announces before it advertises: contradict only what is unexplained a little later. */
  #foreignlyClaimed(): void {
    if (this.#foreignClaim !== null) return;
    const { clock } = this.#around;
    const grace = micros(Math.max(FOREIGN_CLAIM_GRACE, this.#router.activeInterval));
    this.#foreignClaim = clock.timerAfter(grace, () => {
      this.#foreignClaim = null;
      if (this.#router.state !== 'Active') return;
      const message = `${describeRouter(this.#spec)}: another host announced our address; announcing it again`;
      this.#conflicts.raise({
        level: 'warn',
        name: 'failover.conflict',
        message,
        fields: routerFields(this.#spec),
      });
      this.#feed({ type: 'contested' });
    });
  }

  // Events

  #transitioned({ from, to, reason }: Extract<RouterAction, { type: 'transition' }>): void {
    const { clock, emit, onTransition } = this.#around;
    const { peer } = this.#router;
    this.#since = clock.wallMillis();
    this.#transitions++;
    emit({
      level: 'info',
      name: 'failover.transition',
      message: `${describeRouter(this.#spec)}: ${from} -> ${to}; ${this.status().explanation}`,
      fields: {
        ...routerFields(this.#spec),
        from,
        to,
        reason,
        priority: effectivePriority(this.#router),
        peer: peer?.source.text ?? null,
        peerPriority: peer?.priority ?? null,
      },
    });
    onTransition();
  }

  #conflictEvent(source: IpAddress, priority: number): void {
    const who = `${source.text} (priority ${priority})`;
    this.#around.emit({
      level: 'warn',
      name: 'failover.conflict',
      message: `${describeRouter(this.#spec)}: ${who} was Active beside this node; announcing again`,
      fields: { ...routerFields(this.#spec), peer: source.text, peerPriority: priority },
    });
  }

  #linkEvent(level: 'info' | 'warn', what: string): void {
    const message = `${describeRouter(this.#spec)} ${what}`;
    this.#around.emit({ level, name: 'failover.link', message, fields: routerFields(this.#spec) });
  }

  #errorEvent(what: string, error: unknown): void {
    const hint = error instanceof TandemError ? (error.hint ?? null) : null;
    this.#complaint.raise({
      level: 'error',
      name: 'failover.error',
      message: `${describeRouter(this.#spec)}: ${what}: ${messageOf(error)}`,
      fields: { ...routerFields(this.#spec), errno: errnoOf(error) ?? null, hint },
    });
  }
}

type Ready = Extract<Readiness, { ready: true }>;

/** Until the interface is known. */
const UNKNOWN_SOURCE = { 4: ipFromBytes(new Uint8Array(4)), 6: ipFromBytes(new Uint8Array(16)) } as const;

function settingsOf({ group }: VirtualRouterSpec, source: IpAddress): RouterSettings {
  const { version, priority, advertiseInterval, preempt, preemptDelay } = group;
  return { version, priority, advertiseInterval, preempt, preemptDelay, source };
}
