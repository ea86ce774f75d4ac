import { after, type Instant, instant, micros, millis } from '../lib/duration.ts';
import type { TransitionReason } from '../model/failover.ts';
import { skewTime } from './intervals.ts';
import { resign } from './resignation.ts';
import { type RouterInput, TIMER_NAMES } from './router.ts';
import type { Turn } from './turn.ts';

/**
 * How an Active router leaves that is well and has time: priority 0 first, and the addresses stay until a successor
 * is there. RFC 9568 has the Backups wait a Skew_Time; in that time somebody should answer, and nobody else can.
 * Nothing is advertised meanwhile, so that for every Backup this is the resignation of the RFC.
 */

/** For long intervals; the supervisor gives the agent two seconds to stop. */
const LONGEST = millis(1_500);
/** A successor may advertise before it has claimed and announced. As in a planned handover both have it meanwhile. */
const GRACE = millis(50);
/** The Backup that waits longest. */
const LOWEST_PRIORITY = 1;

export function part(turn: Turn): void {
  const { version, advertiseInterval } = turn.router.settings;
  const skew = skewTime({ version, priority: LOWEST_PRIORITY, activeInterval: advertiseInterval });
  resign(turn);
  turn.cancel('adver');
  // the hosts on the link are to learn of the successor now
  turn.cancel('reannounce');
  turn.set({ parting: true });
  turn.arm('parting', micros(Math.min(LONGEST, skew + GRACE)));
}

/** Everything but the end of it is of no interest any more. */
export function whileParting(turn: Turn, input: RouterInput): void {
  if (input.type === 'advertisement') successorHeard(turn, input.priority);
  else if (input.type === 'timer' && input.timer === 'parting') graceOver(turn);
  else if (input.type === 'link' && !input.up) parted(turn);
}

function successorHeard(turn: Turn, priority: number): void {
  if (priority === 0) return;
  const soon = after(turn.now, GRACE);
  if (soon < deadline(turn)) turn.armAt('parting', soon);
}

function graceOver(turn: Turn): void {
  if (turn.now < deadline(turn)) turn.armAt('parting', deadline(turn));
  else parted(turn);
}

const deadline = (turn: Turn): Instant => turn.router.timers.parting ?? instant(0);

function parted(turn: Turn): void {
  turn.act({ type: 'release' });
  standDown(turn, 'shutdown');
}

/** To Initialize, without a word and without the addresses. */
export function standDown(turn: Turn, reason: TransitionReason): void {
  for (const timer of TIMER_NAMES) turn.cancel(timer);
  turn.set({ raised: null, yielded: false, preemptReady: false, wants: false, parting: false, peer: null });
  turn.transition('Initialize', reason);
}
