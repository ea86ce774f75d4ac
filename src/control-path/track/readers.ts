import { readdir, readFile } from 'node:fs/promises';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import { endInWords, notStarted, runProgram } from '../../lib/run-program.ts';
import type { TrackCheck } from '../../model/track.ts';
import type { Native } from '../../native/index.ts';
import type { Reading } from './track.ts';

export type Links = Pick<Native, 'listLinks'>;

/** Looks once. Never rejects: what cannot be looked at is down. */
export async function readTrack(
  check: TrackCheck,
  name: string,
  links: Links,
  signal: AbortSignal,
): Promise<Reading> {
  try {
    switch (check.type) {
      case 'interface':
        return readInterface(check.interface, links);
      case 'script':
        return await readScript(check.command, name, signal);
      case 'process':
        return await readProcesses(check, signal);
      case 'file':
        return await readNumber(check.path);
    }
  } catch (error) {
    return down(messageOf(error));
  }
}

const up = (detail: string, value = 1): Reading => ({ up: true, value, detail });
const down = (detail: string): Reading => ({ up: false, value: 0, detail });

function readInterface(name: string, links: Links): Reading {
  const link = links.listLinks().find((each) => each.name === name);
  if (link === undefined) return down(`${name} does not exist`);
  if (!link.up) return down(`${name} is down`);
  return link.carrier ? up(`${name} is up`) : down(`${name} has no carrier`);
}

/** TANDEM_TRACKER is the tracker's name. */
async function readScript(
  command: readonly [string, ...string[]],
  name: string,
  signal: AbortSignal,
): Promise<Reading> {
  const end = await runProgram({ command, env: { TANDEM_TRACKER: name }, signal });
  if (signal.aborted) return down('timed out');
  if (end.kind === 'not-started')
    return down(end.error === null ? 'not started' : notStarted(end.error, command[0]));
  return end.status === 0 ? up('exit status 0') : down(endInWords(end));
}

type ProcessCheck = Extract<TrackCheck, { type: 'process' }>;

async function readProcesses(check: ProcessCheck, signal: AbortSignal): Promise<Reading> {
  const matches = check.match === 'name' ? hasName : hasCommand;
  let running = 0;
  for (const entry of await readdir('/proc')) {
    if (signal.aborted) break;
    if (/^\d+$/.test(entry) && (await matches(entry, check.process))) running++;
  }
  const detail = `${running} of ${check.count} running`;
  return running >= check.count ? up(detail) : down(detail);
}

/** TASK_COMM_LEN of Linux without its NUL: the kernel cuts names. */
const COMM_LENGTH = 15;

/** proc(5): "pid (comm) state ..."; comm may hold anything, parentheses too. A zombie does not run. */
async function hasName(pid: string, name: string): Promise<boolean> {
  const stat = await readProc(pid, 'stat');
  const end = stat.lastIndexOf(')');
  const comm = stat.subarray(stat.indexOf('(') + 1, end).toString();
  const state = stat.toString('latin1', end + 2, end + 3);
  const wanted = Buffer.from(name).subarray(0, COMM_LENGTH).toString();
  return comm === wanted && state !== 'Z' && state !== 'X';
}

/** Arguments end with NUL; zombies and kernel threads have none. */
async function hasCommand(pid: string, command: string): Promise<boolean> {
  const line = (await readProc(pid, 'cmdline')).toString().replace(/\0+$/, '');
  return line.replaceAll('\0', ' ') === command;
}

/** Empty for a process that ended while we looked. */
async function readProc(pid: string, file: 'stat' | 'cmdline'): Promise<Buffer> {
  try {
    return await readFile(`/proc/${pid}/${file}`);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return Buffer.alloc(0);
    throw error;
  }
}

/** A number has fewer digits than this, with its sign and line end; the rest of the file is not looked at. */
const MAX_NUMBER = 64;

async function readNumber(path: string): Promise<Reading> {
  let text: string;
  try {
    text = (await readFile(path)).toString('utf8', 0, MAX_NUMBER).trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return up(`${path} does not exist, which counts as 0`, 0);
    throw error;
  }
  if (!/^[+-]?\d{1,9}$/.test(text)) return down(`${path} does not hold a whole number`);
  return up(`${path} holds ${Number(text)}`, Number(text));
}
