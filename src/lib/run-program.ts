import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errnoOf } from './errors.ts';

/** Of each stream; the rest is read and thrown away, so that a chatty program does not block on its pipe. */
const OUTPUT_KEPT = 1_024;
/** How long output may still come after the exit, where a process outside of the group holds the pipe. */
const OUTPUT_GRACE_MS = 100;
/** All that a program gets of our environment; secrets in it are not for others. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ'] as const;

export interface ProgramOptions {
  /** The program and its arguments, as they are: no shell. */
  readonly command: readonly [string, ...string[]];
  /** Added to the few variables that are inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborting kills the program's whole process group. */
  readonly signal: AbortSignal;
}

export type ProgramEnd =
  /** `status` null: killed by `killedBy`. `said`: the first line it printed, stdout before stderr. */
  | {
      readonly kind: 'ended';
      readonly status: number | null;
      readonly killedBy: NodeJS.Signals | null;
      readonly said: string;
    }
  /** It never ran; `error` null: `signal` had aborted before. */
  | { readonly kind: 'not-started'; readonly error: Error | null };

/**
 * Runs a program to its end. It runs in a process group of its own, which gets SIGKILL when `signal` aborts
 * and also after its exit, so that nothing it started in the background piles up. Only a child that made a
 * session of its own escapes. Never rejects.
 */
export function runProgram({ command, env, signal }: ProgramOptions): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'not-started', error: null });
    let child: ChildProcess;
    try {
      child = start(command, env);
    } catch (error) {
      // an argument with a NUL, or more of them than the kernel takes
      return resolve({ kind: 'not-started', error: toError(error) });
    }
    const output = new FirstLine([child.stdout, child.stderr]);
    const kill = (): void => killGroup(child);
    signal.addEventListener('abort', kill, { once: true });
    let grace: NodeJS.Timeout | undefined;
    const finish = (end: ProgramEnd): void => {
      clearTimeout(grace);
      signal.removeEventListener('abort', kill);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(end);
    };
    child.on('error', (error) => finish({ kind: 'not-started', error }));
    child.once('exit', (status, killedBy) => {
      kill();
      const end = (): void => finish({ kind: 'ended', status, killedBy, said: output.text });
      child.once('close', end);
      grace = setTimeout(end, OUTPUT_GRACE_MS);
    });
  });
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** Why a program did not start, in words. */
export function notStarted(error: Error, program: string): string {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return `${program}: no such program`;
  if (errno === 'EACCES') return `${program}: not executable`;
  return error.message;
}

/** How a program ended, in words: "exit status 3: disk full", "killed by SIGKILL". */
export function endInWords({ status, killedBy, said }: Extract<ProgramEnd, { kind: 'ended' }>): string {
  const how = status === null ? `killed by ${killedBy}` : `exit status ${status}`;
  return said === '' ? how : `${how}: ${said}`;
}

/** With no descriptor left there is a child without pid and streams, which tells so by an 'error' event. */
function start([program, ...args]: readonly [string, ...string[]], env: ProgramOptions['env']): ChildProcess {
  return spawn(program, args, {
    detached: true,
    shell: false,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited(), ...env },
  });
}

function inherited(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
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
