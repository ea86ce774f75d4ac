import { errnoOf } from '../../../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../../../lib/ip.ts';
import { endInWords, notStarted, runProgram } from '../../../lib/run-program.ts';
import type { ProbeSpec } from '../../../model/health.ts';
import { failed, failedBy, type Probe, type ProbeOutcome, passed } from '../probe.ts';

/**
 * Runs a program (never through a shell) with TANDEM_BACKEND_ADDRESS, _PORT and _ENDPOINT in its
 * environment; exit status 0 is healthy, and the first line it printed explains any other.
 */
export const probeExec: Probe<Extract<ProbeSpec, { type: 'exec' }>> = async (spec, target, signal) => {
  const end = await runProgram({ command: spec.command, env: environmentFor(target), signal });
  if (end.kind === 'not-started') return failedToStart(end.error, spec.command[0]);
  return end.status === 0 ? passed('exit status 0') : failed('exit-status', endInWords(end));
};

function environmentFor(target: Endpoint): Record<string, string> {
  return {
    TANDEM_BACKEND_ADDRESS: target.address.text,
    TANDEM_BACKEND_PORT: String(target.port),
    TANDEM_BACKEND_ENDPOINT: formatEndpoint(target),
  };
}

function failedToStart(error: Error | null, program: string): ProbeOutcome {
  if (error === null) return failed('timeout', 'not started');
  const errno = errnoOf(error);
  const known = errno === 'ENOENT' || errno === 'EACCES';
  return known ? failed('exec-failed', notStarted(error, program)) : failedBy(error, 'exec-failed');
}
