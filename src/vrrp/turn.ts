import { after, type Duration, type Instant } from '../lib/duration.ts';
import type { TransitionReason } from '../model/failover.ts';
import { effectivePriority, type Router, type RouterAction, type TimerName } from './router.ts';

/** A step of the state machine in the making: the next router and the actions so far. */
export class Turn {
  router: Router;
  readonly actions: RouterAction[] = [];
  readonly now: Instant;

  constructor(router: Router, now: Instant) {
    this.router = router;
    this.now = now;
  }

  set(changes: Partial<Router>): void {
    this.router = { ...this.router, ...changes };
  }

  act(action: RouterAction): void {
    this.actions.push(action);
  }

  armAt(timer: TimerName, at: Instant): void {
    this.set({ timers: { ...this.router.timers, [timer]: at } });
    this.act({ type: 'arm', timer, at });
  }

  arm(timer: TimerName, delay: Duration): void {
    this.armAt(timer, after(this.now, delay));
  }

  cancel(timer: TimerName): void {
    if (this.router.timers[timer] === null) return;
    this.set({ timers: { ...this.router.timers, [timer]: null } });
    this.act({ type: 'cancel', timer });
  }

  /** An advertisement with our own priority. */
  send(): void {
    this.act({ type: 'send', priority: effectivePriority(this.router) });
  }

  announce(): void {
    this.set({ announcedAt: this.now });
    this.act({ type: 'announce' });
  }

  transition(to: Router['state'], reason: TransitionReason): void {
    const from = this.router.state;
    this.set({ state: to, reason });
    this.act({ type: 'transition', from, to, reason });
  }
}
