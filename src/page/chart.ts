import { GAP_MS, type Sample, WINDOW_MS } from './series.ts';

/** The geometry of a small chart. Pure. */

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** The right edge, wall-clock milliseconds. */
  readonly now: number;
  /** The top. */
  readonly max: number;
}

/** The next of 1, 2, 5, 10, 20 ... above: a scale that does not jump with every sample. */
export function niceMax(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

export const xOf = (at: number, { now, width }: Frame): number => width - ((now - at) / WINDOW_MS) * width;

/** A pixel of room above and below, so that the line is not cut. */
const yOf = (value: number, { height, max }: Frame): number => height - 1 - (value / max) * (height - 2);

/** Runs of samples without a gap: what was not seen is not drawn. */
export function runsOf(samples: readonly Sample[]): Sample[][] {
  const runs: Sample[][] = [];
  let last: Sample | undefined;
  for (const sample of samples) {
    if (last === undefined || sample.at - last.at > GAP_MS) runs.push([]);
    runs.at(-1)?.push(sample);
    last = sample;
  }
  return runs;
}

const round = (value: number): string => value.toFixed(1).replace(/\.0$/, '');

/** The `d` of an SVG path: one line for each run; a run of one sample is a dash. */
export function linePath(samples: readonly Sample[], frame: Frame): string {
  return runsOf(samples)
    .map((run) => {
      const points = run.map(({ at, value }) => `${round(xOf(at, frame))} ${round(yOf(value, frame))}`);
      return `M${points.join('L')}${points.length === 1 ? 'h1' : ''}`;
    })
    .join('');
}

/** The same, closed along the bottom. */
export function areaPath(samples: readonly Sample[], frame: Frame): string {
  return runsOf(samples)
    .filter((run) => run.length > 1)
    .map((run) => {
      const points = run.map(({ at, value }) => `${round(xOf(at, frame))} ${round(yOf(value, frame))}`);
      const [first, last] = [run[0], run.at(-1)];
      const [left, right] = [xOf(first?.at ?? 0, frame), xOf(last?.at ?? 0, frame)];
      return `M${round(left)} ${frame.height}L${points.join('L')}L${round(right)} ${frame.height}Z`;
    })
    .join('');
}

/** The sample nearest to a place of the pointer, when there is one nearby. */
export function sampleAt(samples: readonly Sample[], x: number, frame: Frame): Sample | undefined {
  const at = frame.now - ((frame.width - x) / frame.width) * WINDOW_MS;
  const near = samples.filter((sample) => Math.abs(sample.at - at) <= GAP_MS);
  return near.sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))[0];
}
