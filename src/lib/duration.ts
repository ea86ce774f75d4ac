/**
 * Time as branded numbers, so that units cannot be mixed up (VRRP alone writes seconds, centiseconds and
 * fractions of them). Everything inside Tandem is in microseconds; other units exist only at the edges.
 */

declare const durationBrand: unique symbol;
declare const instantBrand: unique symbol;

/** A span of time in microseconds; may be fractional or negative after subtraction. */
export type Duration = number & { readonly [durationBrand]: 'us' };

/** A point on a monotonic clock, in microseconds since an arbitrary origin. Never a wall-clock time. */
export type Instant = number & { readonly [instantBrand]: 'us' };

export const micros = (n: number): Duration => n as Duration;
export const millis = (n: number): Duration => (n * 1_000) as Duration;
export const centiseconds = (n: number): Duration => (n * 10_000) as Duration;
export const seconds = (n: number): Duration => (n * 1_000_000) as Duration;

export const toMicros = (d: Duration): number => d;
export const toMillis = (d: Duration): number => d / 1_000;
export const toCentiseconds = (d: Duration): number => d / 10_000;
export const toSeconds = (d: Duration): number => d / 1_000_000;

export const instant = (us: number): Instant => us as Instant;
/** `at + by`. */
export const after = (at: Instant, by: Duration): Instant => (at + by) as Instant;
/** `later - earlier`; negative when `later` came first. */
export const between = (earlier: Instant, later: Instant): Duration => (later - earlier) as Duration;

const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  min: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

const DURATION = /^(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d)$/;

/**
 * Reads `"100ms"`, `"1.5s"`, `"2m"`, `"1h"`, `"250us"`, `"1d"`. Returns undefined when the text is not a
 * duration with a unit; a bare number is refused on purpose, since its unit could only be guessed.
 */
export function parseDuration(text: string): Duration | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  const unit = UNITS[match[2] ?? ''];
  if (unit === undefined) return undefined;
  return (Number(match[1]) * unit) as Duration;
}

/** The shortest exact spelling with one unit: 1500000 us becomes "1.5s", 100000 us "100ms". */
export function formatDuration(d: Duration): string {
  const us = Math.abs(d);
  const sign = d < 0 ? '-' : '';
  const spell = (n: number, unit: string): string => `${sign}${Number(n.toFixed(3))}${unit}`;
  if (us >= 3_600_000_000 && us % 3_600_000_000 === 0) return spell(us / 3_600_000_000, 'h');
  if (us >= 60_000_000 && us % 60_000_000 === 0) return spell(us / 60_000_000, 'm');
  if (us >= 1_000_000) return spell(us / 1_000_000, 's');
  if (us >= 1_000) return spell(us / 1_000, 'ms');
  return us === 0 ? '0s' : spell(us, 'us');
}
