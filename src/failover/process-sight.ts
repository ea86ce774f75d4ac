import { readFileSync } from 'node:fs';
import { type Duration, millis } from '../lib/duration.ts';
import type { ProcessSight } from './silence.ts';

/** Linux counts the CPU times that it shows in hundredths of a second, on every architecture that Node runs on. */
const TICK: Duration = millis(10);
/** Fields of proc(5)'s stat, counted from the one behind the program's name. */
const STATE = 0;
const UTIME = 11;
const STIME = 12;

/** What /proc says of the main thread of `pid`; null when it cannot be read, or the process is gone. */
export function lookAt(pid: number): ProcessSight | null {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
    return parseSight(stat, () => readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    // no /proc, hidden by hidepid, or no such process: silence has to speak for itself
    return null;
  }
}

/**
 * @param stat of the thread
 * @param status of the process; not asked for when it is stopped
 */
export function parseSight(stat: string, status: () => string): ProcessSight | null {
  // the name may hold anything, brackets and spaces too; nothing behind it does
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  if (!Number.isFinite(ticks)) return null;
  return { state: stateOf(fields[STATE] ?? '', status), cpu: millis(ticks * (TICK / millis(1))) };
}

function stateOf(letter: string, status: () => string): ProcessSight['state'] {
  if (letter === 'T' || letter === 't') return 'stopped';
  // the thread that dumps runs or waits for the disk; the others wait for it
  if (/^CoreDumping:\s*1$/m.test(status())) return 'dumping-core';
  return letter === 'R' ? 'runnable' : 'other';
}
