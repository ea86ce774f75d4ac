/**
 * Named reasons. The same word is the log field, the metric label and what a test asserts.
 */

/** Why a client was refused, in the order in which it is checked. */
export const REFUSAL_REASONS = [
  /** Not one of `proxy_protocol.trusted`. */
  'proxy-untrusted',
  /** Too many clients have yet to send their PROXY header or ClientHello. */
  'preface-limit',
  'preface-timeout',
  'proxy-malformed',
  'tls-malformed',
  /** The service that serves this name is not there (any more). */
  'no-route',
  'deny-list',
  'process-limit',
  'service-limit',
  'source-limit',
  'source-rate',
  'service-rate',
  'fd-headroom',
  'no-backend',
  'backend-limit',
  'queue-full',
  'queue-timeout',
  'connect-failed',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** How a TCP connection ended, once it was established to a backend. */
export const CLOSE_REASONS = [
  /** Both sides closed their half. */
  'done',
  'client-reset',
  'backend-reset',
  'client-error',
  'backend-error',
  'idle-timeout',
  'fin-timeout',
  /** `on_down = "close"`. */
  'backend-down',
  /** The drain deadline of a removed service or a stopping daemon. */
  'drain-deadline',
  'shutdown',
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** How a UDP session ended. */
export const SESSION_END_REASONS = [
  'session-timeout',
  'evicted',
  'rehomed',
  'backend-error',
  'drain-deadline',
  'shutdown',
] as const;
export type SessionEndReason = (typeof SESSION_END_REASONS)[number];

/** Limits that a utilisation gauge and the 80 % warning exist for. */
export const LIMIT_NAMES = [
  'process-connections',
  'service-connections',
  'backend-connections',
  /** Local ports for connections to one backend. */
  'source-ports',
  'source-table',
  'queue',
  'udp-sessions',
  'file-descriptors',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];
