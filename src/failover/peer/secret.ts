import { EXIT, TandemError } from '../../lib/errors.ts';
import { isSecret, readSecret } from '../../lib/secret-file.ts';

/**
 * The pre-shared key of two supervisors.
 * @throws TandemError 'peer-secret'; the message never holds the key
 */
export function loadSecret(path: string): Uint8Array {
  const reading = readSecret(path);
  if (isSecret(reading)) return reading;
  const { fault, hint, denied } = reading;
  throw new TandemError('peer-secret', `the secret file ${path} ${fault}`, {
    hint,
    exitStatus: denied ? EXIT.noPermission : EXIT.usage,
  });
}
