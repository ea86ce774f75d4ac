import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errnoOf } from '../../../lib/errors.ts';
import { type Endpoint, formatEndpoint } from '../../../lib/ip.ts';
import type { ProbeSpec } from '../../../model/health.ts';
import { failed, failedBy, type Probe, type ProbeOutcome, passed } from '../probe.ts';

/** Of each stream; the rest is read and thrown away, so that a chatty program does not block on its pipe. */
const OUTPUT_KEPT = 1_024;
/** How long output may still come after the exit, where a process outside of the group holds the pipe. */
const OUTPUT_GRACE_MS = 100;
/** All that the program gets of our environment; secrets in it are not for checks. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ'] as const;

/**
 * Runs a program (never through a shell) with TANDEM_BACKEND_ADDRESS, _PORT and _ENDPOINT in its
 * environment; exit status 0 is healthy, and the first line it printed explains any other. It runs in a
 * process group of its own, which gets SIGKILL when the time is up and also after its exit, so that nothing
 * it started in the background piles up. Only a child that made a session of its own escapes.
 */
export const probeExec: Probe<Extract<ProbeSpec, { type: 'exec' }>> = (spec, target, signal) =>
  new Promise((resolve) => {
    const [program, ...args] = spec.command;
    if (signal.aborted) return resolve(failed('timeout', 'not started'));
    const child = start(program, args, target);
    const output = new FirstLine([child.stdout, child.stderr]);
    const kill = (): void => killGroup(child);
    signal.addEventListener('abort', kill, { once: true });
    let grace: NodeJS.Timeout | undefined;
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(grace);
      signal.removeEventListener('abort', kill);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(outcome);
    };
    child.on('error', (error) => finish(failedToStart(error, program)));
    child.once('exit', (status, killedBy) => {
      kill();
      const judge = (): void => finish(judgeExit(status, killedBy, output.text));
      child.once('close', judge);
      grace = setTimeout(judge, OUTPUT_GRACE_MS);
    });
  });

/** With no descriptor left there is a child without pid and streams, which tells so by an 'error' event. */
function start(program: string, args: readonly string[], target: Endpoint): ChildProcess {
  return spawn(program, args, {
    detached: true,
    shell: false,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environmentFor(target),
  });
}

function environmentFor(target: Endpoint): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    TANDEM_BACKEND_ADDRESS: target.address.text,
    TANDEM_BACKEND_PORT: String(target.port),
    TANDEM_BACKEND_ENDPOINT: formatEndpoint(target),
  };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function failedToStart(error: Error, program: string): ProbeOutcome {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return failed('exec-failed', `${program}: no such program`);
  if (errno === 'EACCES') return failed('exec-failed', `${program}: not executable`);
  return failedBy(error, 'exec-failed');
}

function judgeExit(status: number | null, killedBy: NodeJS.Signals | null, said: string): ProbeOutcome {
  if (status === 0) return passed('exit status 0');
  const how = status === null ? `killed by ${killedBy}` : `exit status ${status}`;
  return failed('exit-status', said === '' ? how : `${how}: ${said}`);
}

function killGroup(child: ChildProcess): void {
  // without a pid it never started
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // ESRCH, the usual case: nobody is left. EPERM: those left run as another user and cannot be reached.
    if (errnoOf(error) !== 'ESRCH' && errnoOf(error) !== 'EPERM') throw error;
  }
}

/** The first line of what a program said, stdout before stderr. */
class FirstLine {
  readonly #kept = ['', ''];

  constructor(streams: readonly (Readable | null | undefined)[]) {
    streams.forEach((stream, i) => {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const kept = this.#kept[i] ?? '';
        if (kept.length < OUTPUT_KEPT) this.#kept[i] = (kept + text).slice(0, OUTPUT_KEPT);
      });
    });
  }

  get text(): string {
    return this.#kept.map((text) => text.trim().split('\n')[0] ?? '').find((text) => text !== '') ?? '';
  }
}
