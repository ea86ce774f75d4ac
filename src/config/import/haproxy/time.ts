import { clamp } from '../../../lib/clamp.ts';
import { type Duration, formatDuration, micros } from '../../../lib/duration.ts';

const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3_600e6,
  d: 86_400e6,
};

/** A time as HAProxy writes it (its manual, 2.4): milliseconds unless there is a unit. Undefined for anything else. */
export function parseTime(text: string): Duration | undefined {
  const [, digits, unit = 'ms'] = /^(\d{1,12})(us|ms|s|m|h|d)?$/.exec(text) ?? [];
  return digits === undefined ? undefined : micros(Number(digits) * (UNITS[unit] ?? 1));
}

/** As Tandem writes it, within what a key takes. */
export const span = (duration: Duration, min: Duration, max: Duration): string =>
  formatDuration(clamp(duration, min, max));
