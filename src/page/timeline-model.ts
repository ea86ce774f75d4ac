import type { FailoverHistory } from '../admin/contract.ts';

/** The failover timeline as lanes of states. Pure. */

export type RouterState = FailoverHistory['transitions'][number]['to'];

export interface Span {
  readonly state: RouterState;
  /** 0 at the left edge, 1 at the right. */
  readonly from: number;
  readonly to: number;
}

export interface Lane {
  readonly name: string;
  readonly spans: readonly Span[];
}

export interface Lanes {
  /** Wall-clock milliseconds of the left edge. */
  readonly from: number;
  readonly lanes: readonly Lane[];
}

const DAY_MS = 86_400_000;
const LEAST_MS = 300_000;

/** Each virtual router's states from its first known transition on, over five minutes to a day. */
export function lanesOf({ transitions }: FailoverHistory, now: number): Lanes {
  const oldest = Math.min(now, ...transitions.map(({ time }) => time));
  const from = Math.max(now - DAY_MS, Math.min(oldest, now - LEAST_MS));
  const place = (time: number): number => Math.min(1, Math.max(0, (time - from) / (now - from)));
  const byRouter = new Map<string, FailoverHistory['transitions'][number][]>();
  for (const transition of transitions) {
    const name = `${transition.group} IPv${transition.family}`;
    byRouter.set(name, [...(byRouter.get(name) ?? []), transition]);
  }
  const lanes = [...byRouter].map(([name, list]) => ({
    name,
    spans: list
      .map(({ to, time }, index) => {
        return { state: to, from: place(time), to: place(list[index + 1]?.time ?? now) };
      })
      .filter((span) => span.to > span.from),
  }));
  return { from, lanes };
}

export interface Entry {
  readonly key: string;
  readonly time: number;
  readonly title: string;
  readonly detail: string;
  readonly state: RouterState | 'drill';
  readonly good: boolean;
}

/** Transitions and drills, newest first; what the routers of one group did at once is one entry. */
export function entriesOf({ transitions, drills }: FailoverHistory, limit: number): Entry[] {
  const merged = new Map<string, Entry & { families: number[] }>();
  for (const { group, family, time, from, to, cause, reason } of transitions) {
    // IPv4 and IPv6 of a group move within a few milliseconds
    const key = `${group} ${from} ${to} ${reason} ${Math.round(time / 1_000)}`;
    const families = [...new Set([...(merged.get(key)?.families ?? []), family])].sort();
    const title = `${group}, ${families.map((f) => `IPv${f}`).join(' and ')}: ${from} to ${to}`;
    merged.set(key, { key, time, title, detail: cause, state: to, good: to !== 'Initialize', families });
  }
  const drilled = drills.map(({ time, kind, passed, summary, by }) => ({
    key: `drill ${time}`,
    time,
    title: `Drill, ${kind}: ${passed ? 'passed' : 'failed'}`,
    detail: `${summary}; by ${by}`,
    state: 'drill' as const,
    good: passed,
  }));
  return [...merged.values(), ...drilled].sort((a, b) => b.time - a.time).slice(0, limit);
}
