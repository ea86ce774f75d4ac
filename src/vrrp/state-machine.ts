import { after, type Instant } from '../lib/duration.ts';
import { unreachable } from '../lib/errors.ts';
import type { TransitionReason } from '../model/failover.ts';
import { intervals, readvertise, shiftActiveDown } from './adjust.ts';
import { assertOurselves, conflict, reannounce } from './conflict.ts';
import { activeDownInterval } from './intervals.ts';
import { offerRole, shouldOfferAgain } from './offer.ts';
import { part, standDown, whileParting } from './parting.ts';
import { peerResigned, resign } from './resignation.ts';
import {
  basePriority,
  effectivePriority,
  MAX_PRIORITY,
  OWNER_PRIORITY,
  type ResumePoint,
  type Router,
  type RouterAction,
  type RouterInput,
  type RouterSettings,
  type TimerName,
} from './router.ts';
import { losesTie } from './tie.ts';
import { Turn } from './turn.ts';

type Advertised = Extract<RouterInput, { type: 'advertisement' }>;

export interface Step {
  readonly router: Router;
  readonly actions: readonly RouterAction[];
}

/**
 * One input to the virtual router's state machine (RFC 9568, 6.4): a pure function of its arguments. The
 * shell carries out the actions in order and feeds timers back when their deadline has come.
 */
export function step(router: Router, input: RouterInput, now: Instant): Step {
  const turn = new Turn(router, now);
  if (turn.router.parting) whileParting(turn, input);
  else dispatch(turn, input);
  return { router: turn.router, actions: turn.actions };
}

function dispatch(turn: Turn, input: RouterInput): void {
  switch (input.type) {
    case 'start':
      start(turn, input.resume);
      break;
    case 'stop':
      turn.set({ started: false, participated: false });
      leave(turn, input.reason);
      break;
    case 'part':
      turn.set({ started: false, participated: false });
      if (turn.router.state === 'Active') part(turn);
      else leave(turn, 'shutdown');
      break;
    case 'advertisement':
      advertisement(turn, input);
      break;
    case 'timer':
      timerFired(turn, input.timer);
      break;
    case 'link':
      link(turn, input.up);
      break;
    case 'fitness':
      fitness(turn, input.fit);
      break;
    case 'weight':
      weigh(turn, input.weight);
      break;
    case 'hold':
      hold(turn, input.held);
      break;
    case 'sync':
      if (input.to === 'Active') joinPartners(turn);
      else leaveWithPartner(turn);
      break;
    case 'handover':
      handover(turn);
      break;
    case 'takeover':
      takeover(turn);
      break;
    case 'contested':
      if (turn.router.state === 'Active') reannounce(turn);
      break;
    case 'lapsed':
      lapsed(turn);
      break;
    case 'reconfigure':
      reconfigure(turn, input.settings);
      break;
    default:
      unreachable(input);
  }
}

// Initialize (RFC 9568, 6.4.1)

function start(turn: Turn, resume: ResumePoint | null): void {
  if (turn.router.started) return;
  turn.set({ started: true });
  if (resume === null) {
    enter(turn, 'startup');
  } else if (mayTakePart(turn) && resume.state === 'Backup') {
    turn.set({ participated: true, yielded: resume.yielded });
    becomeBackup(turn, 'resumed');
  } else if (mayTakePart(turn)) {
    turn.set({ participated: true });
    const { effectivePriority: held } = resume;
    turn.set({ raised: held !== null && held > basePriority(turn.router) ? held : null });
    becomeActive(turn, 'resumed', 'advertise-first');
  }
}

function mayTakePart({ router }: Turn): boolean {
  return router.started && router.linkUp && router.fit && !router.held;
}

/** Leaves Initialize when nothing stands against it. */
function enter(turn: Turn, reason: TransitionReason): void {
  if (!mayTakePart(turn)) return;
  turn.set({ participated: true, activeInterval: turn.router.settings.advertiseInterval });
  if (basePriority(turn.router) === OWNER_PRIORITY) becomeActive(turn, 'address-owner', 'advertise-first');
  else becomeBackup(turn, reason);
}

function link(turn: Turn, up: boolean): void {
  if (turn.router.linkUp === up) return;
  turn.set({ linkUp: up });
  if (up) enter(turn, 'link-up');
  else leave(turn, 'link-down');
}

function fitness(turn: Turn, fit: boolean): void {
  if (turn.router.fit === fit) return;
  turn.set({ fit });
  if (fit) enter(turn, 'fit');
  else leave(turn, 'unfit');
}

// Partners: coordinate() in sync.ts decides, for it sees all of them

function hold(turn: Turn, held: boolean): void {
  if (turn.router.held === held) return;
  turn.set({ held });
  if (held) leave(turn, 'partner-fault');
  else enter(turn, 'partner-well');
}

