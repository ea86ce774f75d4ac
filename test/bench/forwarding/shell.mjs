// Processes inside namespaces: started, measured, ended.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Milliseconds of CPU time in a clock tick (USER_HZ is 100 on every Linux that Node runs on). */
const TICK_MS = 10;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a shell script to its end; throws when it fails. */
export function sh(script, { mayFail = false } = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  if (status !== 0 && !mayFail) throw new Error(`${script}\n${stderr}${stdout}`);
  return stdout;
}

const inside = (ns, command) => `ulimit -n $(ulimit -Hn); exec ip netns exec ${ns} ${command}`;

/** Runs a command in a namespace to its end and returns what it printed. */
export function run(ns, command, { seconds = 60 } = {}) {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', inside(ns, command)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.resume();
    const limit = setTimeout(() => child.kill('SIGKILL'), seconds * 1_000);
    child.once('close', (status) => {
      clearTimeout(limit);
      resolve({ status, stdout });
    });
  });
}

const running = new Set();

/** A long-running command in a namespace; its output goes to a log file unless `pipe` is asked for. */
export class Daemon {
  constructor(ns, command, { dir, name, pipe = false }) {
    this.logPath = join(dir, `${name}.log`);
    const log = openSync(this.logPath, 'w');
    const stdio = pipe ? ['pipe', 'pipe', log] : ['ignore', log, log];
    this.child = spawn('bash', ['-c', inside(ns, command)], { stdio });
    closeSync(log);
    this.exited = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    running.add(this);
  }

  get gone() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  log() {
    return readFileSync(this.logPath, 'utf8').slice(-2_000);
  }

  async stop() {
    running.delete(this);
    if (this.gone) return;
    const family = tree(this.child.pid);
    this.child.kill('SIGTERM');
    const late = setTimeout(() => {
      for (const pid of family) kill(pid);
    }, 4_000);
    await this.exited;
    clearTimeout(late);
  }
}

export async function stopAll() {
  for (const daemon of running) await daemon.stop();
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/** A process and all that descend from it. */
function tree(root) {
  const children = new Map();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = stat(Number(entry))?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function stat(pid) {
  try {
    // the second field, the name, may contain spaces and parentheses
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}

/** CPU time in milliseconds that a daemon and its children have used, threads included. */
export const cpuMillis = (daemon) =>
  tree(daemon.child.pid).reduce((sum, pid) => sum + (stat(pid)?.ticks ?? 0) * TICK_MS, 0);

/** User memory in KiB: proportional set size over a daemon and its children. */
export function memoryKib(daemon) {
  let sum = 0;
  for (const pid of tree(daemon.child.pid)) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // gone already
    }
  }
  return sum;
}
