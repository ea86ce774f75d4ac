import type {
  DrillEntry,
  FailoverHistory,
  RouterStatus,
  Status,
  TransitionEntry,
} from '../admin/contract.ts';
import { formatAge, type Style } from './output.ts';

export interface HistoryView {
  readonly style: Style;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

const COLOR = { Active: 'green', Backup: 'cyan', Initialize: 'yellow' } as const;

/** A timeline, oldest first: a line for each transition, its cause, and the figures that belong to it. */
export function historyLines({ transitions, drills }: FailoverHistory, view: HistoryView): string[] {
  if (transitions.length === 0 && drills.length === 0) return ['no transition yet'];
  const entries = [
    ...transitions.map((entry) => ({ time: entry.time, lines: transitionLines(entry, view) })),
    ...drills.map((entry) => ({ time: entry.time, lines: drillLines(entry, view) })),
  ];
  return entries.sort((one, other) => one.time - other.time).flatMap(({ lines }) => lines);
}

function transitionLines(entry: TransitionEntry, view: HistoryView): string[] {
  const { style } = view;
  return [
    `${stamp(entry.time, view)}  ` +
      `${style.bold(entry.group)} IPv${entry.family}: ${entry.from} -> ${style[COLOR[entry.to]](entry.to)} (${entry.reason})`,
    `    ${entry.cause}`,
    `    ${style.dim(inputs(entry))}`,
  ];
}

function drillLines({ time, kind, passed, summary, by }: DrillEntry, view: HistoryView): string[] {
  const verdict = passed ? view.style.green('passed') : view.style.red('FAILED');
  return [`${stamp(time, view)}  ${view.style.bold('drill')} (${kind}) ${verdict}: ${summary}; by ${by}`];
}

const stamp = (time: number, { style, now }: HistoryView): string =>
  `${new Date(time).toISOString()}  ${style.dim(`(${formatAge(now - time)} ago)`)}`;

/** What the sentence leaves out. */
function inputs(entry: TransitionEntry): string {
  const { peer, supervisorSilenceMillis, heartbeatsLost } = entry;
  const heard =
    peer === null
      ? 'nobody heard'
      : `heard ${peer.address}: priority ${peer.priority}, every ${spell(peer.intervalMillis)}, ${spell(peer.ageMillis)} before`;
  return [
    `priority ${entry.priority}`,
    heard,
    ...(entry.linkUp ? [] : ['link down']),
    ...(entry.fit ? [] : [`unfit: ${entry.unfitReason ?? 'no reason given'}`]),
    ...(entry.weight === 0 ? [] : [`weight ${entry.weight}: ${entry.unfitReason ?? 'no reason given'}`]),
    ...(heartbeatsLost === 0
      ? []
      : [`supervisor silent for ${spell(supervisorSilenceMillis)}, ${heartbeatsLost} heartbeats lost`]),
  ].join('; ');
}

/** Why each router is what it is now, what would change it, and how it came to be so. */
export function explainLines(
  failover: NonNullable<Status['failover']>,
  history: FailoverHistory,
  view: HistoryView,
): string[] {
  const { style } = view;
  const stale = failover.stale
    ? [
        style.red(
          `the agent was last heard ${spell(failover.ageMillis)} ago (${failover.agent}); what follows is as old`,
        ),
      ]
    : [];
  if (failover.routers.length === 0) return [...stale, `no virtual router: the agent is ${failover.agent}`];
  return [
    ...stale,
    ...failover.routers.flatMap((router) => explainRouter(router, failover.ageMillis, history, view)),
  ];
}

function explainRouter(
  router: RouterStatus,
  statusAge: number,
  history: FailoverHistory,
  { style, now }: HistoryView,
): string[] {
  const last = history.transitions.findLast(
    ({ group, family, vrid }) => group === router.group && family === router.family && vrid === router.vrid,
  );
  const heard = router.peer === null ? '' : lastHeard(router.peer, router.explanation, statusAge);
  return [
    `${style.bold(router.group)}  IPv${router.family}, vrid ${router.vrid} on ${router.interface}, priority ${router.effectivePriority}`,
    `  ${router.explanation}${heard}`,
    ...router.outlook.map((sentence) => `  - ${sentence}`),
    ...(last === undefined ? [] : [style.dim(`  since ${formatAge(now - last.time)}: ${last.cause}`)]),
  ];
}

function lastHeard(
  { address, ageMillis }: NonNullable<RouterStatus['peer']>,
  said: string,
  statusAge: number,
): string {
  const who = said.includes(address) ? ',' : `; ${address}`;
  return `${who} last heard ${spell(ageMillis + statusAge)} ago`;
}

/** "43ms", "1.25s": to a millisecond, below ten to a tenth. */
function spell(millis: number): string {
  if (millis >= 1_000) return `${Number((millis / 1_000).toFixed(3))}s`;
  return millis < 10 ? `${Number(millis.toFixed(1))}ms` : `${Math.round(millis)}ms`;
}
