/** Numbers and times for people. Pure. */

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** Three significant digits with a unit of 1000: 999, 1.23k, 45.6M. */
function scaled(value: number): string {
  let unit = 0;
  let rest = Math.max(0, value);
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1_000;
    unit++;
  }
  const digits = unit === 0 && Number.isInteger(rest) ? 0 : rest >= 99.5 ? 0 : rest >= 9.95 ? 1 : 2;
  return `${Number(rest.toFixed(digits))}${unit === 0 ? '' : ` ${UNITS[unit]}`}`;
}

/** "12,345": a count that is looked at digit by digit. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US');

/** "1.23 M": a count that grows without end. */
export const formatTotal = (count: number): string => scaled(count);

/** "1.23 MB". */
export const formatBytes = (bytes: number): string => {
  const text = scaled(bytes);
  return text.includes(' ') ? `${text}B` : `${text} B`;
};

export const formatRate = (perSecond: number): string => `${scaled(perSecond)}/s`;
export const formatByteRate = (perSecond: number): string => `${formatBytes(perSecond)}/s`;

/** "3s", "4m 10s", "2h 5m", "12d 3h". */
export function formatAge(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1_000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** "just now", or how long ago. */
export const formatAgo = (millis: number): string =>
  millis < 1_000 ? 'just now' : `${formatAge(millis)} ago`;

/** "1 service", "1,200 services". */
export const formatNumber = (count: number, one: string): string =>
  `${formatCount(count)} ${one}${count === 1 ? '' : 's'}`;

/** The reader's clock: "14:03:07". */
export function formatClock(wallMillis: number): string {
  const time = new Date(wallMillis);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** "2026-11-26 14:03:07". */
export function formatMoment(wallMillis: number): string {
  const time = new Date(wallMillis);
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${formatClock(wallMillis)}`;
}

/** The clock today, day and clock before. */
export const formatWhen = (wallMillis: number, now: number): string =>
  new Date(wallMillis).toDateString() === new Date(now).toDateString()
    ? formatClock(wallMillis)
    : formatMoment(wallMillis);
