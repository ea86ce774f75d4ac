import { after, instant, micros } from '../lib/duration.ts';
import { activeDownInterval, type IntervalInput, skewTime } from './intervals.ts';
import { basePriority, effectivePriority, type Router } from './router.ts';
import type { Turn } from './turn.ts';

// What a changed priority or interval means for what is under way. `before` is the router before the change.

/** What this router's timers are computed from. */
export function intervals(router: Router): IntervalInput {
  const { settings, activeInterval } = router;
  return { version: settings.version, priority: basePriority(router), activeInterval };
}

/** The peers learn a changed priority or interval at once, not after the old interval. */
export function readvertise(turn: Turn, before: Router): void {
  const { advertiseInterval } = turn.router.settings;
  const sameInterval = advertiseInterval === before.settings.advertiseInterval;
  if (sameInterval && effectivePriority(turn.router) === effectivePriority(before)) return;
  turn.send();
  turn.arm('adver', advertiseInterval);
}

/** What has been waited so far counts. */
export function shiftActiveDown(turn: Turn, before: Router): void {
  const deadline = before.timers['active-down'];
  if (deadline === null) return;
  if (before.peerLeft) return;
  const interval = before.expiryCause === 'peer-priority-zero' ? skewTime : activeDownInterval;
  const difference = micros(interval(intervals(turn.router)) - interval(intervals(before)));
  if (difference === 0) return;
  const shifted = after(deadline, difference);
  turn.armAt('active-down', instant(Math.max(shifted, turn.now)));
}
