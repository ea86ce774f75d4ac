import { EXIT, TandemError } from './errors.ts';
import { nearest } from './nearest.ts';

/** More names than this are counted, not listed. */
const LISTED = 12;

/**
 * The error for a name that does not exist: the hint says which one was probably meant, and which there are.
 * @param code "unknown-" and what it is
 * @param message such as `there is no service "wbe"`
 * @param name as it was asked for
 * @param known the names that exist
 */
export function unknownName(
  code: `unknown-${string}`,
  message: string,
  name: string,
  known: readonly string[],
): TandemError {
  const meant = nearest(name, known);
  const listed = known.slice(0, LISTED).join(', ');
  const rest = known.length > LISTED ? ` and ${known.length - LISTED} more` : '';
  const list = known.length === 0 ? 'there is none' : `there is: ${listed}${rest}`;
  const hint = meant === undefined ? list : `did you mean "${meant}"? ${list.replace(/^t/, 'T')}`;
  return new TandemError(code, message, { hint, exitStatus: EXIT.usage });
}

/** As {@link unknownName}, for failover groups: the same words wherever one is named. */
export const unknownGroup = (name: string, known: readonly string[]): TandemError =>
  unknownName('unknown-group', `there is no failover group ${JSON.stringify(name)}`, name, known);
