import { centiseconds, type Duration, micros, seconds, toCentiseconds, toSeconds } from '../lib/duration.ts';
import type { VrrpVersion } from '../model/failover.ts';

/** Limits of the 12-bit field Max Advertise Interval (RFC 9568, 5.2.7). */
export const MAX_CENTISECONDS = 4_095;
/** Limit of VRRPv2's 8-bit field Adver Int (RFC 3768, 5.3.7). */
export const MAX_SECONDS = 255;

export interface IntervalInput {
  readonly version: VrrpVersion;
  /** The local router's priority, 1 to 255. */
  readonly priority: number;
  /** Active_Adver_Interval: what the Active router advertises; our own until one has been heard. */
  readonly activeInterval: Duration;
}

/**
 * Skew_Time. RFC 9568, 6.1: ((256 - Priority) * Active_Adver_Interval) / 256; RFC 3768, 6.1 counts it in
 * seconds whatever the interval. Kept in microseconds: whole centiseconds would give several Backups the
 * same skew at short intervals, and they would all become Active.
 */
export function skewTime({ version, priority, activeInterval }: IntervalInput): Duration {
  const base = version === 2 ? seconds(1) : activeInterval;
  return micros(((256 - priority) * base) / 256);
}

/** Active_Down_Interval, RFC 9568, 6.1 (RFC 3768: Master_Down_Interval): 3 * Active_Adver_Interval + Skew_Time. */
export function activeDownInterval(input: IntervalInput): Duration {
  return micros(3 * input.activeInterval + skewTime(input));
}

/**
 * The interval as the wire carries it: centiseconds (v3) or seconds (v2). Rounded up, since a Backup that
 * is told less than the truth gives up too early.
 */
export function wireInterval(version: VrrpVersion, interval: Duration): number {
  const [exact, max] =
    version === 2 ? [toSeconds(interval), MAX_SECONDS] : [toCentiseconds(interval), MAX_CENTISECONDS];
  return Math.min(max, Math.max(1, Math.ceil(exact)));
}

/** The inverse of {@link wireInterval}. */
export function intervalFromWire(version: VrrpVersion, value: number): Duration {
  return version === 2 ? seconds(value) : centiseconds(value);
}