function joinPartners(turn: Turn): void {
  const { state, wants, expiryCause } = turn.router;
  if (state !== 'Backup' || !wants) return;
  becomeActive(turn, expiryCause, expiryCause === 'preempt' ? 'claim-first' : 'advertise-first');
}

/** As after a handover, but without waiting for anybody: when all partners may be Active again, so may this one. */
function leaveWithPartner(turn: Turn): void {
  if (turn.router.state !== 'Active') return;
  turn.act({ type: 'send', priority: 0 });
  turn.act({ type: 'release' });
  turn.set({ activeInterval: turn.router.settings.advertiseInterval });
  becomeBackup(turn, 'partner-left');
}

/**
 * The priority follows what is known of this node. An Active router that is worse than before goes on
 * serving, and offers the role: any better router takes it within its own Skew_Time, and nobody else does.
 */
function weigh(turn: Turn, weight: number): void {
  const before = turn.router;
  if (before.weight === weight) return;
  // what a takeover won was won by a healthier node
  turn.set({ weight, ...(weight < before.weight && { raised: null }) });
  if (before.state === 'Active') {
    if (effectivePriority(turn.router) < effectivePriority(before)) offerRole(turn);
    else readvertise(turn, before);
  } else if (before.state === 'Backup' && !becomesOwner(turn, before, 'fit')) {
    shiftActiveDown(turn, before);
  }
}

/** To Initialize; an Active router resigns first, so that a Backup waits a Skew_Time and not three intervals. */
function leave(turn: Turn, reason: TransitionReason): void {
  const { state } = turn.router;
  if (state === 'Initialize') return;
  if (state === 'Active') {
    // without a link nobody would hear it
    if (reason !== 'link-down') resign(turn);
    turn.act({ type: 'release' });
  }
  standDown(turn, reason);
}

// Backup (RFC 9568, 6.4.2)

function becomeBackup(turn: Turn, reason: TransitionReason): void {
  turn.cancel('adver');
  turn.cancel('reannounce');
  turn.set({ raised: null, preemptReady: false });
  armActiveDown(turn);
  turn.transition('Backup', reason);
}

function armActiveDown(turn: Turn): void {
  turn.set({ expiryCause: 'active-down-expired', peerLeft: false, wants: false });
  turn.arm('active-down', activeDownInterval(intervals(turn.router)));
}

function advertisement(turn: Turn, input: Advertised): void {
  const { state } = turn.router;
  if (state === 'Initialize') return;
  const { source, priority, interval } = input;
  const before = turn.router.peer;
  const wasActive = priority !== 0 || (before?.source.text === source.text && before.wasActive);
  turn.set({ peer: { source, priority, interval, at: turn.now, wasActive } });
  if (state === 'Active') heardWhileActive(turn, input);
  else if (priority === 0) peerResigned(turn, before);
  else heardWhileBackup(turn, input);
}

function heardWhileBackup(turn: Turn, input: Advertised): void {
  const { settings, yielded, preemptReady, timers } = turn.router;
  // RFC 9568, 6.1: the owner preempts whatever Preempt_Mode says
  const own = basePriority(turn.router);
  const mayPreempt = (settings.preempt || own === OWNER_PRIORITY) && !yielded;
  if (input.priority >= own || !mayPreempt) {
    turn.cancel('preempt-delay');
    turn.set({ preemptReady: false });
    follow(turn, input);
  } else if (settings.preemptDelay > 0 && !preemptReady) {
    if (timers['preempt-delay'] === null) turn.arm('preempt-delay', settings.preemptDelay);
    follow(turn, input);
  } else {
    // discarded: Active_Down goes on running
    turn.set({ expiryCause: 'preempt' });
  }
}

/** Learns the Active router's interval, for peers may be configured differently, and waits anew. */
function follow(turn: Turn, { interval }: Advertised): void {
  turn.set({ activeInterval: interval });
  armActiveDown(turn);
}

// Active (RFC 9568, 6.4.3)

/**
 * Where another router may still be Active and willing (preemption, takeover), the address is claimed and
 * announced before the advertisement makes the other let go of it. Where nobody is, the advertisement goes
 * first: it stops the next Backup, whose skew may be some microseconds longer than ours.
 */
type Order = 'advertise-first' | 'claim-first';

function becomeActive(turn: Turn, reason: TransitionReason, order: Order): void {
  turn.cancel('active-down');
  turn.cancel('preempt-delay');
  turn.set({ yielded: false, preemptReady: false, wants: false, quietSince: turn.now, tie: null });
  if (order === 'advertise-first') turn.send();
  turn.act({ type: 'claim' });
  turn.announce();
  if (order === 'claim-first') turn.send();
  turn.arm('adver', turn.router.settings.advertiseInterval);
  turn.transition('Active', reason);
}

