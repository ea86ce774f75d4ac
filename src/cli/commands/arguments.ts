import { InvalidArgumentError } from 'commander';
import { type Duration, parseDuration } from '../../lib/duration.ts';

/** Parsers of arguments and options; commander turns what they throw into a usage error (exit status 64). */

export interface Target {
  readonly service: string;
  readonly backend: string;
}

/** "web/10.0.1.11:8080": the service's name has no slash, so the first one divides. */
export function parseTarget(text: string): Target {
  const slash = text.indexOf('/');
  if (slash < 1 || slash === text.length - 1) {
    throw new InvalidArgumentError('It is written SERVICE/BACKEND, as in "tandem backends".');
  }
  return { service: text.slice(0, slash), backend: text.slice(slash + 1) };
}

/** 0 to 256, or "configured" for the one in the file (null). */
export function parseWeight(text: string): number | null {
  if (text === 'configured') return null;
  const weight = Number(text);
  if (!/^\d+$/.test(text) || weight > 256) {
    throw new InvalidArgumentError('It is 0 to 256, or "configured" for what the file says.');
  }
  return weight;
}

export function parseSpan(text: string): Duration {
  const duration = parseDuration(text);
  if (duration === undefined)
    throw new InvalidArgumentError('It needs a unit, as in "500ms", "30s" or "5m".');
  return duration;
}

/** The number of an event, or how far back. */
export function parseSince(text: string): { seq: number } | { span: Duration } {
  if (/^\d{1,15}$/.test(text)) return { seq: Number(text) };
  const span = parseDuration(text);
  if (span === undefined) {
    throw new InvalidArgumentError('It is the number of an event, or a time back such as "10m".');
  }
  return { span };
}
