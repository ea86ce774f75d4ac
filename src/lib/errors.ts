/** Exit statuses of `tandem`, after sysexits(3), so that scripts can tell causes apart. */
export const EXIT = {
  ok: 0,
  /** The command ran and the answer is no (for example `tandem status` with a service down). */
  failure: 1,
  /** Wrong command line or wrong configuration. */
  usage: 64,
  /** The daemon cannot be reached. */
  unavailable: 69,
  /** The system refused something: address in use, no such interface. */
  osError: 71,
  /** A capability or permission is missing. */
  noPermission: 77,
} as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error for people: `message` says what went wrong and where, `hint` what would be right.
 * `code` is stable and is what log, metric and test use.
 */
export class TandemError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitStatus: ExitStatus;
  constructor(
    code: string,
    message: string,
    options: { hint?: string; exitStatus?: ExitStatus; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TandemError';
    this.code = code;
    this.hint = options.hint;
    this.exitStatus = options.exitStatus ?? EXIT.failure;
  }
}

/** The errno name ("EADDRINUSE") of a failed system call, or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For a `switch` over a union: fails to compile when a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
