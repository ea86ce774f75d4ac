// Commands, processes and lines of text, without blocking: several runs go on at once.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { sleep } from '../forwarding/shell.mjs';

/** Runs a shell script to its end; what it printed. Rejects when it fails. */
export function exec(script, { mayFail = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0 || mayFail) resolve(stdout);
      else reject(new Error(`${stderr.trim() || `status ${status}`}\n${script}`));
    });
  });
}

/** Processes inside a namespace. */
export async function pidsIn(ns) {
  const text = await exec(`ip netns pids ${ns} 2>/dev/null`, { mayFail: true });
  return text.split('\n').filter(Boolean).map(Number);
}

/** The bench's namespaces begin with this and the process that made them. */
const PREFIX = 'tdf';
export const OWN = `${PREFIX}${process.pid}-`;

/** Ends what runs in the namespaces and removes them; what is not there is fine. */
export async function removeNamespaces(names) {
  for (let tries = 0; tries < 3; tries++) {
    const left = (await Promise.all(names.map(pidsIn))).flat();
    if (left.length === 0) break;
    killAll(left, 'SIGKILL');
    await sleep(30);
  }
  await exec(names.map((ns) => `ip netns del ${ns}`).join('\n'), { mayFail: true });
}

/** Removes the namespaces of this process, and those that killed runs left behind. */
export async function sweep() {
  const text = await exec('ip netns list', { mayFail: true });
  const names = text.split('\n').map((line) => line.split(' ')[0]);
  const abandoned = names.filter((ns) => {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(ns)?.[1];
    return owner !== undefined && (ns.startsWith(OWN) || !existsSync(`/proc/${owner}`));
  });
  if (abandoned.length > 0) await removeNamespaces(abandoned);
}

/** One signal to all of them, in turn. */
export function killAll(pids, signal) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

/** All at once, as far as one can see: none of them runs while the others are being killed. */
export function killTogether(pids) {
  killAll(pids, 'SIGSTOP');
  killAll(pids, 'SIGKILL');
}

/** A process's command line; empty when it is gone. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** What a daemon prints, line by line; `ask` writes one and waits for the next. */
export class Lines {
  #waiting = [];
  #unread = [];
  #ended = null;

  constructor(daemon) {
    this.daemon = daemon;
    createInterface({ input: daemon.child.stdout }).on('line', (line) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#unread.push(line);
      else waiting.resolve(line);
    });
    daemon.child.stdin.on('error', () => undefined); // it is gone: `exited` says so
    void daemon.exited.then(() => {
      this.#ended = new Error(`a helper ended: ${daemon.log()}`);
      // its last lines may still be on their way
      setTimeout(() => {
        for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
      }, 100);
    });
  }

  line() {
    const line = this.#unread.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  ask(question) {
    this.daemon.child.stdin.write(`${question}\n`);
    return this.line();
  }
}
