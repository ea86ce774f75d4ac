import { isIP } from 'node:net';
import { messageOf } from '../../../lib/errors.ts';
import { failedBy, type ProbeOutcome } from '../probe.ts';

/** For `tls.connect`. @param host a name, with or without a port; null: the backend's address, which is no name */
export function tlsOptions(
  host: string | null,
  verify: boolean,
): { servername: string; rejectUnauthorized: boolean } {
  const name = host?.replace(/:\d+$/, '') ?? '';
  // SNI carries names only, never addresses (RFC 6066, section 3)
  const servername = isIP(name) === 0 && !name.startsWith('[') ? name : '';
  return { servername, rejectUnauthorized: verify };
}

/** The outcome for an error of a connection that was to have TLS. */
export const failedTls = (error: unknown): ProbeOutcome => failedBy(error, 'tls', readable(error));

/** OpenSSL's messages are a line of library internals; what went wrong is `reason`, or one part of the line. */
function readable(error: unknown): string {
  if (error instanceof Error && 'reason' in error) return String(error.reason);
  const message = messageOf(error);
  return /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message;
}
