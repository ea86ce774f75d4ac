import type { CommandResult } from '../admin/contract.ts';
import type { Clock } from '../lib/clock.ts';
import { millis } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';
import type { Emit } from '../model/event.ts';

/** For the answer to leave before the daemon is gone. */
const LAST_WORDS = millis(100);

interface KillOptions {
  /** The agent's; null when there is none. */
  readonly pid: number | null;
  /** Who asked. */
  readonly by: string;
  readonly emit: Emit;
}

/** kill -9 of the failover agent; the supervisor does what it does after any crash of it. */
export function killAgent({ pid, by, emit }: KillOptions): CommandResult {
  if (pid === null) return { ok: false, message: 'there is no failover agent to kill' };
  tell(emit, `a drill kills the failover agent (pid ${pid}), asked for by ${by}`, by);
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    return { ok: false, message: `the failover agent could not be killed: ${messageOf(error)}` };
  }
  return { ok: true, message: `killed the failover agent (pid ${pid})` };
}

/**
 * kill -9 of agent and supervisor in one go: nobody is left to take the addresses off or to say goodbye. Only
 * where systemd starts the daemon again, unless forced.
 */
export function killNode({ pid, by, emit, clock, force }: KillOptions & KillNodeOptions): CommandResult {
  const { INVOCATION_ID } = process.env;
  if (INVOCATION_ID === undefined && !force) {
    const message = 'nothing would start this daemon again: it is no unit of systemd';
    return { ok: false, message };
  }
  tell(emit, `a drill kills this daemon, asked for by ${by}`, by);
  clock.timerAfter(LAST_WORDS, () => {
    // the agent first: it would say goodbye when the supervisor is gone
    if (pid !== null) killQuietly(pid);
    process.kill(process.pid, 'SIGKILL');
  });
  return { ok: true, message: 'killing the daemon' };
}

interface KillNodeOptions {
  readonly clock: Clock;
  /** Also when nothing starts the daemon again. */
  readonly force: boolean;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself in the meantime; the supervisor follows in any case
  }
}

function tell(emit: Emit, message: string, by: string): void {
  emit({ level: 'warn', name: 'failover.drill', message, fields: { by } });
}
