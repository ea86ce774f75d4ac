import { between, type Instant, micros, toMillis } from '../lib/duration.ts';
import type { TransitionReason } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import { activeDownInterval, skewTime } from './intervals.ts';
import { inWords } from './outlook.ts';
import { basePriority, type Router, type RouterInput } from './router.ts';

/** One step of the state machine, seen from outside. */
export interface Stepped {
  readonly before: Router;
  readonly after: Router;
  readonly input: RouterInput;
  readonly now: Instant;
  /** Who gave the command, when the input is one. */
  readonly by: string | null;
}

/** The last advertisement at the time of a step, the one that caused it included. */
export function peerAt({ before, after, now }: Stepped): TransitionRecord['peer'] {
  const peer = after.peer ?? before.peer;
  return (
    peer && {
      address: peer.source.text,
      priority: peer.priority,
      intervalMillis: toMillis(peer.interval),
      ageMillis: toMillis(between(peer.at, now)),
    }
  );
}

/** How long Active_Down was to wait and how late it came; null when something else caused the step. */
export function activeDownAt({ before, input, now }: Stepped): TransitionRecord['activeDown'] {
  const deadline = expired(before, input);
  if (deadline === null) return null;
  const { settings, activeInterval, expiryCause, peerLeft } = before;
  const length = expiryCause === 'peer-priority-zero' ? skewTime : activeDownInterval;
  const { version } = settings;
  return {
    intervalMillis: peerLeft
      ? 0
      : toMillis(length({ version, priority: basePriority(before), activeInterval })),
    lateMillis: toMillis(between(deadline, now)),
  };
}

/** A router with partners becomes Active when the last of them is ready: its own deadline was before. */
function expired(before: Router, input: RouterInput): Instant | null {
  if (input.type === 'timer' && input.timer === 'active-down') return before.timers['active-down'];
  return input.type === 'sync' && input.to === 'Active' ? before.dueAt : null;
}

export type Facts = Omit<TransitionRecord, 'cause' | 'trace' | 'time'>;

/** One sentence for people: why the transition happened, with the figures that decided it. */
export function causeOf(facts: Facts): string {
  const sentence = CAUSES[facts.reason]?.(facts) ?? facts.reason;
  const { stall } = facts;
  if (stall === null || facts.reason === 'lease-expired') return sentence;
  return `${sentence}; the agent had not run for ${ms(stall.millis)} until ${ms(stall.ageMillis)} before`;
}

const CAUSES: Readonly<Partial<Record<TransitionReason, (facts: Facts) => string>>> = {
  startup: () => 'started',
  'address-owner': () => 'started, and priority 255 owns the addresses',
  'active-down-expired': silence,
  'peer-priority-zero': (facts) =>
    `${facts.peer?.address ?? 'the peer'} resigned with priority 0 ${ms(facts.peer?.ageMillis)} before${waited(facts)}`,
  preempt: (facts) => `${advertises(facts)}: preempted`,
  'higher-priority-seen': advertises,
  'equal-priority-greater-address-seen': (facts) => `${advertises(facts)}, and has the greater address`,
  handover: (facts) => `handed over${asked(facts)}`,
  takeover: (facts) => `took over${asked(facts)}${facts.peer === null ? '' : `; ${advertises(facts)}`}`,
  resumed: () => 'the agent was replaced, and the role kept',
  'link-down': (facts) => `the link of ${facts.interface} went down`,
  'link-up': (facts) => `the link of ${facts.interface} came up`,
  unfit: (facts) => `this node became unfit to serve: ${facts.unfitReason ?? 'no reason given'}`,
  fit: () => 'this node is fit to serve again',
  'supervisor-lost': (facts) =>
    `the supervisor was silent for ${ms(facts.supervisorSilenceMillis)} (${facts.heartbeatsLost} heartbeats)`,
  'lease-expired': ({ stall, peer }) =>
    `the agent did not run for ${ms(stall?.millis)}, the kernel took the addresses off, and ${peer?.address ?? 'another router'} took them`,
  'partner-fault': () => 'a partner that moves with it cannot serve',
  'partner-well': () => 'its partners can serve again',
  'partner-left': () => 'a partner that moves with it left the role',
  reconfigured: () => 'the configuration made it the owner of the addresses',
  shutdown: () => 'shut down',
};

function silence(facts: Facts): string {
  const { peer } = facts;
  if (peer === null) return `no advertisement from another router${waited(facts)}`;
  const sender = `${peer.address} (priority ${peer.priority}, every ${ms(peer.intervalMillis)})`;
  return `${sender} was last heard ${ms(peer.ageMillis)} before${waited(facts)}`;
}

function waited({ activeDown, reason }: Facts): string {
  if (activeDown === null) return '';
  const name = reason === 'peer-priority-zero' ? 'Skew_Time' : 'Active_Down_Interval';
  return `; ${name} ${ms(activeDown.intervalMillis)}, acted on ${ms(activeDown.lateMillis)} after its end`;
}

function advertises({ peer, priority }: Facts): string {
  if (peer === null) return 'another router advertises';
  const relation = peer.priority > priority ? '>' : peer.priority === priority ? '=' : '<';
  return `${peer.address} advertises priority ${peer.priority} ${relation} ${priority}`;
}

const asked = ({ requestedBy }: Facts): string => (requestedBy === null ? '' : `, asked by ${requestedBy}`);

const ms = (millis = 0): string => inWords(micros(millis * 1_000));
