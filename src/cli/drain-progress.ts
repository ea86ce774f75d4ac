import { bar, formatAge, formatCount } from './output.ts';

/** How connections become fewer: counts and times come in, a rate and an estimate come out. Pure. */

interface Sample {
  /** Monotonic milliseconds. */
  readonly ticks: number;
  readonly left: number;
}

export interface DrainTrack {
  readonly initially: number;
  /** Oldest first; no older than WINDOW_MS, but for the one that the rate is counted from. */
  readonly samples: readonly Sample[];
}

/** The rate is that of the last ten seconds: the first connections to go are the short ones. */
const WINDOW_MS = 10_000;
/** Two a second for the window, and one more. */
const MAX_SAMPLES = 32;

export const startDrain = (left: number, ticks: number): DrainTrack => ({
  initially: left,
  samples: [{ ticks, left }],
});

export function addSample(track: DrainTrack, left: number, ticks: number): DrainTrack {
  const young = track.samples.filter((sample) => ticks - sample.ticks <= WINDOW_MS).slice(1 - MAX_SAMPLES);
  // a client that was queued, or clients of a service without another backend: there can be more than at first
  return { initially: Math.max(track.initially, left), samples: [...young, { ticks, left }] };
}

export interface DrainProgress {
  readonly left: number;
  readonly initially: number;
  /** Connections that end in a second; 0 when they do not become fewer. */
  readonly perSecond: number;
  /** Until the last has gone, at this rate; null when there is no saying. */
  readonly estimateMillis: number | null;
}

export function progressOf({ initially, samples }: DrainTrack): DrainProgress {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    return { left: initially, initially, perSecond: 0, estimateMillis: null };
  }
  const millis = last.ticks - first.ticks;
  const perSecond = millis > 0 ? Math.max(0, ((first.left - last.left) / millis) * 1_000) : 0;
  const estimateMillis = perSecond > 0 ? Math.ceil((last.left / perSecond) * 1_000) : null;
  return { left: last.left, initially, perSecond: Number(perSecond.toFixed(2)), estimateMillis };
}

/** "[####----] 12 of 40 connections left, 3.1/s, about 4s" */
export function progressText(progress: DrainProgress, withBar: boolean): string {
  const { left, initially, perSecond, estimateMillis } = progress;
  const done = initially === 0 ? 1 : 1 - left / initially;
  const parts = [
    `${formatCount(left)} of ${formatCount(initially)} connections left`,
    ...(perSecond > 0 ? [`${formatCount(Number(perSecond.toPrecision(2)))}/s`] : []),
    ...(estimateMillis === null ? [] : [`about ${formatAge(estimateMillis)}`]),
  ];
  return `${withBar ? `${bar(done, 20)} ` : ''}${parts.join(', ')}`;
}
