import type { KeyPath } from './positions.ts';

/** A problem before it has a place in the text: what the schema and the checks produce. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly path: KeyPath;
  /** Does the caret stand under the key or under its value? */
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly hint: string | undefined;
  /** True when it is not about the file but about the host that reads it. */
  readonly aboutHost?: boolean;
}

/** The message for a key that the schema does not have. */
export const UNKNOWN_KEY = 'unknown key';

export const fault = (path: KeyPath, message: string, hint: string): Finding => ({
  severity: 'error',
  path,
  at: 'value',
  message,
  hint,
});

export const warning = (path: KeyPath, message: string, hint: string): Finding => ({
  severity: 'warning',
  path,
  at: 'value',
  message,
  hint,
});
