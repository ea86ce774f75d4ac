import { readSecret, requireSecret } from '../../lib/secret-file.ts';

/**
 * The pre-shared key of two supervisors.
 * @throws TandemError 'peer-secret'; the message never holds the key
 */
export function loadSecret(path: string): Uint8Array {
  return requireSecret(readSecret(path), { path, code: 'peer-secret', what: 'secret file' });
}