function heardWhileActive(turn: Turn, input: Advertised): void {
  const { settings } = turn.router;
  const own = effectivePriority(turn.router);
  if (input.priority > own) {
    yieldTo(turn, input, 'higher-priority-seen');
  } else if (input.priority === own && losesTie(turn, input)) {
    yieldTo(turn, input, 'equal-priority-greater-address-seen');
  } else if (input.priority === 0) {
    turn.send();
    turn.arm('adver', settings.advertiseInterval);
    conflict(turn, input);
  } else {
    assertOurselves(turn);
    conflict(turn, input);
  }
}

/**
 * Two were Active. The parting advertisement is the only way in which the one that stays can know it when
 * its own came first (a healed partition): it announces again, as keepalived does too on a lower priority.
 */
function yieldTo(turn: Turn, input: Advertised, reason: TransitionReason): void {
  turn.send();
  turn.act({ type: 'release' });
  turn.set({ activeInterval: input.interval });
  becomeBackup(turn, reason);
}

/**
 * While we did not run, the kernel took our addresses off and another router took them: the outage was ours.
 * As after any other one the election decides, so that `preempt = false` holds, and a better priority takes
 * the addresses back by claiming them first.
 */
function lapsed(turn: Turn): void {
  if (turn.router.state !== 'Active') return;
  turn.act({ type: 'release' });
  turn.set({ activeInterval: turn.router.settings.advertiseInterval });
  becomeBackup(turn, 'lease-expired');
}

// Timers

function timerFired(turn: Turn, timer: TimerName): void {
  const deadline = turn.router.timers[timer];
  if (deadline === null) return;
  if (turn.now < deadline) {
    // fired for a deadline that has since moved
    turn.armAt(timer, deadline);
    return;
  }
  turn.set({ timers: { ...turn.router.timers, [timer]: null } });
  if (timer === 'adver') advertise(turn, deadline);
  else if (timer === 'preempt-delay') turn.set({ preemptReady: true });
  else if (timer === 'reannounce') turn.announce();
  else activeDown(turn, deadline);
}

function activeDown(turn: Turn, deadline: Instant): void {
  turn.set({ wants: true, dueAt: deadline });
  if (turn.router.settings.synced !== true) joinPartners(turn);
}

/** From deadline to deadline, so that delays do not add up; after a stall, one advertisement and not many. */
function advertise(turn: Turn, deadline: Instant): void {
  if (shouldOfferAgain(turn)) {
    offerRole(turn);
    return;
  }
  turn.send();
  const { advertiseInterval } = turn.router.settings;
  const next = after(deadline, advertiseInterval);
  turn.armAt('adver', next > turn.now ? next : after(turn.now, advertiseInterval));
}

// Commands

/** Resigns, and leaves the role to the peer for as long as that one advertises. */
function handover(turn: Turn): void {
  const { state, settings } = turn.router;
  if (state !== 'Active') return;
  resign(turn);
  turn.act({ type: 'release' });
  turn.set({ yielded: true, activeInterval: settings.advertiseInterval });
  becomeBackup(turn, 'handover');
}

/**
 * Becomes or stays Active by outbidding the peer. The raised priority lasts until this router leaves the
 * role: kept as Backup, it would decide an election that nobody asked for.
 */
function takeover(turn: Turn): void {
  const { state, peer } = turn.router;
  if (state === 'Initialize') return;
  const outbid = Math.min(MAX_PRIORITY, (peer?.priority ?? 0) + 1);
  turn.set({ raised: Math.max(basePriority(turn.router), outbid) });
  if (state === 'Backup') becomeActive(turn, 'takeover', 'claim-first');
  else turn.send();
}

function reconfigure(turn: Turn, settings: RouterSettings): void {
  const before = turn.router;
  const unlearned = before.peer === null;
  turn.set({ settings, ...(unlearned && { activeInterval: settings.advertiseInterval }) });
  if (before.state === 'Active') readvertise(turn, before);
  else if (before.state === 'Backup' && !becomesOwner(turn, before, 'reconfigured')) {
    reconfigureBackup(turn, before);
    // it may have lost its last partner
    if (settings.synced !== true) joinPartners(turn);
  }
}

/** RFC 9568, 6.4.1: the owner does not wait for anybody. */
function becomesOwner(turn: Turn, before: Router, reason: TransitionReason): boolean {
  const becomes = basePriority(turn.router) === OWNER_PRIORITY && basePriority(before) !== OWNER_PRIORITY;
  if (becomes) becomeActive(turn, reason, 'claim-first');
  return becomes;
}

function reconfigureBackup(turn: Turn, before: Router): void {
  const { settings } = turn.router;
  if (!settings.preempt || settings.preemptDelay !== before.settings.preemptDelay) {
    turn.cancel('preempt-delay');
  }
  shiftActiveDown(turn, before);
}
