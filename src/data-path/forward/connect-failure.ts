import { errnoOf } from '../../lib/errors.ts';
import type { TrafficOutcome } from '../../model/health.ts';

/**
 * Why no connection to a backend came about. `outcome` is what it says about the backend: null when the
 * fault is ours (no descriptor or local port left) and must not count against it.
 */
export interface ConnectFailure {
  /** The errno name, or "timeout". */
  readonly cause: string;
  readonly outcome: TrafficOutcome | null;
}

export const CONNECT_TIMEOUT: ConnectFailure = { cause: 'timeout', outcome: 'connect-timeout' };

/** errno of connect(2) -> what it shows of the backend (ip(7), tcp(7)). */
const OUTCOMES: Readonly<Record<string, TrafficOutcome>> = {
  ECONNREFUSED: 'connect-refused',
  // accepted and reset at once, between SYN-ACK and our looking
  ECONNRESET: 'connect-refused',
  ETIMEDOUT: 'connect-timeout',
  EHOSTUNREACH: 'connect-unreachable',
  ENETUNREACH: 'connect-unreachable',
  EHOSTDOWN: 'connect-unreachable',
  EACCES: 'connect-unreachable',
  EPERM: 'connect-unreachable',
};

export function connectFailureOf(error: unknown): ConnectFailure {
  return connectFailure(errnoOf(error) ?? 'unknown');
}

/** @param cause the errno's name */
export function connectFailure(cause: string): ConnectFailure {
  return { cause, outcome: OUTCOMES[cause] ?? null };
}
